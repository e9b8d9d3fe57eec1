using System.Diagnostics;

namespace Assay.Benchmarks;

/// <summary>Process CPU time, wall time and allocations of some work.</summary>
internal readonly record struct Cost(double CpuMilliseconds, double WallMilliseconds, double AllocatedKilobytes)
{
    public static Cost Of(Action work)
    {
        // Not Process.TotalProcessorTime, which counts in steps of 10 ms on Linux.
        var cpu = Environment.CpuUsage.TotalTime;
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var watch = Stopwatch.StartNew();
        work();
        watch.Stop();
        return new Cost(
            (Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds,
            watch.Elapsed.TotalMilliseconds,
            (GC.GetTotalAllocatedBytes(precise: true) - allocated) / 1024.0);
    }
}

/// <summary>One line of the table.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Verifications">Signature verifications in it.</param>
/// <param name="Imports">Public keys imported in it.</param>
/// <param name="Cpu">Process CPU time, milliseconds, median.</param>
/// <param name="Wall">Wall time, milliseconds, median.</param>
/// <param name="Ratio">CPU time divided by that of the same number of bare verifications measured right after it, median.</param>
/// <param name="Kilobytes">Allocated.</param>
/// <param name="Target">The bound for the ratio (or as <paramref name="Unit"/> says); null without one.</param>
/// <param name="Unit">What the ratio is.</param>
internal sealed record Row(string Name, long Verifications, long Imports, double Cpu, double Wall, double Ratio, double Kilobytes, double? Target, string Unit = "x raw")
{
    /// <summary>Whether the target is the least that is to be reached, where others are the most.</summary>
    public bool IsFloor { get; init; }
}
