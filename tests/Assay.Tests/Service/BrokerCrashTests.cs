using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Service.Identity;
using Assay.Service.Storage;
using Assay.Tests.Cli;
using Dapper;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>Two brokers on one PostgreSQL, each and then the database killed under load: what was acknowledged is in the log once, and the log proves itself.</summary>
public sealed class BrokerCrashTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const int Clients = 6;
    private const int Releases = 48;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_two_brokers_acknowledged_is_in_one_log_once_whichever_of_them_or_the_database_is_killed()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var world = await ServiceWorld.StartAsync(machine, postgres.Connection, configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configuration["broker"] = new JsonObject { ["challengeSeconds"] = 3600 };
        });
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        await File.WriteAllTextAsync(PathOf(world, "operator"), await world.KeyOfAsync(TenantStore.Operators, Scopes.Operator, Scopes.Audit), Cancellation);
        await File.WriteAllTextAsync(PathOf(world, "log.key"), await (await world.GetAsync("/v1/log/key", owner)).Response.Content.ReadAsStringAsync(Cancellation), Cancellation);
        var asked = await PrepareAsync(world, owner);
        await world.StopAsync();
        var second = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{DemoChannel.FreePort()}");
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "server.json"), Cancellation))!;
        configuration["listen"] = new JsonArray(second["http://".Length..]);
        await File.WriteAllTextAsync(PathOf(world, "second.json"), configuration.ToJsonString(), Cancellation);

        var acts = new Acts([world.Issuer, second], owner, asked);
        var one = await OutageTests.RunAsync(world.Folder, "server.json");
        var two = await OutageTests.RunAsync(world.Folder, "second.json");
        using var stop = new CancellationTokenSource();
        var load = acts.RunAsync(stop.Token);
        await MoreAsync(acts);
        one = await KillAsync(one, world, "server.json");
        await MoreAsync(acts);
        two = await KillAsync(two, world, "second.json");
        await MoreAsync(acts);
        await postgres.KillAsync();
        await postgres.RunAsync();
        await MoreAsync(acts);
        await OutageTests.UntilAsync(() => acts.IsSpent);
        await stop.CancelAsync();
        await load;
        foreach (var process in (System.Diagnostics.Process[])[one, two])
        {
            process.Kill();
            await process.WaitForExitAsync(Cancellation);
            process.Dispose();
        }

        await world.StartAsync();
        new AssayCommand().Says(0, "audit", "verify", "--service", world.Issuer, "--credential", PathOf(world, "operator"), "--log-key", PathOf(world, "log.key"));
        var entries = await EntriesAsync(world, owner);
        Assert.NotEmpty(acts.Keys);
        Assert.NotEmpty(acts.Released);
        Assert.All(acts.Keys, id => Assert.Single(entries, entry => entry.Kind == "key.create" && entry.Event.GetProperty("key").GetString() == id && entry.Event.GetProperty("outcome").GetString() == "allowed"));
        Assert.All(acts.Released, released => Assert.Equal(released.Entry, Convert.ToBase64String(entries.Single(entry => entry.Position == released.Position).Bytes)));
        // A challenge is worth one release, also where its answer was lost.
        var digests = entries.Where(entry => entry.Kind == "key.release" && entry.Event.GetProperty("outcome").GetString() == "allowed").Select(entry => entry.Event.GetProperty("evidenceDigest").GetString()).ToArray();
        Assert.Equal(digests.Distinct(StringComparer.Ordinal), digests);
        // What was done was logged, and what was logged was done.
        var made = entries.Where(entry => entry.Kind == "key.create" && entry.Event.GetProperty("outcome").GetString() == "allowed").Select(entry => entry.Event.GetProperty("key").GetString()!).Order(StringComparer.Ordinal);
        var kept = await world.Host.Services.GetRequiredService<ServiceDatabase>().ReadAsync(connection => connection.QueryAsync<string>("SELECT id FROM broker_key"), Cancellation);
        Assert.Equal(made, kept.Order(StringComparer.Ordinal));
    }

    // Evidence is made before: a machine answers slower than brokers ask.
    private async Task<ConcurrentQueue<string>> PrepareAsync(ServiceWorld world, string owner)
    {
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = policy }.ToJsonString(), owner)).Status);
        var asked = new ConcurrentQueue<string>();
        for (var number = 0; number < Releases; number++)
        {
            var challenge = (await world.PostAsync("/v1/release-challenges", "{}", owner)).Body;
            asked.Enqueue($$"""{"challenge":"{{challenge.GetProperty("id").GetString()}}","evidence":{{await machine.EvidenceAsync(challenge.GetProperty("nonce").GetString()!)}}}""");
        }

        return asked;
    }

    private static Task MoreAsync(Acts acts)
    {
        var before = acts.Keys.Count;
        return OutageTests.UntilAsync(() => acts.Keys.Count >= before + 40);
    }

    private static async Task<System.Diagnostics.Process> KillAsync(System.Diagnostics.Process process, ServiceWorld world, string configuration)
    {
        process.Kill();
        await process.WaitForExitAsync(Cancellation);
        process.Dispose();
        return await OutageTests.RunAsync(world.Folder, configuration);
    }

    private static async Task<(long Position, string Kind, JsonElement Event, byte[] Bytes)[]> EntriesAsync(ServiceWorld world, string owner)
    {
        var entries = new List<(long, string, JsonElement, byte[])>();
        for (var from = 0L; ;)
        {
            var page = (await world.GetAsync($"/v1/log/entries?from={from}", owner)).Body.GetProperty("entries").EnumerateArray().ToArray();
            foreach (var item in page)
            {
                var bytes = item.GetProperty("entry").GetBytesFromBase64();
                var root = JsonElement.Parse(bytes);
                from = item.GetProperty("position").GetInt64() + 1;
                entries.Add((from - 1, root.GetProperty("kind").GetString()!, root.GetProperty("event"), bytes));
            }

            if (page.Length < 100)
            {
                return [.. entries];
            }
        }
    }

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);

    /// <summary>Clients that create keys and ask for releases, at one broker after the other, and what was acknowledged to them.</summary>
    private sealed class Acts(string[] addresses, string owner, ConcurrentQueue<string> asked)
    {
        private int _under;

        public ConcurrentBag<string> Keys { get; } = [];

        public ConcurrentBag<(long Position, string Entry)> Released { get; } = [];

        public bool IsSpent => asked.IsEmpty && Volatile.Read(ref _under) == 0;

        public Task RunAsync(CancellationToken stop) => Task.WhenAll(Enumerable.Range(0, Clients).Select(number => Task.Run(async () =>
        {
            using var client = new HttpClient();
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", owner);
            for (var turn = number; !stop.IsCancellationRequested; turn++)
            {
                var id = string.Create(CultureInfo.InvariantCulture, $"k{number}-{turn}");
                if (await PostAsync(client, $"{addresses[turn % addresses.Length]}/v1/keys", $$"""{"id":"{{id}}","bytes":32}""") is not null)
                {
                    Keys.Add(id);
                }

                // Some at each time: what is killed is in the middle of one.
                if (turn % 4 == 0 && asked.TryDequeue(out var body))
                {
                    Interlocked.Increment(ref _under);
                    if (await PostAsync(client, $"{addresses[turn / 4 % addresses.Length]}/v1/keys/weights/release", body) is { } released)
                    {
                        Released.Add((released.GetProperty("logPosition").GetInt64(), released.GetProperty("logEntry").GetString()!));
                    }

                    Interlocked.Decrement(ref _under);
                }
            }
        })));

        // Null where nothing was acknowledged: the connection broke, or the database did not answer.
        private static async Task<JsonElement?> PostAsync(HttpClient client, string address, string body)
        {
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var answer = await client.PostAsync(new Uri(address), content);
                return answer.IsSuccessStatusCode ? JsonElement.Parse(await answer.Content.ReadAsStringAsync()) : null;
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                return null;
            }
        }
    }
}
