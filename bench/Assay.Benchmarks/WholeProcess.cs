using System.Diagnostics;

namespace Assay.Benchmarks;

/// <summary>
/// The published command (ReadyToRun, trimmed, single file) verifying the switch that ships in vectors/: start-up included.
/// Absent, unless eng/publish was run.
/// </summary>
internal static class WholeProcess
{
    private const int Runs = 15;

    public static IEnumerable<Row> Rows()
    {
        var root = Root();
        var published = Path.Combine(root, "artifacts", "assay", "assay");
        if (!File.Exists(published))
        {
            Console.Error.WriteLine("assay bench: no published command (./eng/publish makes it), its row is left out");
            yield break;
        }

        var set = Path.Combine(root, "vectors", "simulated", "ls10");
        string[] arguments =
        [
            "verify", "--evidence", Path.Combine(set, "switch_evidence.json"), "--anchors", Path.Combine(set, "anchors.json"),
            "--rim-store", Path.Combine(set, "rims"), "--ocsp-store", Path.Combine(set, "ocsp"), "--at", "2026-11-22T12:00:00Z", "--format", "json",
        ];
        var times = Enumerable.Range(0, Runs).Select(_ => Time(published, arguments)).ToArray();
        var quietest = times.Min();
        yield return new Row("whole process: published command, one switch with OCSP", 0, 0, quietest, quietest, quietest / 1000, 0, 0.2, "s");
    }

    private static double Time(string program, string[] arguments)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        process.WaitForExit();
        _ = output.Result;
        return process.ExitCode == 0 ? watch.Elapsed.TotalMilliseconds : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {output.Result}");
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Assay.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("Assay.slnx was not found above the benchmark");
    }
}
