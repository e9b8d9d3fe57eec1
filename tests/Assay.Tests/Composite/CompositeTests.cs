using Assay.Appraisal.Machine;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Simulator;

namespace Assay.Tests.Composite;

/// <summary>The threat table of the mission: each row is an attacker's program. What cannot be defeated is named as such.</summary>
public sealed class CompositeTests : IDisposable
{
    private readonly SimulatedCvm _one = new();
    private readonly SimulatedCvm _other = new();

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Fact]
    public void An_honest_machine_is_bound_by_its_boot_event()
    {
        var result = MachineJudgement.Appraise(_one.Parts(), SimulatedCvm.Expected);

        Assert.Empty(Failed(result));
        Assert.True(result.Passed);
        Assert.Equal("boot-event", result.BindingWord);
        Assert.DoesNotContain(result.Weakened, name => name.StartsWith("gpu-binding", StringComparison.Ordinal));
    }

    [Fact]
    public void Copy_attack_with_anothers_answer_over_ones_own_key_is_refused_for_the_boot_knows_no_gpu()
    {
        // VM B has no GPU. It sends its key's nonce to a machine with one, and shows its answer beside its own honest boot.
        var mine = _one.Binding;
        var borrowed = _other.Evidence(mine);
        var additional = AdditionalEvidence.Of(borrowed);
        var boot = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [], Policy = System.Security.Cryptography.SHA384.HashData("two GPUs and two switches"u8), Fault = BootFault.Skipped });
        var quote = SimulatedCvm.Quote(boot, mine, additional);
        var devices = SimulatedCvm.Judge(borrowed, mine);

        var result = MachineJudgement.Appraise(
            new MachineParts { Basis = SimulatedCvm.Basis, Devices = devices, Cpu = SimulatedCvm.Cpu(quote), Boot = SimulatedCvm.JudgeBoot(boot.JsonLog(), quote, devices), Key = mine, AdditionalEvidence = additional }, SimulatedCvm.Expected);

        Assert.Equal(["composite.parts.passed", "binding.boot.event", "binding.level.met"], Failed(result));
        // Every signature is genuine and every hash is right: this is why an evidence hash is no binding to a VM.
        Assert.Equal("evidence-hash", result.BindingWord);
    }

    [Fact]
    public void Copy_attack_without_a_boot_log_gets_evidence_hash_at_most_and_says_so()
    {
        var mine = _one.Binding;
        var borrowed = _other.Evidence(mine);
        var additional = AdditionalEvidence.Of(borrowed);
        var quote = SimulatedCvm.Quote(_one.Boot(), mine, additional);
        var parts = new MachineParts { Basis = SimulatedCvm.Basis, Devices = SimulatedCvm.Judge(borrowed, mine), Cpu = SimulatedCvm.Cpu(quote), Key = mine, AdditionalEvidence = additional };

        Assert.Equal(["binding.level.met"], Failed(MachineJudgement.Appraise(parts, SimulatedCvm.Expected)));
        var accepted = MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { DangerouslyAcceptedBinding = GpuBinding.EvidenceHash });
        Assert.True(accepted.Passed);
        Assert.Contains("gpu-binding-evidence-hash", accepted.Weakened);
    }

    [Fact]
    public void Copy_attack_with_anothers_event_log_does_not_explain_ones_own_registers()
    {
        var parts = _one.Parts();
        var foreign = SimulatedCvm.JudgeBoot(_other.Boot().JsonLog(), Tdx(parts), parts.Devices);

        Assert.Contains(foreign.Findings, finding => finding is { Id: "boot.log.replayed", State: CheckState.Failed });
        var result = MachineJudgement.Appraise(parts with { Boot = foreign }, SimulatedCvm.Expected);
        Assert.Equal(["composite.parts.passed", "binding.boot.event", "binding.level.met"], Failed(result));
    }

    [Fact]
    public void An_honest_boot_of_another_machine_beside_ones_own_quote_is_of_another_quote()
    {
        var (mine, theirs) = (_one.Parts(), _other.Parts());

        var result = MachineJudgement.Appraise(mine with { Boot = theirs.Boot }, SimulatedCvm.Expected);

        Assert.Equal(["binding.boot.event", "binding.level.met"], Failed(result));
        Assert.Contains("another quote", Finding(result, "binding.boot.event").Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_swapped_after_boot_are_not_those_that_the_boot_names()
    {
        var (mine, swapped) = (_one.Parts(), _other.Evidence(_one.Binding));
        var additional = AdditionalEvidence.Of(swapped);
        var boot = _one.Boot();
        var quote = SimulatedCvm.Quote(boot, _one.Binding, additional);

        // The boot is judged without the fresh devices, as a careless caller would.
        var result = MachineJudgement.Appraise(
            new MachineParts
            {
                Basis = SimulatedCvm.Basis,
                Devices = SimulatedCvm.Judge(swapped, _one.Binding),
                Cpu = SimulatedCvm.Cpu(quote),
                Boot = SimulatedCvm.JudgeBoot(boot.JsonLog(), quote, devices: null),
                Key = mine.Key,
                AdditionalEvidence = additional,
            },
            SimulatedCvm.Expected);

        Assert.Equal(["binding.boot.fresh", "binding.level.met"], Failed(result));
        Assert.Equal("evidence-hash", result.BindingWord);
    }

    [Theory]
    [InlineData(BootFault.LateEvent, "boot.events.in-time")]
    [InlineData(BootFault.DoubleEvent, "boot.events.once")]
    [InlineData(BootFault.MissingEvent, "boot.gate.complete")]
    [InlineData(BootFault.DevTools, "boot.gpu.cc.on")]
    [InlineData(BootFault.Skipped, "boot.gpu.attested")]
    [InlineData(BootFault.OtherPolicy, "boot.gpu.policy.accepted")]
    [InlineData(BootFault.SwappedDevice, "binding.boot.devices")]
    [InlineData(BootFault.DstackGate, "boot.gpu.attested")]
    public void What_is_wrong_with_the_boot_is_what_refuses_the_whole(BootFault fault, string check)
    {
        var parts = _one.Parts(fault);

        var result = MachineJudgement.Appraise(parts, SimulatedCvm.Expected);

        Assert.Contains(parts.Boot!.Findings, finding => finding.Id == check && finding.State is CheckState.Failed);
        Assert.False(result.Passed);
        Assert.NotEqual("boot-event", result.BindingWord);
        Assert.Contains("binding.level.met", Failed(result));
    }

    [Theory]
    [InlineData(8, 2, "composite.gpus.count")]
    [InlineData(2, 4, "composite.switches.count")]
    public void Another_number_of_devices_than_expected_is_refused(int gpus, int switches, string check) =>
        Assert.Equal([check, "binding.level.met"], Failed(MachineJudgement.Appraise(_one.Parts(), SimulatedCvm.Expected with { Gpus = gpus, Switches = switches })));

    [Fact]
    public void A_quote_over_another_key_or_other_devices_binds_neither()
    {
        var parts = _one.Parts();

        Assert.Equal(["binding.key.devices", "binding.cpu.devices"], Failed(MachineJudgement.Appraise(parts with { Key = _other.Binding }, SimulatedCvm.Expected)));
        Assert.Equal(["binding.cpu.devices"], Failed(MachineJudgement.Appraise(parts with { AdditionalEvidence = AdditionalEvidence.Of(_other.Evidence(_one.Binding)) }, SimulatedCvm.Expected)));
    }

    [Fact]
    public void The_guests_word_about_the_mode_must_agree_with_what_the_gpus_sign()
    {
        var result = MachineJudgement.Appraise(_one.Parts(cc: "on"), SimulatedCvm.Expected);

        Assert.Equal(["binding.boot.mode"], Failed(result));
    }

    [Fact]
    public void Anchors_and_clock_that_nothing_chose_are_refused_for_all_parts_at_once()
    {
        var unchosen = SimulatedCvm.Basis with { Time = SimulatedCvm.Basis.Time with { Source = TimeSource.None } };

        Assert.Equal(["composite.time.same"], Failed(MachineJudgement.Appraise(_one.Parts() with { Basis = unchosen }, SimulatedCvm.Expected)));
    }

    [Fact]
    public void Gpus_without_a_cpu_tee_are_refused_unless_that_tier_is_accepted_by_name()
    {
        var parts = _one.Parts() with { Cpu = null, Boot = null };

        Assert.Equal(["composite.cpu.present", "binding.level.met"], Failed(MachineJudgement.Appraise(parts, SimulatedCvm.Expected)));
        var accepted = MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { DangerouslyAcceptNoCpuTee = true, DangerouslyAcceptedBinding = GpuBinding.None });
        Assert.True(accepted.Passed);
        Assert.Equal(["boot-not-expected", "gpu-binding-none", "no-cpu-tee", "processor-not-expected", "revocation-skipped"], accepted.Weakened);
    }

    [Fact]
    public void Nothing_at_all_passes_nothing()
    {
        var result = MachineJudgement.Appraise(
            new MachineParts { Basis = SimulatedCvm.Basis, Devices = null, Key = null, AdditionalEvidence = "" },
            new MachineDemands { Gpus = null, Switches = null, DangerouslyAcceptedBinding = GpuBinding.None, DangerouslyAcceptNoCpuTee = true });

        Assert.False(result.Passed);
    }

    [Fact]
    public void Leaving_the_gpus_out_does_not_leave_the_demand_for_a_binding_out()
    {
        var boot = _one.Boot();
        var quote = SimulatedCvm.Quote(boot, _one.Binding, "");
        var parts = new MachineParts { Basis = SimulatedCvm.Basis, Devices = null, Cpu = SimulatedCvm.Cpu(quote), Key = _one.Binding, AdditionalEvidence = "" };

        Assert.Equal(["composite.gpus.count", "composite.switches.count", "binding.level.met"], Failed(MachineJudgement.Appraise(parts, SimulatedCvm.Expected)));
        Assert.Equal(["binding.level.met"], Failed(MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { Gpus = null, Switches = null, RequiredBinding = GpuBinding.EvidenceHash })));
        // Where nothing was said of devices and none is shown, that is what the verdict says.
        var unstated = MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { Gpus = null, Switches = null });
        Assert.True(unstated.Passed);
        Assert.Subset(unstated.Weakened.ToHashSet(), new HashSet<string> { "devices-not-expected", "gpu-binding-none", "boot-not-expected" });
        Assert.Equal(GpuBinding.None, unstated.Binding);
        Assert.True(MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { Gpus = 0, Switches = 0 }).Passed);
    }

    [Fact]
    public void Parts_about_which_nothing_was_asked_have_not_passed()
    {
        var parts = _one.Parts();

        foreach (var silent in new[]
        {
            parts with { Boot = parts.Boot! with { Findings = [] } },
            parts with { Cpu = SimulatedCvm.Cpu(Tdx(parts) with { Findings = [] }) },
            parts with { Devices = parts.Devices! with { Findings = [] } },
            parts with { Devices = parts.Devices! with { Devices = [.. parts.Devices.Devices.Select(device => device with { Findings = [] })] } },
        })
        {
            Assert.Contains("composite.parts.passed", Failed(MachineJudgement.Appraise(silent, SimulatedCvm.Expected)));
        }
    }

    [Fact]
    public void Reference_values_of_the_firmware_alone_let_any_kernel_write_the_gates_events()
    {
        var parts = _one.Parts();
        var image = Tdx(parts).Image!;
        var firmware = image with { Rtmr = [image.Rtmr[0], null, image.Rtmr[2], null] };

        var result = MachineJudgement.Appraise(parts with { Cpu = SimulatedCvm.Cpu(Tdx(parts) with { Image = firmware }) }, SimulatedCvm.Expected);

        Assert.Equal(["binding.boot.event", "binding.level.met"], Failed(result));
        Assert.Contains("RTMR1 and RTMR2", Finding(result, "binding.boot.event").Reason, StringComparison.Ordinal);
    }

    private static TdxResult Tdx(MachineParts parts) => (TdxResult)parts.Cpu!.Tee!;

    private static string[] Failed(MachineResult result) => [.. result.Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];

    private static Finding Finding(MachineResult result, string id) => result.Findings.Single(finding => finding.Id == id);
}
