using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Log;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;

namespace Assay.Benchmarks;

/// <summary>
/// A transparency log in SQLite, durable, filled by callers that share its transactions: whether an append costs the same at the end as at the beginning, how many
/// hashes a proof has and reads, and what verifying the whole log costs beside the bare SHA-256 of its bytes.
/// </summary>
/// <param name="Entries">How many.</param>
/// <param name="Parts">Processor time of an append in each tenth, microseconds.</param>
/// <param name="Commits">Transactions.</param>
/// <param name="ProofHashes">Of the longest of the proofs.</param>
/// <param name="VerifiedPerSecond">Entries that the verification of the whole log reads and hashes, by processor time.</param>
/// <param name="Ratio">Processor time of that to bare SHA-256 of the same bytes.</param>
internal sealed record LogLoad(int Entries, double[] Parts, long Commits, int ProofHashes, double VerifiedPerSecond, double Ratio)
{
    private const int Parallel = 4096;

    public static async Task<LogLoad> RunAsync(int entries)
    {
        var folder = Directory.CreateTempSubdirectory("assay-bench-log-").FullName;
        try
        {
            KeyEncryptionKey.Create(Path.Combine(folder, "kek"));
            using var kek = KeyEncryptionKey.Read(Path.Combine(folder, "kek"));
            var database = ServiceDatabase.Of(Path.Combine(folder, "log.db"));
            await using (database.ConfigureAwait(false))
            {
                await database.PrepareAsync([], CancellationToken.None).ConfigureAwait(false);
                return await FillAsync(database, kek, entries).ConfigureAwait(false);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"a log of {Entries} entries, {Commits} transactions\n");
        text.Append(CultureInfo.InvariantCulture, $"  append, CPU us, in each tenth    {string.Join(' ', Parts.Select(part => part.ToString("F1", CultureInfo.InvariantCulture)))}\n");
        text.Append(CultureInfo.InvariantCulture, $"  last tenth to first              {Parts[^1] / Parts[0]:F2}\n");
        text.Append(CultureInfo.InvariantCulture, $"  hashes of a proof, at most       {ProofHashes}, found in at most {Tiles(Entries)} tiles of 256\n");
        text.Append(CultureInfo.InvariantCulture, $"  verifying all, entries/s of CPU  {VerifiedPerSecond:F0}, {Ratio:F2} x bare SHA-256 of the same bytes");
        return text.ToString();
    }

    private static async Task<LogLoad> FillAsync(ServiceDatabase database, KeyEncryptionKey kek, int entries)
    {
        TransparencyLogTerms terms = new() { Origin = "bench.example/log" };
        var log = new TransparencyLog(database, kek, terms, TimeProvider.System);
        await using (log.ConfigureAwait(false))
        {
            await log.PrepareAsync(CancellationToken.None).ConfigureAwait(false);
            var (parts, size) = (new double[10], 0);
            for (var part = 0; part < parts.Length; part++)
            {
                var begun = Cpu();
                for (var done = 0; done < entries / parts.Length; done += Parallel)
                {
                    var first = done;
                    var receipts = await Task.WhenAll(Enumerable.Range(0, Math.Min(Parallel, (entries / parts.Length) - done)).Select(at => log.AppendAsync(_ => Task.FromResult(Entry(first + at)), CancellationToken.None))).ConfigureAwait(false);
                    size = receipts[0].Entry.Length;
                }

                parts[part] = (Cpu() - begun) * 1000 / (entries / parts.Length);
                await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"assay bench: {(part + 1) * entries / parts.Length} entries, {parts[part]:F1} us of CPU each")).ConfigureAwait(false);
            }

            var proofs = 0;
            foreach (var position in (long[])[0, entries / 3, entries / 2, entries - 1])
            {
                proofs = Math.Max(proofs, (await log.ProveAsync(position, checkpoint: null, CancellationToken.None).ConfigureAwait(false))!.Value.Proof.Path.Length);
            }

            var (perSecond, ratio) = await VerifyAsync(database, kek, terms, entries, size).ConfigureAwait(false);
            return new LogLoad(entries, parts, log.Commits, proofs, perSecond, ratio);
        }
    }

    // What a process does when it starts: every entry is read, and the tree is computed anew.
    private static async Task<(double PerSecond, double Ratio)> VerifyAsync(ServiceDatabase database, KeyEncryptionKey kek, TransparencyLogTerms terms, int entries, int size)
    {
        var begun = Cpu();
        var again = new TransparencyLog(database, kek, terms, TimeProvider.System);
        await using (again.ConfigureAwait(false))
        {
            await again.PrepareAsync(CancellationToken.None).ConfigureAwait(false);
        }

        var whole = Cpu() - begun;
        var (entry, node, hash) = (new byte[1 + size], new byte[1 + (2 * Merkle.HashSize)], new byte[Merkle.HashSize]);
        begun = Cpu();
        for (var at = 0; at < entries; at++)
        {
            SHA256.HashData(entry, hash);
            SHA256.HashData(node, hash);
        }

        return (entries * 1000 / whole, whole / (Cpu() - begun));
    }

    private static LogDecision Entry(int number) => new(
        new AuditEvent("key.release", "bench", "machine", AuditOutcome.Allowed).With("key", "weights").With("version", 1).With("policyDigest", Convert.ToHexStringLower(SHA384.HashData(BitConverter.GetBytes(number)))).With("binding", "boot-event").With("request", "0123456789abcdef0123456789abcdef"), "");

    private static int Tiles(long size) => (int)Math.Ceiling(Math.Log2(Math.Max(size, 2)) / 8);

    private static double Cpu() => Process.GetCurrentProcess().TotalProcessorTime.TotalMilliseconds;
}
