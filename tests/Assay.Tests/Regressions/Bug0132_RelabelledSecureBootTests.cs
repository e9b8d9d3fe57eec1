using Assay.Appraisal.Boot;
using Assay.Authentication;
using Assay.Evidence.EventLogs;
using Assay.Simulator;
using Assay.Tests.Boot;
using Assay.Tests.Cli;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>
/// 132: Secure Boot was "on" where the log gave firmware's own SecureBoot 00 another type and no data, and showed a host's blob, which is
/// spelled like SecureBoot 01, as the variable. Types are not measured.
/// </summary>
public class Bug0132_RelabelledSecureBootTests
{
    private static readonly AssayCommand s_assay = new();
    private static readonly BootExpectations s_lax = BootWorld.Expected with { Gate = null, RequireSecureBoot = false };
    private static readonly BootExpectations s_strict = s_lax with { RequireSecureBoot = true };

    [Theory]
    [InlineData(0, nameof(SecureBootState.Off))]
    [InlineData(null, nameof(SecureBootState.Off))]
    [InlineData(1, nameof(SecureBootState.NotTold))]
    [InlineData(2, nameof(SecureBootState.NotTold))]
    public void A_variable_under_another_type_without_its_data_is_found_by_its_digest(int? value, string state)
    {
        var plan = BootWorld.Plan with { SecureBoot = (byte?)value, Fault = BootFault.RelabelledSecureBoot };

        Assert.Equal(Enum.Parse<SecureBootState>(state), BootWorld.Judge(plan, s_lax).Facts!.SecureBoot);
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(BootWorld.Judge(plan, s_strict)));
        Assert.Equal("boot.secure-boot.on", BootWorld.Failed(OfTpm(BootWorld.Read(SimulatedBoot.Create(plan).TcgLog()))));
    }

    [Fact]
    public void Honest_firmware_passes_whatever_type_its_variables_are_given()
    {
        var log = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).JsonLog());

        Assert.Equal(SecureBootState.On, OfRtmrs(log.Events).Facts!.SecureBoot);
        Assert.Equal(SecureBootState.On, OfRtmrs(log.Events.Select(item => item.Register == 0 ? item with { Type = 0x0A } : item)).Facts!.SecureBoot);
        Assert.Equal("", BootWorld.Failed(OfTpm(BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).TcgLog()))));
    }

    [Theory]
    [InlineData(0u, 10u, true, nameof(SecureBootState.On))]
    [InlineData(0u, 10u, false, nameof(SecureBootState.NotTold))]
    [InlineData(0u, BootEventType.EfiVariableBoot, true, nameof(SecureBootState.NotTold))]
    [InlineData(1u, 10u, true, nameof(SecureBootState.NotTold))]
    [InlineData(6u, 10u, false, nameof(SecureBootState.On))]
    public void An_event_whose_data_are_not_measured_counts_where_it_could_be_the_variable(uint place, uint type, bool hasData, string state)
    {
        // Firmware's own blobs stand before the variables and say something about themselves; ACPI tables come after the separator.
        var events = BootWorld.Read(SimulatedBoot.Create(BootWorld.Plan).JsonLog()).Events;
        var blob = events[0] with { Type = type, Digests = [TcgHash.Sha384.Of("a configuration volume"u8)], Data = hasData ? "CFV"u8.ToArray() : [] };

        var result = OfRtmrs(events.Insert((int)place, blob));

        Assert.Equal(Enum.Parse<SecureBootState>(state), result.Facts!.SecureBoot);
    }

    [Theory]
    [InlineData("forged.json")]
    [InlineData("honest.json")]
    public void Both_logs_of_the_case_are_refused(string log)
    {
        var answer = s_assay.Says(
            1, "verify", "--cpu-evidence", Cases.PathOf("secure-boot-relabelled/quote.bin"), "--event-log", Cases.PathOf($"secure-boot-relabelled/{log}"), "--require-secure-boot",
            "--report-data", "01" + new string('0', 126), "--cpu-collateral", Cases.PathOf("secure-boot-relabelled/col.json"), "--anchors", Cases.PathOf("secure-boot-relabelled/anchors.json"),
            "--at", "2026-11-28T23:00:00Z");

        Assert.Contains("Secure Boot is off", answer, StringComparison.Ordinal);
    }

    private static BootResult OfRtmrs(IEnumerable<BootEvent> events)
    {
        var log = EventLog.Of(EventLogForm.Json, RegisterKind.Rtmr, [TcgHash.Sha384], [.. events.Select((item, number) => item with { Number = number })]);
        Digest[] registers = [.. log.Replay(TcgHash.Sha384).Values];
        return BootAppraisal.Appraise(log, QuotedRegisters.OfRtmrs(registers), s_lax);
    }

    private static BootResult OfTpm(EventLog log) => BootAppraisal.Appraise(log, QuotedRegisters.OfPcrs(TcgHash.Sha256, log.Replay(TcgHash.Sha256), isInTee: true), s_strict);
}
