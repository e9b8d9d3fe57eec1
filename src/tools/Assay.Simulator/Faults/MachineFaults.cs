using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>What can be wrong with devices that pretend to be one machine. Every single one of them is genuine.</summary>
internal static class MachineFaults
{
    private const string Distinct = "set.devices.distinct";
    private const string Gpus = "topology.gpus.match";
    private const string Switches = "topology.switches.match";

    public static ImmutableArray<SimulatedFault> All { get; } =
    [
        new() { Name = "replayed-switch", Summary = "one switch's report is repeated for every switch", NeedsMachine = true, Findings = [Distinct, Switches], Machine = (evidence, world, _) => [.. evidence.Take(CountGpus(world)), .. Enumerable.Repeat(evidence[CountGpus(world)], world.Devices.Length - CountGpus(world))] },
        new() { Name = "gpu-twice", Summary = "one GPU answers twice, with different bytes", NeedsMachine = true, Findings = [Distinct], Machine = (evidence, world, nonce) => [.. evidence, world.Devices[0].Evidence(nonce.Span)] },
        new() { Name = "missing-switch", Summary = "a switch that the GPUs name gave no evidence", NeedsMachine = true, Findings = [Switches], Machine = (evidence, _, _) => evidence[..^1] },
        new() { Name = "missing-gpu", Summary = "a GPU that the switches name gave no evidence", NeedsMachine = true, Findings = [Gpus], Machine = (evidence, _, _) => evidence[1..] },
        new() { Name = "foreign-switch", Summary = "a switch of another machine replaces one of this machine (its PDI is not the one named)", NeedsMachine = true, Findings = [Gpus, Switches], Machine = WithForeignSwitch },
        new() { Name = "two-moments", Summary = "one GPU answers another challenge than the rest", NeedsMachine = true, Findings = ["report.nonce.match"], Machine = (evidence, world, nonce) => [world.Devices[0].Evidence(SHA256.HashData(nonce.Span)), .. evidence[1..]] },
        new() { Name = "mixed-modes", Summary = "one GPU is in another mode than the rest", NeedsMachine = true, Findings = ["set.mode.same"], Profile = (profile, _, _) => profile with { Mode = profile.Mode is GpuMode.SinglePassthrough ? GpuMode.MultiPassthrough : GpuMode.SinglePassthrough }, WhyNot = profile => profile.Mode is null ? "devices of this firmware do not tell their mode" : null },
    ];

    private static int CountGpus(SimulatedWorld world) => world.Devices.Count(device => device.Profile.Family is not DeviceFamily.Ls10);

    private static ImmutableArray<SimulatedEvidence> WithForeignSwitch(ImmutableArray<SimulatedEvidence> evidence, SimulatedWorld world, ReadOnlyMemory<byte> nonce)
    {
        using var other = world.OtherMachine();
        return [.. evidence[..^1], other.Switches[0].Evidence(nonce.Span)];
    }
}
