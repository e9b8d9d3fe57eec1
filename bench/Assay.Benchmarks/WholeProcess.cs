using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Assay.Benchmarks;

/// <summary>
/// The published command verifying the recorded Hopper, start-up included, against what cannot be saved: a start that does nothing
/// (<c>assay version</c>) and the bare signatures. The three alternate, and the fastest round of each counts: whatever else runs on the
/// machine can only make a process slower. Left out unless eng/publish was run and recorded evidence is there.
/// </summary>
internal static class WholeProcess
{
    private const int Rounds = 100;

    // Held by a test over the binary: 10 signatures of chains and RIMs, and the report's.
    private const int Verifications = 11;
    private const int Imports = 9;

    private const double StartsAllowed = 2.5;
    private const double RawAllowed = 1.5;

    public static IEnumerable<Row> Rows()
    {
        var root = Root();
        var published = Path.Combine(root, "artifacts", RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? "linux-arm64" : "linux-x64", "assay");
        string?[] candidates = [Environment.GetEnvironmentVariable("ASSAY_VECTORS"), Path.Combine(root, "vectors", "recorded")];
        var recorded = candidates.OfType<string>().Select(folder => Path.Combine(folder, "nvidia")).FirstOrDefault(Directory.Exists);
        if (!File.Exists(published) || recorded is null)
        {
            Console.Error.WriteLine($"assay bench: {(recorded is null ? "no recorded evidence (docs/development/vectors.md)" : "no published command (./eng/publish makes it)")}, its rows are left out");
            return [];
        }

        return Measure(
            published,
            [
                "verify", "--evidence", Path.Combine(recorded, "gpu", "hopper_545.00_full_offline", "evidence_derived.json"), "--rim-store", Path.Combine(recorded, "rims", "fsstore_545.00"),
                "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z",
            ]);
    }

    private static IEnumerable<Row> Measure(string program, string[] verify)
    {
        var raw = new RawVerification();
        raw.Verify(100, devices: 1);
        var rounds = Enumerable.Range(0, Rounds).Select(_ => (Start: Time(program, ["version"]), Verify: Time(program, verify), Raw: Cost.Of(() => raw.Verify(Verifications, devices: 1)).WallMilliseconds)).ToArray();
        var (start, whole, bare) = (rounds.Min(round => round.Start), rounds.Min(round => round.Verify), rounds.Min(round => round.Raw));
        yield return new Row("published command: size of the file", 0, 0, 0, 0, new FileInfo(program).Length / 1e6, 0, null, "MB");
        yield return new Row("published command: assay version", 0, 0, start, start, start, 0, null, "ms");
        yield return new Row($"published command: {Verifications} bare verifications", Verifications, 0, bare, bare, bare, 0, null, "ms");
        yield return new Row(
            "published command: verifies the recorded Hopper", Verifications, Imports, whole, whole,
            whole / ((StartsAllowed * start) + (RawAllowed * bare)), 0, 1, "x bound");
    }

    internal static double Time(string program, string[] arguments)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        process.WaitForExit();
        var elapsed = watch.Elapsed.TotalMilliseconds;
        return process.ExitCode == 0 ? elapsed : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {output.Result}");
    }

    internal static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Assay.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("Assay.slnx was not found above the benchmark");
    }
}
