using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Client.Guest;
using Assay.Service.Storage;
using Assay.Simulator;
using Assay.Tests.Service;
using Dapper;

namespace Assay.Benchmarks;

/// <summary>What is asked of a server under load.</summary>
internal abstract record ServedScenario
{
    /// <summary>The head of the table.</summary>
    public required string Title { get; init; }

    /// <summary>The ratio to reach.</summary>
    public required double Target { get; init; }

    /// <summary>Where each request goes.</summary>
    public required string Path { get; init; }

    /// <summary>What its challenge is for.</summary>
    public required string Purpose { get; init; }

    /// <summary>What its credential may do.</summary>
    public required string[] Scopes { get; init; }

    /// <summary>The body of a request.</summary>
    public abstract string Body(Answered answered);

    /// <summary>What the bare work of one request costs, with so many signature verifications.</summary>
    public abstract double RawMilliseconds(double verifications);

    /// <summary>Changes the configuration of a server.</summary>
    public virtual void Configure(JsonObject configuration)
    {
    }

    /// <summary>Makes what requests need, once a server serves.</summary>
    public virtual Task PrepareAsync(ServedProcess server, string key, JsonNode expect) => Task.CompletedTask;

    /// <summary>Milliseconds of processor time of one, when many run on all processors, as under load.</summary>
    protected static double MillisecondsOf(int many, Action work) => Suite.Median(Enumerable.Range(0, 7).Select(_ => Cost.Of(work).CpuMilliseconds)) / many;

    /// <summary>The counted verifications: the quote's own signature on P-256, the others on P-384.</summary>
    protected static double VerificationMilliseconds(double verifications)
    {
        const int many = 400;
        // TDX: the quoting enclave's report and the certificates verified before.
        const int quotes = 1;
        var (p384, p256) = (new RawVerification(), new RawVerification(ECCurve.NamedCurves.nistP256, HashAlgorithmName.SHA256));
        return ((verifications - quotes) * MillisecondsOf(many, () => p384.Verify(many, ServedLoad.Gpus))) + (quotes * MillisecondsOf(many, () => p256.Verify(many, ServedLoad.Gpus)));
    }
}

/// <summary>A challenge and evidence that answers it.</summary>
internal sealed record Answered(string Id, string Nonce, string Evidence);

/// <summary>What a load came to.</summary>
internal sealed record ServedResult(string Name, double PerSecond, double Cpu, double Raw, double Verifications, double Commands, double P50, double P99, double Resident)
{
    public double Ratio => Cpu / Raw;
}

/// <summary>
/// A machine of 8 GPUs and 4 switches before a server, over HTTP, by <c>wrk</c> on loopback: the server's processor time as a ratio of the bare work, measured in
/// the same run. Each piece of evidence answers a challenge of its own; evidence is made before, and its challenges are put into the database again for every load.
/// </summary>
internal sealed class ServedLoad(ServedScenario scenario)
{
    public const int Gpus = 8;

    private const int Switches = 4;
    private const int Connections = 8;
    private const string Audience = "https://bench.example";
    private const string Tenant = "bench";

    /// <summary>Whether <c>wrk</c> is there; says so where it is not.</summary>
    public static async Task<bool> IsPossibleAsync()
    {
        if (!Wrk.IsInstalled)
        {
            await Console.Error.WriteLineAsync("assay bench: wrk is needed (apt-get install wrk)").ConfigureAwait(false);
        }

        return Wrk.IsInstalled;
    }

    /// <summary>All loads.</summary>
    /// <param name="database"><c>sqlite</c>, <c>postgresql</c>, or empty for both.</param>
    /// <param name="count">How many requests a load has.</param>
    public async Task<List<ServedResult>> RunAsync(string database, int count)
    {
        var folder = Directory.CreateTempSubdirectory("assay-bench-serve-").FullName;
        try
        {
            return await MeasureAsync(folder, database, count).ConfigureAwait(false);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>For people.</summary>
    public string Table(List<ServedResult> results)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{scenario.Title,-36}{"/s",8}{"CPU ms",9}{"raw ms",9}{"ratio",8}{"to reach",10}{"verified",10}{"commands",10}{"p50 ms",9}{"p99 ms",9}{"RSS MB",9}\n");
        foreach (var row in results)
        {
            var isLoad = !double.IsNaN(row.Raw);
            string Load(double value, string format) => isLoad ? value.ToString(format, CultureInfo.InvariantCulture) : "";
            text.Append(CultureInfo.InvariantCulture, $"{row.Name,-36}{Load(row.PerSecond, "F1"),8}{row.Cpu,9:F2}{Load(row.Raw, "F2"),9}{Load(row.Ratio, "F2"),8}{Load(scenario.Target, "<= 0.##"),10}{Load(row.Verifications, "F1"),10}{Load(row.Commands, "F1"),10}{row.P50,9:F1}{Load(row.P99, "F1"),9}{row.Resident,9:F0}\n");
        }

        return text.ToString().TrimEnd('\n');
    }

    private async Task<List<ServedResult>> MeasureAsync(string folder, string database, int count)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        var (guest, whyNot) = await CheckoutProgram.Guest.BuildAsync(CancellationToken.None).ConfigureAwait(false);
        var vm = await DemoVm.StartAsync(guest ?? throw new InvalidOperationException(whyNot), authority, SimulatedIntel.Create(now), now, CancellationToken.None, Gpus, Switches).ConfigureAwait(false);
        await using (vm.ConfigureAwait(false))
        {
            if (await vm.BootAsync(CancellationToken.None).ConfigureAwait(false) is { } closed)
            {
                throw new InvalidOperationException(closed);
            }

            var challenges = await ChallengesAsync(vm, count).ConfigureAwait(false);
            await WriteFilesAsync(folder, vm, challenges[0].Evidence).ConfigureAwait(false);
            var results = new List<ServedResult>();
            if (database is not "postgresql")
            {
                await OnSqliteAsync(folder, vm, challenges, results).ConfigureAwait(false);
            }

            if (database is not "sqlite" && PostgresProcess.Programs is { } programs)
            {
                await OnPostgresAsync(folder, vm, challenges, results, programs).ConfigureAwait(false);
            }
            else if (database is not "sqlite")
            {
                await Console.Error.WriteLineAsync("assay bench: PostgreSQL is not installed (apt-get install postgresql), its rows are left out").ConfigureAwait(false);
            }

            return results;
        }
    }

    private static async Task<List<Answered>> ChallengesAsync(DemoVm vm, int count)
    {
        using var agent = new GuestAgentClient(vm.AgentSocket);
        var challenges = new List<Answered>(count);
        while (challenges.Count < count)
        {
            var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            var evidence = await agent.GetEvidenceAsync(nonce, "release").ConfigureAwait(false);
            challenges.Add(new Answered(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), nonce, Encoding.UTF8.GetString(evidence.Span).ReplaceLineEndings(" ")));
            if (challenges.Count % 50 == 0)
            {
                await Console.Error.WriteLineAsync($"assay bench: {challenges.Count} of {count} pieces of evidence").ConfigureAwait(false);
            }
        }

        return challenges;
    }

    private static async Task WriteFilesAsync(string folder, DemoVm vm, string trial)
    {
        var party = await vm.RelyingPartyAsync(CancellationToken.None).ConfigureAwait(false);
        await File.WriteAllBytesAsync(Path.Combine(folder, "anchors.json"), vm.Hardware.Anchors).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(folder, "policy.json"), new JsonObject
        {
            ["version"] = 1,
            ["id"] = "bench",
            ["audiences"] = new JsonArray(Audience),
            ["expect"] = Expect(party, vm),
            ["tests"] = new JsonArray(new JsonObject { ["name"] = "the machine passes", ["expect"] = "pass", ["evidence"] = JsonNode.Parse(trial) }),
        }.ToJsonString()).ConfigureAwait(false);
        Assay.Service.Keys.KeyEncryptionKey.Create(Path.Combine(folder, "kek"));
    }

    private static JsonObject Expect(RelyingParty party, DemoVm vm) => new()
    {
        ["gpus"] = Gpus,
        ["switches"] = Switches,
        ["binding"] = "boot-event",
        ["secureBoot"] = true,
        ["referenceValues"] = JsonNode.Parse(party.ReferenceFile(vm.Hardware)),
        ["acceptWeakened"] = new JsonArray("reference-values-unsigned"),
    };

    private JsonObject Configuration(string folder, DemoVm vm, string database)
    {
        var configuration = new JsonObject
        {
            ["issuer"] = "http://127.0.0.1:1",
            ["database"] = database,
            ["kek"] = Path.Combine(folder, "kek"),
            ["anchors"] = Path.Combine(folder, "anchors.json"),
            ["collateral"] = new JsonObject { ["url"] = vm.Services },
            // It is the work that is measured, not the limits; nor what upkeep does in the meantime.
            ["limits"] = new JsonObject { ["perAddress"] = 1_000_000, ["perTenant"] = 1_000_000 },
            ["attestation"] = new JsonObject { ["reappraisalSeconds"] = 0, ["policies"] = new JsonArray(new JsonObject { ["file"] = Path.Combine(folder, "policy.json"), ["tenant"] = Tenant }) },
        };
        scenario.Configure(configuration);
        return configuration;
    }

    private async Task OnSqliteAsync(string folder, DemoVm vm, List<Answered> challenges, List<ServedResult> results)
    {
        var database = Path.Combine(folder, "assay.db");
        var key = await KeyAsync(folder, Configuration(folder, vm, database)).ConfigureAwait(false);
        var server = await ServedProcess.StartAsync(folder, "one", Configuration(folder, vm, database)).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            results.Add(new ServedResult("start-up, until it serves", 0, server.StartCpuMilliseconds, double.NaN, 0, 0, server.StartMilliseconds, double.NaN, server.ResidentMegabytes));
            await PrepareAsync(server, key, vm).ConfigureAwait(false);
            await WarmUpAsync([server], key, database, challenges).ConfigureAwait(false);
            var most = await LoadAsync("SQLite, 100 % load", [server], key, database, challenges, 0).ConfigureAwait(false);
            results.Add(most);
            foreach (var percent in (int[])[70, 30])
            {
                // Eight connections that wait so long on average send that share of what was answered at most.
                var delay = (Connections * 1000 / (most.PerSecond * percent / 100)) - most.P50;
                results.Add(await LoadAsync(string.Create(CultureInfo.InvariantCulture, $"SQLite, {percent} % load"), [server], key, database, challenges, Math.Max(delay, 1)).ConfigureAwait(false));
            }
        }
    }

    private async Task OnPostgresAsync(string folder, DemoVm vm, List<Answered> challenges, List<ServedResult> results, string programs)
    {
        var postgres = await PostgresProcess.StartAsync(programs).ConfigureAwait(false);
        await using (postgres.ConfigureAwait(false))
        {
            var key = await KeyAsync(folder, Configuration(folder, vm, postgres.Connection)).ConfigureAwait(false);
            var one = await ServedProcess.StartAsync(folder, "one", Configuration(folder, vm, postgres.Connection)).ConfigureAwait(false);
            await using (one.ConfigureAwait(false))
            {
                await PrepareAsync(one, key, vm).ConfigureAwait(false);
                await WarmUpAsync([one], key, postgres.Connection, challenges).ConfigureAwait(false);
                results.Add(await LoadAsync("PostgreSQL, one process", [one], key, postgres.Connection, challenges, 0).ConfigureAwait(false));
                var two = await ServedProcess.StartAsync(folder, "two", Configuration(folder, vm, postgres.Connection)).ConfigureAwait(false);
                await using (two.ConfigureAwait(false))
                {
                    await WarmUpAsync([two], key, postgres.Connection, challenges).ConfigureAwait(false);
                    results.Add(await LoadAsync("PostgreSQL, two processes", [one, two], key, postgres.Connection, challenges, 0).ConfigureAwait(false));
                }
            }
        }
    }

    private async Task PrepareAsync(ServedProcess server, string key, DemoVm vm) =>
        await scenario.PrepareAsync(server, key, Expect(await vm.RelyingPartyAsync(CancellationToken.None).ConfigureAwait(false), vm)).ConfigureAwait(false);

    private async Task<string> KeyAsync(string folder, JsonObject configuration)
    {
        var file = Path.Combine(folder, "key.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString()).ConfigureAwait(false);
        using var command = DemoVm.Begin("dotnet", [ServedProcess.Program, "create-key", "--config", file, "--tenant", Tenant, .. scenario.Scopes.SelectMany(scope => (string[])["--scope", scope])]);
        var answer = await DemoVm.EndOfAsync(command, CancellationToken.None).ConfigureAwait(false);
        return answer.ExitCode == 0 ? answer.Output.Trim() : throw new InvalidOperationException(answer.Error);
    }

    // Caches, connections and the compiler: it recompiles what runs often.
    private async Task WarmUpAsync(ServedProcess[] servers, string key, string database, List<Answered> challenges)
    {
        for (var round = 0; round < 6; round++)
        {
            _ = await LoadAsync("warming up", servers, key, database, challenges, 0).ConfigureAwait(false);
        }
    }

    private async Task<ServedResult> LoadAsync(string name, ServedProcess[] servers, string key, string database, List<Answered> challenges, double delay)
    {
        await PutAsync(database, challenges).ConfigureAwait(false);
        var bodies = challenges.Select(scenario.Body).ToArray();
        var shares = bodies.Chunk((bodies.Length + servers.Length - 1) / servers.Length).ToArray();
        var before = await CountsAsync(servers).ConfigureAwait(false);
        var sent = await Task.WhenAll(servers.Zip(shares, (server, share) => Wrk.SendAsync(server.Address + scenario.Path, key, share, Connections, delay))).ConfigureAwait(false);
        var after = await CountsAsync(servers).ConfigureAwait(false);
        var verifications = (after.Verifications - before.Verifications) / bodies.Length;
        var result = new ServedResult(
            name, sent.Sum(one => one.Answers / one.Seconds), (after.Cpu - before.Cpu) / bodies.Length, scenario.RawMilliseconds(verifications), verifications, (after.Commands - before.Commands) / bodies.Length,
            sent.Max(one => one.P50), sent.Max(one => one.P99), servers.Max(server => server.ResidentMegabytes));
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"assay bench: {name}: {result.PerSecond:F0}/s, {result.Ratio:F2} x raw")).ConfigureAwait(false);
        return result;
    }

    private static async Task<(double Cpu, double Verifications, double Commands)> CountsAsync(ServedProcess[] servers)
    {
        var (cpu, verifications, commands) = (servers.Sum(server => server.CpuMilliseconds), 0d, 0d);
        // The exporter answers with what it collected, for so long.
        await Task.Delay(ServedProcess.MetricsAge).ConfigureAwait(false);
        foreach (var server in servers)
        {
            verifications += await server.CountAsync("assay_signature_verifications_total").ConfigureAwait(false);
            commands += await server.CountAsync("db_client_operation_duration_seconds_count").ConfigureAwait(false);
        }

        return (cpu, verifications, commands);
    }

    private async Task PutAsync(string connection, List<Answered> challenges)
    {
        var database = ServiceDatabase.Of(connection);
        await using (database.ConfigureAwait(false))
        {
            var ends = TimeProvider.System.GetUtcNow().AddMinutes(15).ToUnixTimeMilliseconds();
            await database.WriteAsync(
                async (open, transaction) =>
                {
                    await open.ExecuteAsync("DELETE FROM challenge", null, transaction).ConfigureAwait(false);
                    return await open.ExecuteAsync(
                        "INSERT INTO challenge (id, nonce, purpose, tenant, expires_at) VALUES (@Id, @Nonce, @Purpose, @Tenant, @Ends)",
                        challenges.Select(answered => new { answered.Id, answered.Nonce, scenario.Purpose, Tenant, Ends = ends }), transaction).ConfigureAwait(false);
                },
                CancellationToken.None).ConfigureAwait(false);
        }
    }
}
