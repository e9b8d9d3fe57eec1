using System.Diagnostics;

namespace Assay.Benchmarks;

/// <summary>Process CPU time, wall time and allocations of some rounds of work.</summary>
internal readonly record struct Cost(double CpuMilliseconds, double WallMilliseconds, double AllocatedKilobytes)
{
    public static Cost Of(int rounds, Action work)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var process = Process.GetCurrentProcess();
        var cpu = process.TotalProcessorTime;
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var watch = Stopwatch.StartNew();
        for (var round = 0; round < rounds; round++)
        {
            work();
        }

        watch.Stop();
        process.Refresh();
        return new Cost(
            (process.TotalProcessorTime - cpu).TotalMilliseconds / rounds,
            watch.Elapsed.TotalMilliseconds / rounds,
            (GC.GetTotalAllocatedBytes(precise: true) - allocated) / 1024.0 / rounds);
    }
}

/// <summary>One line of the table.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Verifications">ECDSA P-384 verifications in it.</param>
/// <param name="Imports">Public keys imported in it.</param>
/// <param name="Cpu">Process CPU time, milliseconds, median of rounds.</param>
/// <param name="Wall">Wall time, milliseconds, median of rounds.</param>
/// <param name="Ratio">CPU time divided by that of the same number of bare verifications in the same round, median of rounds.</param>
/// <param name="Kilobytes">Allocated.</param>
/// <param name="Target">The bound for the ratio (or as <paramref name="Unit"/> says); null without one.</param>
/// <param name="Unit">What the ratio is.</param>
internal sealed record Row(string Name, long Verifications, long Imports, double Cpu, double Wall, double Ratio, double Kilobytes, double? Target, string Unit = "x raw");
