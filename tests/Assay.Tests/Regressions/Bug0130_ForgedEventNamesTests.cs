using System.Text.Json.Nodes;
using Assay.Appraisal.Boot;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Simulator;
using Assay.Tests.Boot;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>
/// 130: without a gate, the names that a log claimed for its events were printed and written to JSON under a pass, also where an event's
/// digest was that of another name. Whoever shows the log could call `compose-hash` what he liked.
/// </summary>
public class Bug0130_ForgedEventNamesTests
{
    private const int Renamed = 22;
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Without_a_gate_a_renamed_event_weakens_and_has_no_name_or_payload(int version)
    {
        var lax = BootWorld.Expected with { Gate = null };
        var honest = BootWorld.Judge(BootWorld.Plan with { EventVersion = version }, lax);
        var forged = BootWorld.Judge(BootWorld.Plan with { EventVersion = version, Fault = BootFault.RenamedEvent }, lax);

        Assert.Equal((CheckState.Held, ""), (BootWorld.Of(honest, "boot.events.explained").State, string.Join(' ', honest.Weakened)));
        Assert.Empty(honest.UnprovenEvents);
        Assert.Equal("", BootWorld.Failed(forged));
        var finding = BootWorld.Of(forged, "boot.events.explained");
        Assert.Equal((CheckState.NotChecked, NotCheckedCause.Waived), (finding.State, finding.Cause));
        Assert.Equal(["boot-events-unproven"], forged.Weakened);
        var number = Assert.Single(forged.UnprovenEvents);
        Assert.Contains($"event {number} of RTMR3", finding.Reason, StringComparison.Ordinal);
        var item = Assert.Single(forged.Shown!.Events, item => item.IsUnproven);
        Assert.Equal((number, null, 0, null, false), (item.Event.Number, item.Event.Name, item.Event.Data.Length, item.Payload, item.IsLate));
        Assert.All(forged.Shown.Events.Where(item => item.Event.Number > number), item => Assert.Null(item.IsLate));
    }

    [Theory]
    [InlineData(BootFault.RenamedEvent)]
    [InlineData(BootFault.TamperedPayload)]
    public void With_a_gate_it_refuses_gate_phase_model_and_workload(BootFault fault)
    {
        var result = BootWorld.Judge(BootWorld.Plan with { Fault = fault });

        string[] refused =
        [
            "boot.events.explained", "boot.gate.complete", "boot.boundary.match", "boot.gpu.policy.accepted", "boot.gpu.attested", "boot.gpu.cc.on", "binding.boot.devices",
            "boot.model.match", "boot.workload.match",
        ];
        // What stands around the hidden event may look out of order too.
        Assert.Equal(refused, BootWorld.Failed(result).Split(' ').Except(["boot.events.order"]));
        Assert.False(result.CarriesBootEvent);
        Assert.Empty(result.Weakened);
        SaysNothing(result.Record!);
    }

    [Fact]
    public void A_guest_s_event_that_is_called_firmware_s_is_unproven_and_brings_no_label()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        var honest = BootWorld.Read(boot.JsonLog());
        var relabelled = honest.Events.Select(item => item.Name is "model"
            ? item with { Name = null, Version = RuntimeEventVersion.None, Type = BootEventType.EfiBootServicesApplication, Data = "compose-hash"u8.ToArray() }
            : item);

        var result = BootAppraisal.Appraise(EventLog.Of(EventLogForm.Json, RegisterKind.Rtmr, honest.Banks, [.. relabelled]), BootWorld.Rtmrs(boot), BootWorld.Expected with { Gate = null });

        Assert.Equal(["boot-events-unproven"], result.Weakened);
        Assert.Equal(3, result.Facts!.Measurements.Length);
        Assert.DoesNotContain(result.Facts.Measurements, item => item.Label.Contains("compose-hash", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("eventlog.json", false)]
    [InlineData("name-swapped.json", true)]
    public void A_recorded_log_with_a_swapped_name_shows_it_in_no_output(string log, bool isForged)
    {
        string[] arguments =
        [
            "verify", "--cpu-evidence", Cases.PathOf("renamed-events/quote.bin"), "--cpu-collateral", Cases.PathOf("renamed-events/collateral.json"),
            "--event-log", Cases.PathOf($"renamed-events/{log}"), "--at", "2026-08-20T00:00:00Z",
        ];

        var text = s_assay.Says(0, arguments);
        var boot = JsonNode.Parse(s_assay.Says(0, [.. arguments, "--format", "json"]))!["boot"]!;
        var inspected = s_assay.Says(0, "inspect", Cases.PathOf($"renamed-events/{log}"));

        var item = boot["events"]!.AsArray().Single(item => item!["number"]!.GetValue<int>() == Renamed)!;
        Assert.Equal(isForged ? null : "compose-hash", item["name"]?.GetValue<string>());
        Assert.Equal(isForged, item["unproven"]?.GetValue<bool>() ?? false);
        Assert.Equal(isForged ? null : true, boot["boundary"]?.GetValue<bool>());
        // The log has one genuine event of the name that was put in.
        Assert.Equal(1, boot["events"]!.AsArray().Count(item => item!["name"]?.GetValue<string>() == "key-provider"));
        Assert.All(new[] { text, inspected }, output => Assert.Equal(isForged ? 0 : 1, Count(output, "compose-hash")));
        Assert.All(new[] { text, inspected }, output => Assert.Equal(1, Count(output, "key-provider")));
        Assert.All(new[] { text, inspected }, output => Assert.Equal(isForged, output.Contains("unproven", StringComparison.Ordinal)));
        Assert.All(boot["measurements"]!.AsArray(), measurement => Assert.Equal("log", measurement!["whatFrom"]!.GetValue<string>()));
        Assert.Contains("the log's own unverified descriptions", text, StringComparison.Ordinal);
    }

    internal static void SaysNothing(BootRecord record)
    {
        Assert.NotEmpty(record.UnprovenEvents);
        Assert.Null(record.Policy);
        Assert.Null(record.Attestation);
        Assert.Null(record.DstackAttestation);
        Assert.Null(record.Model);
        Assert.Null(record.Workload);
        Assert.False(record.SaysNone || record.SaysSkipped || record.HasBoundary);
    }

    private static int Count(string text, string word) => text.Split(word).Length - 1;
}
