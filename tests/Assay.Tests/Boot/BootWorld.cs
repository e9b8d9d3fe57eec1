using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Boot;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Simulator;
using Assay.Wire;

namespace Assay.Tests.Boot;

/// <summary>A simulated machine with two GPUs, and a relying party that expects exactly it.</summary>
internal static class BootWorld
{
    public static ImmutableArray<SimulatedBootDevice> Devices { get; } = [SimulatedBootDevice.Random(), SimulatedBootDevice.Random(), SimulatedBootDevice.Random("switch")];

    public static byte[] Policy { get; } = SHA384.HashData("what the gate expects"u8);

    public static byte[] Model { get; } = SHA384.HashData("a model"u8);

    public static byte[] Workload { get; } = SHA384.HashData("a compose file"u8);

    public static SimulatedBootPlan Plan { get; } = new() { Devices = Devices, Policy = Policy, Model = Model, Workload = Workload };

    public static GateRequirement Gate { get; } = new()
    {
        Phase = BootPhase.Run,
        Register = 3,
        Policies = [new Digest(Policy)],
        Outcome = GateOutcome.Attested,
        Devices = [.. Devices.Select(device => new Digest(device.Id.Span))],
        Model = new Digest(Model),
        Workload = new Digest(Workload),
    };

    public static BootExpectations Expected { get; } = new() { RequireSecureBoot = true, Gate = Gate };

    public static QuotedRegisters Rtmrs(SimulatedBoot boot) => QuotedRegisters.OfRtmrs([.. boot.Rtmrs.Select(value => new Digest(value.Span))]);

    public static QuotedRegisters Pcrs(SimulatedBoot boot, bool isInTee) =>
        QuotedRegisters.OfPcrs(TcgHash.Sha256, boot.Pcrs.Index().ToImmutableSortedDictionary(item => item.Index, item => new Digest(item.Item.Span)), isInTee);

    public static EventLog Read(byte[] log)
    {
        Assert.True(EventLog.TryParse(log, out var read, out var fault), fault?.ToString());
        return read;
    }

    public static BootResult Judge(SimulatedBootPlan plan, BootExpectations? expected = null)
    {
        var boot = SimulatedBoot.Create(plan);
        return BootAppraisal.Appraise(boot.JsonLog(), Rtmrs(boot), expected ?? Expected);
    }

    public static string Failed(BootResult result) => string.Join(' ', result.Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));

    public static Finding Of(BootResult result, string id) => result.Findings.Single(finding => finding.Id == id);
}
