using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Trust;

namespace Assay.Benchmarks;

/// <summary>
/// Ratios to the raw cost: each round measures bare ECDSA P-384 verifications with an imported key, then the work, in process CPU time,
/// so that a noisy machine disturbs both alike. Where the work runs on several threads, so do the bare verifications. The median of the
/// rounds' ratios counts.
/// </summary>
internal static class Suite
{
    private const int Rounds = 9;
    private const int Repeats = 12;

    public static int Run(string[] arguments)
    {
        var json = arguments is ["--format", "json"];
        if (!json && arguments is not ([] or ["--format", "text"]))
        {
            Console.Error.WriteLine("usage: assay bench [--format text|json]");
            return 2;
        }

        var world = new World(gpus: 9);
        Row[] rows =
        [
            .. One(world),
            .. Eight(world),
            .. WholeProcess.Rows(),
        ];
        Console.Out.WriteLine(json ? Json(rows) : Table(rows));
        return 0;
    }

    private static IEnumerable<Row> One(World world)
    {
        var first = world.Evidence[..1];
        yield return Measure("cold: one GPU, nothing cached, revocation skipped", 1, 1.35, () => new VerifierCache(), cache => world.Verify(first, world.Skipping, cache));
        yield return Measure("cold with OCSP", 1, 1.35, () => new VerifierCache(), cache => world.Verify(first, world.WithOcsp, cache));
        yield return Measure("warm: another GPU, RIMs and intermediates cached", 1, 1.25, () => Warm(world, world.Evidence[8..9]), cache => world.Verify(first, world.Skipping, cache));
        yield return Measure("the same GPU again", 1, null, () => Warm(world, first), cache => world.Verify(first, world.Skipping, cache));
        yield return BesidesCrypto(world, first);
    }

    private static IEnumerable<Row> Eight(World world)
    {
        var eight = world.Evidence[..8];
        yield return Measure("cold: 8 GPUs", 8, 1.35, () => new VerifierCache(), cache => world.Verify(eight, world.Skipping, cache));
        yield return Measure("cold with OCSP: 8 GPUs", 8, 1.35, () => new VerifierCache(), cache => world.Verify(eight, world.WithOcsp, cache));
        yield return Measure("warm: 8 other GPUs", 8, 1.25, () => Warm(world, world.Evidence[8..9]), cache => world.Verify(eight, world.Skipping, cache));
    }

    private static VerifierCache Warm(World world, Evidence.DeviceEvidence[] seen)
    {
        var cache = new VerifierCache();
        world.Verify(seen, world.Skipping, cache);
        return cache;
    }

    private static Row Measure(string name, int devices, double? target, Func<VerifierCache> prepare, Action<VerifierCache> work)
    {
        var counted = prepare();
        var (verificationsBefore, importsBefore) = (counted.Meter.SignatureVerifications, counted.Meter.KeyImports);
        work(counted);
        var verifications = counted.Meter.SignatureVerifications - verificationsBefore;
        var imports = counted.Meter.KeyImports - importsBefore;
        var raw = new RawVerification();
        var rounds = Enumerable.Range(0, Rounds).Select(_ =>
        {
            var caches = new Queue<VerifierCache>(Enumerable.Range(0, Repeats).Select(_ => prepare()));
            var bare = Cost.Of(Repeats, () => raw.Verify(verifications, devices));
            var cost = Cost.Of(Repeats, () => work(caches.Dequeue()));
            return (cost, Ratio: cost.CpuMilliseconds / bare.CpuMilliseconds);
        }).ToArray();
        return new Row(
            name, verifications, imports,
            Median(rounds.Select(round => round.cost.CpuMilliseconds)),
            Median(rounds.Select(round => round.cost.WallMilliseconds)),
            Median(rounds.Select(round => round.Ratio)),
            Median(rounds.Select(round => round.cost.AllocatedKilobytes)),
            target);
    }

    // Everything is cached but the report's own signature, whose bare cost is taken off: what is left is parsing, matching and findings.
    private static Row BesidesCrypto(World world, Evidence.DeviceEvidence[] first)
    {
        const int many = 60;
        var cache = Warm(world, first);
        var raw = new RawVerification();
        var rounds = Enumerable.Range(0, Rounds).Select(_ =>
        {
            var bare = Cost.Of(many, () => raw.Verify(1, devices: 1));
            var cost = Cost.Of(many, () => world.Verify(first, world.Skipping, cache));
            return (Milliseconds: cost.CpuMilliseconds - bare.CpuMilliseconds, cost.AllocatedKilobytes);
        }).ToArray();
        var milliseconds = Median(rounds.Select(round => round.Milliseconds));
        return new Row("parsing and appraisal without crypto, per GPU", 0, 0, milliseconds, milliseconds, milliseconds, Median(rounds.Select(round => round.AllocatedKilobytes)), 0.3, "ms");
    }

    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static string Table(Row[] rows)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"",-52}{"verify",7}{"import",7}{"CPU ms",9}{"wall ms",9}{"kB",8}{"result",12}{"to reach",12}");
        foreach (var row in rows)
        {
            var target = row.Target is { } bound ? $"<= {bound.ToString(CultureInfo.InvariantCulture)} {row.Unit}" : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"{row.Name,-52}{row.Verifications,7}{row.Imports,7}{row.Cpu,9:F2}{row.Wall,9:F2}{row.Kilobytes,8:F0}{$"{row.Ratio.ToString("F2", CultureInfo.InvariantCulture)} {row.Unit}",12}{target,14}");
        }

        return text.ToString().TrimEnd();
    }

    private static string Json(Row[] rows) => JsonSerializer.Serialize(rows, s_json);

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>The raw cost: a key imported once, a signature verified again and again.</summary>
    private sealed class RawVerification
    {
        private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        private readonly byte[] _content = RandomNumberGenerator.GetBytes(4096);
        private readonly byte[] _signature;

        public RawVerification() => _signature = _key.SignData(_content, HashAlgorithmName.SHA384);

        public void Verify(long times, int devices)
        {
            if (devices == 1)
            {
                for (var time = 0L; time < times; time++)
                {
                    VerifyOnce();
                }
            }
            else
            {
                Parallel.For(0L, times, _ => VerifyOnce());
            }
        }

        private void VerifyOnce()
        {
            if (!_key.VerifyData(_content, _signature, HashAlgorithmName.SHA384))
            {
                throw new CryptographicException("the benchmark's own signature does not verify");
            }
        }
    }
}
