using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Log;
using Assay.Service.Identity;
using Assay.Service.Log;
using Assay.Tests.Cli;
using Assay.Wire;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>A witness outside the operator: what it cosigns, and what an operator who sets a database back, or shows two logs, no longer gets away with (S-25).</summary>
public sealed class WitnessTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cosigned_log_is_shown_to_an_auditor_with_the_witness_and_one_that_is_not_is_refused()
    {
        await using var world = await BrokerAsync();
        var owner = await OwnerAsync(world);
        Assert.Contains("consistent, not witnessed", _assay.Says(0, ["audit", "monitor", "--state", PathOf(world, "seen"), .. Log(world)]), StringComparison.Ordinal);
        await using var witness = await WitnessAsync(world);
        Assert.Contains("no witness has cosigned", _assay.Says(1, ["audit", "monitor", "--state", PathOf(world, "seen"), "--witness", KeyOf(world), .. Log(world)]), StringComparison.Ordinal);
        await WithWitnessAsync(world, witness);

        var freeze = await world.PostAsync("/v1/freezes", """{"reason":"a test"}""", owner);
        Assert.True(freeze.Body.GetProperty("witnessed").GetBoolean());

        var seen = _assay.Says(0, ["audit", "monitor", "--state", PathOf(world, "seen"), "--witness", KeyOf(world), .. Log(world)]);
        Assert.Contains("witnessed by witness.example/w up to 3 at", seen, StringComparison.Ordinal);
        var proven = _assay.Says(0, ["audit", "prove", "2", "--witness", KeyOf(world), .. Log(world)]);
        Assert.Contains("cosigned no checkpoint that contradicts it", proven, StringComparison.Ordinal);
        var json = JsonElement.Parse(_assay.Says(0, ["audit", "prove", "2", "--witness", KeyOf(world), "--format", "json", .. Log(world)]));
        Assert.Equal(("witness.example/w", 3), (json.GetProperty("witnessed").GetProperty("by").GetString(), json.GetProperty("witnessed").GetProperty("size").GetInt32()));

        // The proof of an answer is of before the witness saw it; another witness's word is not this one's.
        var before = await world.GetAsync("/v1/log/entries/2", owner);
        await File.WriteAllTextAsync(PathOf(world, "proof"), new JsonObject { ["logEntry"] = before.Body.GetProperty("entry").GetString(), ["logProof"] = before.Body.GetProperty("proof").GetString() }.ToJsonString(), Cancellation);
        Assert.Contains("Consistent, not witnessed", _assay.Says(0, "audit", "prove", PathOf(world, "proof"), "--log-key", PathOf(world, "log.key")), StringComparison.Ordinal);
        Assert.Contains("is not cosigned", _assay.Says(1, "audit", "prove", PathOf(world, "proof"), "--witness", KeyOf(world), "--log-key", PathOf(world, "log.key")), StringComparison.Ordinal);
        Assert.Contains("is not cosigned", _assay.Says(1, ["audit", "monitor", "--state", PathOf(world, "seen"), "--witness", WitnessKey.Of("witness.example/w", new byte[32]).ToString(), .. Log(world)]), StringComparison.Ordinal);
        Assert.Contains("cli.log-key", _assay.Says(2, ["audit", "monitor", "--state", PathOf(world, "seen"), "--witness", "a+b+c", .. Log(world)]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_was_set_back_behind_what_the_witness_saw_releases_nothing()
    {
        await using var world = await BrokerAsync();
        await using var witness = await WitnessAsync(world);
        await WithWitnessAsync(world, witness);
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = policy }.ToJsonString(), owner)).Status);
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        await world.StopAsync();
        Copy(world, "assay.db", "earlier.db");
        await world.StartAsync();
        Assert.True((await world.PostAsync("/v1/freezes", """{"reason":"stolen"}""", owner)).Body.GetProperty("witnessed").GetBoolean());
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner)).Problem);

        // The operator who wants the key: an older database, in which nothing is frozen.
        await world.StopAsync();
        Copy(world, "earlier.db", "assay.db");
        await world.StartAsync();

        Assert.Equal("urn:assay:log-contradicted", (await ReleaseAsync(world, owner)).Problem);
        Assert.Contains(world.Logged, line => line.Contains("service.log.rollback", StringComparison.Ordinal));
        // Nor after the witness was silenced: a process that has not heard it does nothing.
        await world.StopAsync();
        await witness.StopAsync();
        await world.StartAsync();
        Assert.Equal("urn:assay:log-not-compared", (await ReleaseAsync(world, owner)).Problem);
        Assert.Contains(world.Logged, line => line.Contains("was not compared with its witnesses yet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_a_log_that_was_forked_one_branch_is_cosigned_and_the_other_one_ends()
    {
        await using var world = await BrokerAsync();
        await using var witness = await WitnessAsync(world);
        await WithWitnessAsync(world, witness);
        await world.StopAsync();
        Copy(world, "assay.db", "fork.db");
        await using var fork = await BrokerAsync(configuration => SetBack(configuration, world, witness));
        Copy(world, "fork.db", Path.Combine(fork.Folder, "assay.db"));
        await world.StartAsync();
        await fork.StartAsync();
        await WriteAuditorAsync(fork);
        File.Copy(PathOf(world, "log.key"), PathOf(fork, "log.key"));
        var (one, other) = (await OwnerAsync(world), await OwnerAsync(fork));
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"one","bytes":32}""", one)).Status);
        Assert.True(await world.Host.Services.GetRequiredService<LogWitnesses>().AskAsync(0, Cancellation));
        Assert.False(await fork.Host.Services.GetRequiredService<LogWitnesses>().AskAsync(0, Cancellation));

        // A fork begins with an entry of its own, which the witness did not see: it logs nothing more.
        Assert.Contains(fork.Logged, line => line.Contains("service.log.fork", StringComparison.Ordinal));
        Assert.Equal("urn:assay:log-contradicted", (await fork.PostAsync("/v1/keys", """{"id":"more","bytes":32}""", other)).Problem);
        // Two clients, two logs, one witness: the client of the fork is shown no cosignature of its entries.
        _assay.Says(0, ["audit", "prove", "3", "--witness", KeyOf(world), .. Log(world)]);
        Assert.Contains("not-found", _assay.Says(1, ["audit", "prove", "3", "--witness", KeyOf(world), .. Log(fork)]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_waits_for_a_witness_that_does_not_answer_and_goes_on_when_it_does()
    {
        await using var world = await BrokerAsync();
        await using var witness = await WitnessAsync(world);
        var owner = await OwnerAsync(world);
        await witness.StopAsync();
        await WithWitnessAsync(world, witness);
        Assert.Equal("urn:assay:log-not-compared", (await world.PostAsync("/v1/keys", """{"id":"more","bytes":32}""", owner)).Problem);

        await witness.StartAsync();
        Assert.True(await world.Host.Services.GetRequiredService<LogWitnesses>().AskAsync(0, Cancellation));

        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"more","bytes":32}""", owner)).Status);
        // While it runs an outage of the witness stops nothing, and a freeze says that it was not seen.
        await witness.StopAsync();
        Assert.False((await world.PostAsync("/v1/freezes", """{"reason":"a test"}""", owner)).Body.GetProperty("witnessed").GetBoolean());
    }

    [Fact]
    public async Task The_witness_answers_by_the_statuses_of_its_protocol_and_cosigns_nothing_that_contradicts_what_it_saw()
    {
        await using var world = await BrokerAsync();
        using var log = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        const string Origin = "log.example/assay";
        await using var witness = await WitnessAsync(world, NoteKey.Of(Origin, log).ToString());
        var leaves = Enumerable.Range(0, 20).Select(number => Merkle.Leaf([(byte)number])).ToArray();
        var forked = leaves[..4].Concat(Enumerable.Range(50, 16).Select(number => Merkle.Leaf([(byte)number]))).ToArray();
        Digest Fold(Digest[] hashes) => hashes.Length == 1 ? hashes[0] : Merkle.Node(Fold(hashes[..(hashes.Length / 2)]), Fold(hashes[(hashes.Length / 2)..]));
        MerkleNodes Nodes(Digest[] tree) => (level, index) => Fold([.. tree.Skip((int)(index << level)).Take(1 << level)]);
        string Note(Digest[] tree, int size, ECDsa? key = null, string origin = Origin) => SignedNote.Sign(new Checkpoint(origin, size, MerkleProofs.Root(size, Nodes(tree))).ToString(), origin, key ?? log);
        async Task<(HttpStatusCode Status, string Body, string? Type)> AddAsync(string body)
        {
            using var content = new StringContent(body, Encoding.UTF8, "text/plain");
            using var answer = await witness.Client.PostAsync("/v1/witness/add-checkpoint", content, Cancellation);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancellation), answer.Content.Headers.ContentType?.MediaType);
        }

        string Request(Digest[] tree, int old, int size) => new WitnessRequest(old, old == 0 ? [] : MerkleProofs.Consistency(old, size, Nodes(tree)), Note(tree, size)).ToString();

        Assert.Equal(HttpStatusCode.NotFound, (await AddAsync(new WitnessRequest(0, [], Note(leaves, 5, log, "other.example/log")).ToString())).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await AddAsync(new WitnessRequest(0, [], Note(leaves, 5, stranger)).ToString())).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await AddAsync("old 0")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await AddAsync(new WitnessRequest(6, [], Note(leaves, 5)).ToString())).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await AddAsync(new WitnessRequest(0, [leaves[0]], Note(leaves, 5)).ToString())).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await AddAsync(Request(leaves, 3, 5))).Status);

        var first = await AddAsync(Request(leaves, 0, 5));
        Assert.Equal(HttpStatusCode.OK, first.Status);
        Assert.True(WitnessKey.TryParse((await witness.Client.GetStringAsync("/v1/witness/key", Cancellation)).TrimEnd(), out var key, out _));
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(Note(leaves, 5) + first.Body), out var signed, out _));
        Assert.NotNull(signed.CosignedAt(key));
        var conflict = await AddAsync(Request(leaves, 0, 9));
        Assert.Equal((HttpStatusCode.Conflict, "5\n", "text/x.tlog.size"), conflict);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await AddAsync(Request(forked, 5, 9))).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await AddAsync(Request(forked, 5, 5))).Status);
        Assert.Equal(HttpStatusCode.OK, (await AddAsync(Request(leaves, 5, 5))).Status);

        // Of two branches that go on from one size at once, one is cosigned.
        var racing = await Task.WhenAll(Enumerable.Range(0, 8).Select(number => AddAsync(Request(leaves, 5, 10 + number))));
        Assert.Single(racing, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(racing.Where(answer => answer.Status != HttpStatusCode.OK), answer => Assert.Equal(HttpStatusCode.Conflict, answer.Status));
        // What it saw outlives the process, and is shown to all.
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Origin)));
        var last = await witness.Client.GetStringAsync($"/v1/witness/{hash}/checkpoint", Cancellation);
        await witness.StopAsync();
        await witness.StartAsync();
        Assert.Equal(last, await witness.Client.GetStringAsync($"/v1/witness/{hash}/checkpoint", Cancellation));
        Assert.Equal(HttpStatusCode.Conflict, (await AddAsync(Request(leaves, 5, 20))).Status);
        Assert.Equal(404, (await witness.GetAsync($"/v1/witness/{new string('0', 64)}/checkpoint", "")).Status);
        Assert.Equal(413, (int)(await AddAsync("old 0\n\n" + new string('x', 80_000))).Status);
    }

    private async Task<ServiceWorld> BrokerAsync(Action<JsonObject>? configure = null)
    {
        var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("broker"));
        if (configure is not null)
        {
            await world.StopAsync();
            var file = PathOf(world, "server.json");
            var configuration = JsonNode.Parse(await File.ReadAllTextAsync(file, Cancellation))!.AsObject();
            configure(configuration);
            await File.WriteAllTextAsync(file, configuration.ToJsonString(), Cancellation);
            return world;
        }

        await WriteAuditorAsync(world);
        await File.WriteAllTextAsync(PathOf(world, "log.key"), await (await world.GetAsync("/v1/log/key", await OwnerAsync(world))).Response.Content.ReadAsStringAsync(Cancellation), Cancellation);
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"first","bytes":32}""", owner)).Status);
        return world;
    }

    // The fork has the same log: same key encryption key, same origin, same witness.
    private static void SetBack(JsonObject configuration, ServiceWorld world, ServiceWorld witness)
    {
        configuration["kek"] = PathOf(world, "kek");
        configuration["broker"] = Broker(world, witness);
    }

    private async Task<ServiceWorld> WitnessAsync(ServiceWorld broker, string? log = null)
    {
        var watched = log ?? (await File.ReadAllTextAsync(PathOf(broker, "log.key"), Cancellation)).TrimEnd();
        var witness = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("witness");
            configuration["witness"] = new JsonObject { ["name"] = "witness.example/w", ["logs"] = new JsonArray(watched) };
        });
        await File.WriteAllTextAsync(KeyOf(broker), await witness.Client.GetStringAsync("/v1/witness/key", Cancellation), Cancellation);
        return witness;
    }

    private static async Task WithWitnessAsync(ServiceWorld world, ServiceWorld witness)
    {
        await world.StopAsync();
        var file = PathOf(world, "server.json");
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(file, Cancellation))!.AsObject();
        configuration["broker"] = Broker(world, witness);
        await File.WriteAllTextAsync(file, configuration.ToJsonString(), Cancellation);
        await world.StartAsync();
    }

    private static JsonObject Broker(ServiceWorld world, ServiceWorld witness) => new()
    {
        ["logOrigin"] = world.Issuer["http://".Length..] + "/v1/log",
        ["witnesses"] = new JsonArray(new JsonObject { ["url"] = $"{witness.Issuer}/v1/witness", ["key"] = File.ReadAllText(KeyOf(world)).TrimEnd() }),
    };

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner)
    {
        var challenge = await world.PostAsync("/v1/release-challenges", "{}", owner);
        return await world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{challenge.Body.GetProperty("id").GetString()}}","evidence":{{await machine.EvidenceAsync(challenge.Body.GetProperty("nonce").GetString()!)}}}""", owner);
    }

    private static async Task WriteAuditorAsync(ServiceWorld world) => await File.WriteAllTextAsync(PathOf(world, "auditor"), await OwnerAsync(world), Cancellation);

    private static Task<string> OwnerAsync(ServiceWorld world) => world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    private static string[] Log(ServiceWorld world) => ["--service", world.Issuer, "--credential", PathOf(world, "auditor"), "--log-key", PathOf(world, "log.key")];

    private static string KeyOf(ServiceWorld world) => PathOf(world, "witness.key");

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);

    private static void Copy(ServiceWorld world, string from, string to)
    {
        SqliteConnection.ClearAllPools();
        foreach (var suffix in (string[])["-wal", "-shm"])
        {
            File.Delete(PathOf(world, to) + suffix);
        }

        File.Copy(PathOf(world, from), PathOf(world, to), overwrite: true);
    }
}
