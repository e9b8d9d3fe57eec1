using Assay.Appraisal.Boot;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Simulator;
using Assay.Wire;

namespace Assay.Tests.Boot;

/// <summary>The attacks on the boot event, each with the check that stops it. The honest boot beside them passes.</summary>
public class SimulatedBootTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void An_honest_boot_binds_its_devices(int version, bool onDstack)
    {
        var result = BootWorld.Judge(BootWorld.Plan with { EventVersion = version, OnDstack = onDstack });

        Assert.Equal("", BootWorld.Failed(result));
        Assert.DoesNotContain(result.Findings, finding => finding.State is CheckState.NotChecked);
        Assert.True(result.CarriesBootEvent);
        Assert.Equal(3, result.Record!.Attestation!.Devices.Length);
        Assert.Equal(SecureBootState.On, result.Facts!.SecureBoot);
        Assert.Equal([BootRole.BootApplication, BootRole.CommandLine, BootRole.Initrd], result.Facts.Measurements.Select(item => item.Role));
    }

    [Theory]
    [InlineData(BootFault.LateEvent, "boot.events.in-time boot.gate.complete boot.gpu.attested boot.gpu.cc.on binding.boot.devices boot.events.order")]
    [InlineData(BootFault.DoubleEvent, "boot.events.once boot.events.order")]
    [InlineData(BootFault.MissingEvent, "boot.gate.complete boot.gpu.attested boot.gpu.cc.on binding.boot.devices boot.events.order")]
    [InlineData(BootFault.WrongOrder, "boot.events.order")]
    [InlineData(BootFault.SwappedDevice, "binding.boot.devices")]
    [InlineData(BootFault.OtherPolicy, "boot.gpu.policy.accepted")]
    [InlineData(BootFault.BrokenDigest, "boot.log.replayed")]
    [InlineData(BootFault.Truncated, "boot.log.replayed")]
    [InlineData(BootFault.NoBoundary, "boot.boundary.match")]
    [InlineData(BootFault.Skipped, "boot.gpu.attested boot.gpu.cc.on binding.boot.devices")]
    [InlineData(BootFault.DevTools, "boot.gpu.cc.on")]
    [InlineData(BootFault.DstackGate, "boot.gate.complete boot.gpu.policy.accepted boot.gpu.attested boot.gpu.cc.on binding.boot.devices boot.events.order")]
    [InlineData(BootFault.LoosePayload, "boot.events.typed boot.gate.complete boot.gpu.attested boot.gpu.cc.on binding.boot.devices")]
    public void A_fault_is_refused_by_its_checks(BootFault fault, string checks)
    {
        foreach (var version in new[] { 1, 2 })
        {
            var result = BootWorld.Judge(BootWorld.Plan with { Fault = fault, EventVersion = version, OnDstack = version == 1 });

            Assert.False(result.CarriesBootEvent);
            Assert.Equal(checks.Split(' ').Order(StringComparer.Ordinal), BootWorld.Failed(result).Split(' ').Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void A_tampered_payload_under_the_true_digest_is_hearsay()
    {
        var plan = BootWorld.Plan with { Fault = BootFault.TamperedPayload, EventVersion = 1 };
        var result = BootWorld.Judge(plan);

        // The registers are explained, the payload is not: nothing that it says is read.
        Assert.Equal(CheckState.Held, BootWorld.Of(result, "boot.log.replayed").State);
        Assert.Equal(CheckState.Failed, BootWorld.Of(result, "boot.events.explained").State);
        Assert.Null(result.Record!.Attestation);
        Assert.False(result.CarriesBootEvent);
        // In the second form the log must tell the preimage too, and cannot.
        Assert.False(EventLog.TryParse(Renamed(SimulatedBoot.Create(plan with { EventVersion = 2 }).JsonLog()), out _, out var fault));
        Assert.EndsWith(".preimage", fault.Field, StringComparison.Ordinal);

        static byte[] Renamed(byte[] log) => System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(log).Replace("\"event\":\"gpu-attestation\"", "\"event\":\"gpu-none\"", StringComparison.Ordinal));
    }

    [Fact]
    public void Another_machine_s_log_explains_none_of_this_machine_s_gate_register()
    {
        // The copy attack: a VM without a GPU shows the log of one that has.
        var honest = SimulatedBoot.Create(BootWorld.Plan);
        var thief = SimulatedBoot.Create(BootWorld.Plan with { Fault = BootFault.Skipped });

        var result = BootAppraisal.Appraise(honest.JsonLog(), BootWorld.Rtmrs(thief), BootWorld.Expected);

        Assert.Equal("boot.log.replayed", BootWorld.Failed(result));
        Assert.Contains("RTMR3", BootWorld.Of(result, "boot.log.replayed").Reason, StringComparison.Ordinal);
        Assert.Empty(result.Record!.Events);
        Assert.Equal(NotCheckedCause.Stopped, BootWorld.Of(result, "boot.gpu.attested").Cause);
        Assert.False(result.CarriesBootEvent);
    }

    [Fact]
    public void An_application_s_own_late_event_is_shown_and_ignored()
    {
        var result = BootWorld.Judge(BootWorld.Plan with { Fault = BootFault.ForeignLateEvent });

        Assert.Equal("", BootWorld.Failed(result));
        Assert.True(result.CarriesBootEvent);
        var late = result.Record!.Events[^1];
        Assert.Equal(("LIUM_MINER_HOTKEY", true, null), (late.Event.Name, late.IsLate, late.Payload));
    }

    [Fact]
    public void The_two_phases_exclude_one_another_and_none_is_no_phase()
    {
        var booting = BootWorld.Plan with { Booted = false };
        var boot = BootWorld.Expected with { Gate = BootWorld.Gate with { Phase = BootPhase.Boot } };
        var none = BootWorld.Expected with { Gate = BootWorld.Gate with { Phase = BootPhase.None } };

        Assert.Equal("", BootWorld.Failed(BootWorld.Judge(booting, boot)));
        Assert.Equal("boot.boundary.match", BootWorld.Failed(BootWorld.Judge(booting)));
        Assert.Equal("boot.boundary.match", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan, boot)));
        Assert.Equal("boot.boundary.match", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan, none)));
    }

    [Fact]
    public void Nothing_chosen_is_refused()
    {
        Assert.Equal("boot.gpu.policy.accepted", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan, BootWorld.Expected with { Gate = BootWorld.Gate with { Policies = [] } })));
        Assert.Equal("boot.gpu.attested", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan, BootWorld.Expected with { Gate = BootWorld.Gate with { Outcome = GateOutcome.None } })));
        var other = BootWorld.Judge(BootWorld.Plan, BootWorld.Expected with { Gate = BootWorld.Gate with { Model = new Digest(new byte[48]), Workload = new Digest(new byte[48]) } });
        Assert.Equal("boot.model.match boot.workload.match", BootWorld.Failed(other));
        var absent = BootWorld.Judge(BootWorld.Plan with { Model = null, Workload = null });
        Assert.Equal("boot.model.match boot.workload.match", BootWorld.Failed(absent));
        var ungated = BootWorld.Judge(BootWorld.Plan, BootWorld.Expected with { Gate = null });
        Assert.False(ungated.CarriesBootEvent);
        Assert.Equal(CheckState.NotApplicable, BootWorld.Of(ungated, "boot.gpu.attested").State);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(16)]
    public void The_gate_s_register_is_RTMR3_and_no_other(int register)
    {
        var result = BootWorld.Judge(BootWorld.Plan, BootWorld.Expected with { Gate = BootWorld.Gate with { Register = register } });

        Assert.False(result.CarriesBootEvent);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(7, false)]
    [InlineData(8, true)]
    [InlineData(13, true)]
    [InlineData(16, false)]
    [InlineData(17, false)]
    [InlineData(23, false)]
    public void A_PCR_that_software_resets_or_firmware_owns_is_no_register_of_the_gate(int register, bool accepted) =>
        Assert.Equal(accepted, GateRequirement.WhyNotRegister(RegisterKind.Pcr, register) is null);

    [Fact]
    public void Secure_Boot_is_told_on_off_and_not_told()
    {
        var lax = BootWorld.Expected with { RequireSecureBoot = false };

        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan with { SecureBoot = 0 })));
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan with { SecureBoot = null })));
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan with { SecureBoot = 2 })));
        Assert.Equal(SecureBootState.Off, BootWorld.Judge(BootWorld.Plan with { SecureBoot = 0 }, lax).Facts!.SecureBoot);
        Assert.Equal(SecureBootState.NotTold, BootWorld.Judge(BootWorld.Plan with { SecureBoot = 2 }, lax).Facts!.SecureBoot);
    }

    [Fact]
    public void An_operating_system_that_relabels_firmware_s_events_turns_Secure_Boot_on_for_nobody()
    {
        // The attack: types are in no register. The system extends the policy that it wished for after firmware's separator, calls
        // firmware's own events something else, and shows that log.
        var wish = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).JsonLog()).Events.Where(item => item.Register == 0 && item.Type != BootEventType.Separator);
        var told = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan with { SecureBoot = 0 }).JsonLog()).Events
            .Select(item => item.Register == 0 ? item with { Type = 0x0A } : item);
        var forged = EventLog.Of(EventLogForm.Json, RegisterKind.Rtmr, [TcgHash.Sha384], [.. told.Concat(wish).Select((item, number) => item with { Number = number })]);
        var registers = forged.Replay(TcgHash.Sha384);

        var result = BootAppraisal.Appraise(forged, Assay.Authentication.QuotedRegisters.OfRtmrs([registers[0], registers[1], registers[2], registers[3]]), BootWorld.Expected with { Gate = null });

        Assert.Equal(CheckState.Held, BootWorld.Of(result, "boot.log.replayed").State);
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(result));
        // Firmware's own word is found by its digest, whatever the log calls it.
        Assert.Equal(SecureBootState.Off, result.Facts!.SecureBoot);
    }

    [Fact]
    public void An_error_separator_under_another_name_is_one_all_the_same()
    {
        var events = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).JsonLog()).Events;
        var renamed = events.Select(item => item.Register == 1 && item.Type == BootEventType.Separator ? item with { Type = 0x0A, Digests = [TcgHash.Sha384.Of([1, 0, 0, 0])] } : item);
        var log = EventLog.Of(EventLogForm.Json, RegisterKind.Rtmr, [TcgHash.Sha384], [.. renamed]);
        var registers = log.Replay(TcgHash.Sha384);

        var result = BootAppraisal.Appraise(log, Assay.Authentication.QuotedRegisters.OfRtmrs([registers[0], registers[1], registers[2], registers[3]]), BootWorld.Expected with { Gate = null });

        Assert.Equal("boot.log.separators", BootWorld.Failed(result));
    }

    [Fact]
    public void Firmware_s_log_of_a_confidential_VM_and_the_gate_s_own_are_one_story()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        foreach (var padding in new byte[] { 0x00, 0xFF })
        {
            var firmware = BootWorld.Read(boot.CcelLog(padding));
            Assert.Equal((EventLogForm.Ccel, 13), (firmware.Form, firmware.Events.Length));

            // Alone it explains RTMR0 to RTMR2, and says nothing of RTMR3.
            var alone = BootAppraisal.Appraise(firmware, BootWorld.Rtmrs(boot), BootWorld.Expected with { Gate = null });
            Assert.Equal("", BootWorld.Failed(alone));
            Assert.Equal([0, 1, 2], alone.Log!.Replayed);
        }
    }

    [Fact]
    public void A_TPM_in_the_confidential_VM_carries_the_boot_event_and_another_does_not()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        var log = BootWorld.Read(boot.TcgLog()).Then(BootWorld.Read(boot.JsonPcrLog()))!;
        var expected = BootWorld.Expected with { Gate = BootWorld.Gate with { Register = SimulatedBoot.GatePcr } };

        var inside = BootAppraisal.Appraise(log, BootWorld.Pcrs(boot, isInTee: true), expected);
        var outside = BootAppraisal.Appraise(log, BootWorld.Pcrs(boot, isInTee: false), expected);

        Assert.Equal(("", true), (BootWorld.Failed(inside), inside.CarriesBootEvent));
        Assert.Equal(("", false), (BootWorld.Failed(outside), outside.CarriesBootEvent));
        Assert.Equal([4, 5, 7, 9, 13], inside.Log!.Replayed);
    }

    [Fact]
    public void Logs_of_other_registers_or_banks_are_not_joined_or_compared()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        var tcg = BootWorld.Read(boot.TcgLog());

        Assert.Null(tcg.Then(BootWorld.Read(boot.JsonLog())));
        Assert.Null(BootWorld.Read(boot.LegacyLog()).Then(BootWorld.Read(boot.JsonPcrLog())));
        Assert.Equal("boot.log.replayed", BootWorld.Failed(BootAppraisal.Appraise(tcg, BootWorld.Rtmrs(boot), BootWorld.Expected)));
        Assert.Equal("boot.log.replayed", BootWorld.Failed(BootAppraisal.Appraise(boot.LegacyLog(), BootWorld.Pcrs(boot, true), BootWorld.Expected)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    public void The_startup_locality_is_where_PCR_0_begins(byte locality)
    {
        var log = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).TcgLog(locality));

        Assert.Equal(locality, log.StartupLocality);
        // Nothing extends PCR 0 here, so it stands in no replay.
        Assert.False(log.Replay(TcgHash.Sha256).ContainsKey(0));
    }

    [Fact]
    public void A_startup_locality_that_no_TPM_has_is_refused() =>
        Assert.False(EventLog.TryParse(SimulatedBoot.Create(BootWorld.Plan).TcgLog(7), out _, out _));

    [Fact]
    public void A_legacy_log_is_read_and_its_SHA_1_bank_is_shown()
    {
        var log = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).LegacyLog());

        Assert.Equal((EventLogForm.LegacyTcg, RegisterKind.Pcr, 13), (log.Form, log.Registers, log.Events.Length));
        Assert.Equal([TcgHash.Sha1], log.Banks);
    }
}
