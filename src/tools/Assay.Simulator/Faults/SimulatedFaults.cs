using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>Every fault that the simulator can build in: a list to read.</summary>
public static class SimulatedFaults
{
    /// <summary>In the order in which a verifier would notice them.</summary>
    public static ImmutableArray<SimulatedFault> All { get; } = [.. DeviceFaults.All, .. RimFaults.All, .. MachineFaults.All];

    /// <summary>The fault of that name; null when there is none.</summary>
    public static SimulatedFault? Find(string name) =>
        name == SimulatedFault.None.Name ? SimulatedFault.None : All.FirstOrDefault(fault => fault.Name == name);
}
