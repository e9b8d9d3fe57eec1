using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Boot;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Benchmarks;

/// <summary>
/// Ratios to the raw cost: each round measures bare ECDSA P-384 verifications with an imported key (for processors those of their own
/// kind), then the work, in process CPU time,
/// so that a noisy machine disturbs both alike: the two alternate every few milliseconds, and the median of the pairs' ratios counts. Where the
/// work runs on several threads, so do the bare verifications.
/// </summary>
internal static class Suite
{
    private const int Pairs = 60;

    private static readonly (string Name, Func<IEnumerable<Row>> Rows)[] s_subjects =
    [
        ("devices", () => Devices(World.OfGpus(9))),
        ("processors", () => CpuRows.Rows().Concat(Logs())),
        ("machines", () => Machine(World.OfMachines(2)).Concat(CompositeRows.Rows())),
        ("bundles", BundleRows.Rows),
        ("simulator", () => [Simulator()]),
        ("policies", RegoRows.All),
        ("sealing", SealingRows.Rows),
        ("process", WholeProcess.Rows),
        ("guest", GuestRows.Rows),
        ("channels", ChannelRows.Rows),
    ];

    public static int Run(string[] arguments)
    {
        var subject = arguments is [{ } first, ..] && !first.StartsWith('-') ? first : null;
        var json = arguments[(subject is null ? 0 : 1)..] is ["--format", "json"];
        if ((!json && arguments[(subject is null ? 0 : 1)..] is not ([] or ["--format", "text"])) || (subject is not null && s_subjects.All(known => known.Name != subject)))
        {
            Console.Error.WriteLine($"usage: assay bench [{string.Join('|', s_subjects.Select(known => known.Name))}] [--format text|json]\n       assay bench collateral [--seconds 1..60] [--format text|json]\n       assay bench serve [--database sqlite|postgresql] [--appraisals 20..2000] [--format text|json]\n       assay bench broker [--database sqlite|postgresql] [--releases 0|20..2000] [--entries 0|10000..10000000] [--format text|json]");
            return 2;
        }

        Row[] rows = [.. s_subjects.Where(known => subject is null || known.Name == subject).SelectMany(known => known.Rows())];
        Console.Out.WriteLine(json ? Json(rows) : Table(rows));
        return 0;
    }

    private static IEnumerable<Row> Devices(World world) => One(world).Concat(Eight(world));

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

    // Against as many bare SHA-384 calls over a register and a digest as the log has events.
    private static IEnumerable<Row> Logs()
    {
        const int many = 1000;
        var device = SimulatedBootDevice.Random();
        var boot = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [device], Policy = new byte[48], OnDstack = true });
        var json = boot.JsonLog();
        _ = EventLog.TryParse(json, out var log, out _);
        var quoted = QuotedRegisters.OfRtmrs([.. boot.Rtmrs.Select(value => new Digest(value.Span))]);
        var expected = new BootExpectations
        {
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = 3, Policies = [new Digest(new byte[48])], Outcome = GateOutcome.Attested, Devices = [new Digest(device.Id.Span)] },
        };
        var events = log!.Events.Length;
        yield return Against("log replay: 21 events into RTMR0 to RTMR3", 1.5, () => log.Replay(TcgHash.Sha384));
        yield return Against("log read from JSON, replayed and appraised", null, () =>
        {
            if (!BootAppraisal.Appraise(json, quoted, expected).CarriesBootEvent)
            {
                throw new InvalidOperationException("the benchmark's own boot was refused");
            }
        });

        Row Against(string name, double? target, Action work)
        {
            var (input, output) = (new byte[2 * SHA384.HashSizeInBytes], new byte[SHA384.HashSizeInBytes]);
            var pairs = Pair(() => Times(many * events, () => SHA384.HashData(input, output)), () => new VerifierCache(), _ => Times(many, work));
            var milliseconds = Median(pairs.Select(pair => pair.Work.CpuMilliseconds)) / many;
            return new Row(
                name, 0, 0, milliseconds, Median(pairs.Select(pair => pair.Work.WallMilliseconds)) / many,
                Median(pairs.Select(pair => pair.Work.CpuMilliseconds / pair.Bare.CpuMilliseconds)), Median(pairs.Select(pair => pair.Work.AllocatedKilobytes)) / many, target, "x SHA-384");
        }

        static void Times(int count, Action work)
        {
            for (var time = 0; time < count; time++)
            {
                work();
            }
        }
    }

    // Topology is asked too, so the devices are always those of one machine.
    private static IEnumerable<Row> Machine(World world)
    {
        var (machine, other) = (world.Evidence[..12], world.Evidence[12..]);
        yield return Measure("cold: 8 GPUs and 4 switches", 12, 1.35, () => new VerifierCache(), cache => world.Verify(machine, world.Skipping, cache));
        yield return Measure("cold with OCSP: 8 GPUs and 4 switches", 12, 1.35, () => new VerifierCache(), cache => world.Verify(machine, world.WithOcsp, cache));
        yield return Measure("warm: another machine's 8 GPUs and 4 switches", 12, 1.25, () => Warm(world, other), cache => world.Verify(machine, world.Skipping, cache));
        yield return Measure("the same machine again", 12, null, () => Warm(world, machine), cache => world.Verify(machine, world.Skipping, cache));
    }

    // Load tests need fuel: reports signed one after the other by one device, each for a nonce of its own.
    private static Row Simulator()
    {
        const int many = 20;
        using var authority = SimulatedAuthority.Create(EvaluationTime.ReleaseDate);
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Hopper580);
        var costs = new Cost[Pairs];
        for (var index = 0; index < Pairs; index++)
        {
            costs[index] = Cost.Of(() =>
            {
                for (var time = 0; time < many; time++)
                {
                    _ = device.Report(RandomNumberGenerator.GetBytes(Nonce.Size));
                }
            });
        }

        var wall = Median(costs.Select(cost => cost.WallMilliseconds)) / many;
        return new Row("simulator: one signed report", 0, 0, Median(costs.Select(cost => cost.CpuMilliseconds)) / many, wall, 1000 / wall, costs[^1].AllocatedKilobytes / many, 200, "/s") { IsFloor = true };
    }

    private static VerifierCache Warm(World world, Assay.Evidence.Files.DeviceEvidence[] seen)
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
        var pairs = Pair(() => raw.Verify(verifications, devices), prepare, work);
        return new Row(
            name, verifications, imports,
            Median(pairs.Select(pair => pair.Work.CpuMilliseconds)),
            Median(pairs.Select(pair => pair.Work.WallMilliseconds)),
            Median(pairs.Select(pair => pair.Work.CpuMilliseconds / pair.Bare.CpuMilliseconds)),
            Median(pairs.Select(pair => pair.Work.AllocatedKilobytes)),
            target);
    }

    internal static (Cost Work, Cost Bare)[] Pair<T>(Action bare, Func<T> prepare, Action<T> work)
    {
        // Until the compiler has come to rest: it recompiles what runs often, on a thread of its own, and that is CPU time too.
        for (var round = 0; round < 4; round++)
        {
            for (var time = 0; time < 40; time++)
            {
                work(prepare());
            }

            Thread.Sleep(300);
        }

        var pairs = new (Cost Work, Cost Bare)[Pairs];
        for (var index = 0; index < Pairs; index++)
        {
            var cache = prepare();
            pairs[index] = (Cost.Of(() => work(cache)), Cost.Of(bare));
        }

        return pairs;
    }

    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    // Everything is cached but the report's own signature, whose bare cost is taken off: what is left is parsing, matching and findings.
    private static Row BesidesCrypto(World world, Assay.Evidence.Files.DeviceEvidence[] first)
    {
        const int many = 10;
        var cache = Warm(world, first);
        var raw = new RawVerification();
        var pairs = Pair(
            () => raw.Verify(many, devices: 1),
            () => cache,
            warm =>
            {
                for (var time = 0; time < many; time++)
                {
                    world.Verify(first, world.Skipping, warm);
                }
            });
        var milliseconds = Median(pairs.Select(pair => pair.Work.CpuMilliseconds - pair.Bare.CpuMilliseconds)) / many;
        return new Row("parsing and appraisal without crypto, per GPU", 0, 0, milliseconds, milliseconds, milliseconds, pairs[0].Work.AllocatedKilobytes / many, 0.3, "ms");
    }

    private static string Table(Row[] rows)
    {
        var text = new System.Text.StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"",-52}{"verify",7}{"import",7}{"CPU ms",9}{"wall ms",9}{"kB",9}{"result",18}{"to reach",18}");
        foreach (var row in rows)
        {
            var target = row.Target is { } bound ? $"{(row.IsFloor ? ">=" : "<=")} {bound.ToString(CultureInfo.InvariantCulture)} {row.Unit}" : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"{row.Name,-52}{row.Verifications,7}{row.Imports,7}{row.Cpu,9:F2}{row.Wall,9:F2}{row.Kilobytes,9:F0}{$"{row.Ratio.ToString("F2", CultureInfo.InvariantCulture)} {row.Unit}",18}{target,18}");
        }

        return text.ToString().TrimEnd();
    }

    private static string Json(Row[] rows) => JsonSerializer.Serialize(rows, s_json);

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
}
