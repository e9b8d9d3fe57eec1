using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Broker;
using Assay.Log;
using Assay.Service.Identity;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>Those who can write the broker's database, or answer in a witness's place, and want a key: each of them is stopped.</summary>
public sealed class BrokerAttackTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_whose_row_was_removed_is_not_made_anew_by_one_person()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32,"approval":"two-person"}""", owner)).Status);
        Execute(world, "DELETE FROM broker_key; DELETE FROM broker_key_version");

        // A secret of one's own in its place, which machines then encrypt under.
        var made = await world.PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["secret"] = Convert.ToBase64String(new byte[32]) }.ToJsonString(), owner);

        Assert.Equal("urn:assay:unavailable", made.Problem);
        Assert.Contains(world.Logged, line => line.Contains("service.broker.key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_derived_key_is_not_rotated_to_a_secret_that_is_too_short_to_derive_from()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"disk","bytes":32,"derived":true}""", owner)).Status);

        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys/disk/rotate", """{"revision":1,"secret":"AA=="}""", owner)).Problem);
        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys/disk/rotate", """{"revision":1,"bytes":16}""", owner)).Problem);

        Assert.Equal(204, (await world.PostAsync("/v1/keys/disk/rotate", """{"revision":1,"bytes":32}""", owner)).Status);
    }

    [Fact]
    public async Task Old_evidence_answers_no_challenge_that_was_written_into_the_database()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var evidence = await machine.EvidenceAsync(nonce);
        Assert.Equal(200, (await ReleaseAsync(world, owner, id, evidence)).Status);
        var again = new string('f', 32);

        Execute(world, $"INSERT INTO challenge (id, nonce, purpose, tenant, expires_at) SELECT '{again}', nonce, purpose, tenant, 4000000000000 FROM challenge WHERE id = '{id}'");

        Assert.Equal("urn:assay:release-challenge-spent", (await ReleaseAsync(world, owner, again, evidence)).Problem);
    }

    [Fact]
    public async Task An_API_key_that_was_written_into_the_database_gets_no_key_and_sets_no_policy()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        var digest = Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(secret)));

        Execute(world, $"INSERT INTO api_key (id, tenant, name, secret_sha256, scopes, created_at, created_by) VALUES ('0123456789abcdef', 'demo', 'mine', X'{digest}', 'release broker', 1, 'nobody')");

        // With it: a policy of one's own, and the key.
        Assert.Equal(403, (await world.PostAsync("/v1/release-challenges", "{}", $"assay_0123456789abcdef_{secret}")).Status);
        Assert.Equal(403, (await world.PostAsync("/v1/freezes", """{"reason":"mine"}""", $"assay_0123456789abcdef_{secret}")).Status);
    }

    [Fact]
    public async Task A_scope_that_was_written_beside_an_API_key_is_not_had()
    {
        await using var world = await StartAsync();
        var key = await world.KeyOfAsync("demo", Scopes.Read);
        Execute(world, "UPDATE api_key SET scopes = 'read broker release', tenant = 'demo', expires_at = NULL, revoked_at = NULL");

        Assert.NotEqual(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", key)).Status);
    }

    [Fact]
    public async Task What_a_witness_said_before_is_not_heard_again_by_a_database_that_was_set_back()
    {
        await using var witness = new RecordedWitness();
        await using var world = await StartAsync(witness);
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"other","bytes":32}""", owner)).Status);
        // The witness has cosigned this state, and the operator keeps both.
        Assert.True((await world.PostAsync("/v1/freezes", """{"reason":"another key's","key":"other"}""", owner)).Body.GetProperty("witnessed").GetBoolean());
        await world.StopAsync();
        SqliteConnection.ClearAllPools();
        File.Copy(PathOf(world, "assay.db"), PathOf(world, "earlier.db"));
        await world.StartAsync();
        Assert.True((await world.PostAsync("/v1/freezes", """{"reason":"stolen"}""", owner)).Body.GetProperty("witnessed").GetBoolean());
        await world.StopAsync();
        SqliteConnection.ClearAllPools();
        File.Delete(PathOf(world, "assay.db-wal"));
        File.Delete(PathOf(world, "assay.db-shm"));
        File.Copy(PathOf(world, "earlier.db"), PathOf(world, "assay.db"), overwrite: true);

        // From here on the operator answers in the witness's place, with what it said before.
        witness.IsReplay = true;
        await world.StartAsync();

        Assert.Equal("urn:assay:log-not-compared", (await ReleaseAsync(world, owner)).Problem);
    }

    [Fact]
    public async Task A_freeze_is_not_called_witnessed_where_the_database_showed_the_witness_the_log_of_before()
    {
        await using var witness = new RecordedWitness();
        await using var world = await StartAsync(witness);
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"other","bytes":32}""", owner)).Status);
        Assert.True((await world.PostAsync("/v1/freezes", """{"reason":"another key's","key":"other"}""", owner)).Body.GetProperty("witnessed").GetBoolean());
        // The database takes a freeze, and forgets it as soon as it was acknowledged.
        Execute(world, """
            CREATE TRIGGER forget AFTER UPDATE OF size ON log_state WHEN NEW.size > OLD.size AND EXISTS (SELECT 1 FROM log_entry WHERE kind = 'key.freeze' AND position >= OLD.size)
            BEGIN UPDATE log_state SET size = OLD.size, subtrees = OLD.subtrees, checkpoint = OLD.checkpoint WHERE id = 1; END
            """);

        var freeze = await world.PostAsync("/v1/freezes", """{"reason":"stolen"}""", owner);

        Assert.False(freeze.Status == 201 && freeze.Body.GetProperty("witnessed").GetBoolean(), freeze.Body.ToString());
    }

    [Fact]
    public async Task A_witness_whose_answer_is_in_no_character_set_ends_neither_a_freeze_nor_the_process()
    {
        await using var witness = new RecordedWitness();
        await using var world = await StartAsync(witness);
        var owner = await OwnerAsync(world);
        witness.ContentType = "text/plain; charset=none-such";
        witness.IsReplay = true;

        var freeze = await world.PostAsync("/v1/freezes", """{"reason":"stolen"}""", owner);

        Assert.True(freeze.Status == 201, $"{freeze.Status} {freeze.Body}");
        Assert.False(freeze.Body.GetProperty("witnessed").GetBoolean());
        Assert.Equal(0, await world.Host.Services.GetRequiredService<BrokerUpkeep>().WitnessAsync(Cancellation));
    }

    [Fact]
    public async Task Nobody_spoils_the_checkpoint_that_a_witness_shows_by_signatures_of_their_own()
    {
        using var log = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        const string Origin = "log.example/assay";
        await using var witness = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("witness");
            configuration["witness"] = new JsonObject { ["name"] = "witness.example/w", ["logs"] = new JsonArray(NoteKey.Of(Origin, log).ToString()) };
        });
        Assert.True(WitnessKey.TryParse((await witness.Client.GetStringAsync("/v1/witness/key", Cancellation)).TrimEnd(), out var key, out _));
        var checkpoint = SignedNote.Sign(new Checkpoint(Origin, 1, Merkle.Leaf([1])).ToString(), Origin, log);
        // Of an auditor, who has the checkpoint: a line in the witness's name that does not verify.
        var spoiled = $"{checkpoint}— witness.example/w {Convert.ToBase64String([.. BitConverter.GetBytes(BinaryOf(key.Id)), .. new byte[72]])}\n";

        using var content = new StringContent(new WitnessRequest(0, [], spoiled).ToString(), Encoding.UTF8, "text/plain");
        using var answer = await witness.Client.PostAsync("/v1/witness/add-checkpoint", content, Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        var shown = await witness.Client.GetByteArrayAsync($"/v1/witness/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Origin)))}/checkpoint", Cancellation);
        Assert.True(SignedNote.TryParse(shown, out var note, out var fault), fault?.ToString());
        Assert.NotNull(note.CosignedAt(key));

        static uint BinaryOf(uint id) => BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(id) : id;
    }

    [Fact]
    public async Task A_manifest_that_has_more_than_an_entry_can_name_is_refused_and_none_is_named_in_part()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var many = machine.References.DeepClone().AsObject();
        many["gpuPolicies"] = new JsonArray([.. Enumerable.Range(0, 900).Select(number => (JsonNode)Convert.ToHexStringLower(SHA384.HashData(BitConverter.GetBytes(number))))]);

        var answer = await world.PostAsync("/v1/manifests", new JsonObject { ["manifest"] = many }.ToJsonString(), owner);

        Assert.True(answer.Problem == "urn:assay:manifest-refused", $"{answer.Status} {answer.Body}");
    }

    private async Task CreateAsync(ServiceWorld world, string owner)
    {
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = policy }.ToJsonString(), owner)).Status);
    }

    private static Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, string challenge, string evidence) =>
        world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{challenge}}","evidence":{{evidence}}}""", owner);

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner)
    {
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        return await ReleaseAsync(world, owner, id, await machine.EvidenceAsync(nonce));
    }

    private static Task<string> OwnerAsync(ServiceWorld world) => world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);

    private static void Execute(ServiceWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={PathOf(world, "assay.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private Task<ServiceWorld> StartAsync(RecordedWitness? witness = null) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        if (witness is not null)
        {
            configuration["broker"] = new JsonObject { ["logOrigin"] = "keys.example/v1/log", ["witnesses"] = new JsonArray(new JsonObject { ["url"] = witness.Address, ["key"] = witness.Key }) };
        }
    });

    /// <summary>A witness that cosigns what it is shown and remembers what it said; in replay it says nothing that it did not say before.</summary>
    private sealed class RecordedWitness : IAsyncDisposable
    {
        private const string Name = "witness.example/r";

        private readonly byte[] _seed = RandomNumberGenerator.GetBytes(32);
        private readonly HttpListener _listener = new();
        private readonly ConcurrentDictionary<string, string> _said = new(StringComparer.Ordinal);
        private readonly Task _serving;

        public RecordedWitness()
        {
            Address = $"http://127.0.0.1:{Assay.Cli.Demo.DemoChannel.FreePort()}/v1/witness";
            _listener.Prefixes.Add($"{Address}/");
            _listener.Start();
            _serving = Task.Run(ServeAsync);
        }

        public string Address { get; }

        public string Key => WitnessKey.Of(Name, _seed).ToString();

        public bool IsReplay { get; set; }

        public string ContentType { get; set; } = "text/plain";

        public async ValueTask DisposeAsync()
        {
            _listener.Close();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    Assert.True(WitnessRequest.TryParse(body.ToArray(), out var request, out _));
                    Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(request.Checkpoint), out var note, out _));
                    if (!IsReplay)
                    {
                        _said[note.Text] = WitnessKey.Sign(note.Text, Name, _seed, TimeProvider.System.GetUtcNow());
                    }

                    context.Response.ContentType = ContentType;
                    context.Response.StatusCode = _said.TryGetValue(note.Text, out var line) ? 200 : 503;
                    context.Response.Close(Encoding.UTF8.GetBytes(line ?? "cut off"), willBlock: true);
                }
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                // It was closed.
            }
        }
    }
}
