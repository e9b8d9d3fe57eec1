using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Log;
using Assay.Service.Identity;
using Microsoft.Data.Sqlite;

namespace Assay.Tests.Service;

/// <summary>The key broker as model owners, machines and attackers meet it.</summary>
public sealed class BrokerTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Denied = "urn:assay:release-denied";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task A_key_is_released_to_the_attested_machine_alone_opens_in_it_and_its_release_is_proven(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        await using var world = await StartAsync(postgres?.Connection);
        var secret = RandomNumberGenerator.GetBytes(32);
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), owner)).Status);
        await SetPolicyAsync(world, owner);

        var released = await ReleaseAsync(world, owner);

        Assert.True(released.Status == 200, released.Body.ToString());
        Assert.Equal(("weights", 1, "boot-event"), (released.Body.GetProperty("key").GetString(), released.Body.GetProperty("version").GetInt32(), released.Body.GetProperty("binding").GetString()));
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        using (var opened = await agent.UnwrapKeyAsync("release", released.Body.GetProperty("jwe").GetString()!, Cancellation))
        {
            Assert.Equal(secret, opened.Use(lease => lease.Bytes.ToArray()));
        }

        // Anyone with the log's key sees what was released, without asking the broker.
        var entry = released.Body.GetProperty("logEntry").GetBytesFromBase64();
        Assert.True(NoteKey.TryParse((await TextAsync(world, "/v1/log/key", owner)).TrimEnd(), out var log, out _));
        Assert.True(LogProof.TryParse(Encoding.UTF8.GetBytes(released.Body.GetProperty("logProof").GetString()!), out var proof, out _));
        Assert.True(proof.TryVerify(entry, log, out var checkpoint, out var fault), fault?.ToString());
        var told = JsonElement.Parse(entry).GetProperty("event");
        Assert.Equal(("weights", "allowed", "boot-event", 4), (told.GetProperty("key").GetString(), told.GetProperty("outcome").GetString(), told.GetProperty("binding").GetString(), told.GetProperty("devices").GetInt32()));
        Assert.DoesNotContain(Convert.ToBase64String(secret), Encoding.UTF8.GetString(entry), StringComparison.Ordinal);
        Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(await TextAsync(world, "/v1/log/checkpoint", owner)), log, out var latest, out _));
        Assert.Equal(checkpoint.Size, latest.Size);
        log.Dispose();

        // No secret by any other way.
        foreach (var path in (string[])["/v1/keys", "/v1/keys/weights", $"/v1/log/entries/{released.Body.GetProperty("logPosition").GetInt64()}"])
        {
            var answer = await world.GetAsync(path, owner);
            Assert.Equal(200, answer.Status);
            Assert.DoesNotContain(Convert.ToBase64String(secret), answer.Body.ToString(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain(world.Logged, line => line.Contains(Convert.ToBase64String(secret), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Impostors_are_denied_and_the_log_says_why()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await SetPolicyAsync(world, owner);
        var (_, old) = await world.ReleaseChallengeAsync(owner);
        var replayed = await machine.EvidenceAsync(old);

        var impostors = new (string Name, Func<string, Task<string>> Evidence, string Failing)[]
        {
            ("evidence of an older challenge", _ => Task.FromResult(replayed), "report.nonce.match"),
            ("a key of the attacker's in the evidence", async nonce => Changed(await machine.EvidenceAsync(nonce), root => root["key"] = OtherKey()), "report.nonce.match"),
            ("no GPUs", async nonce => Changed(await machine.EvidenceAsync(nonce), root => root["gpus"] = new JsonArray()), "composite.gpus.count"),
            ("one GPU twice", async nonce => Changed(await machine.EvidenceAsync(nonce), root => root["gpus"]![1] = root["gpus"]![0]!.DeepClone()), "set.devices.distinct"),
            ("no processor", async nonce => Changed(await machine.EvidenceAsync(nonce), root => root.Remove("cpu")), ""),
            ("no event log", async nonce => Changed(await machine.EvidenceAsync(nonce), root => root["cpu"]!.AsObject().Remove("eventLog")), ""),
        };
        foreach (var (name, evidence, failing) in impostors)
        {
            var (id, nonce) = await world.ReleaseChallengeAsync(owner);
            var answer = await ReleaseAsync(world, owner, id, await evidence(nonce));

            Assert.True(answer.Problem == Denied, $"{name}: {answer.Body}");
            Assert.DoesNotContain("jwe", answer.Body.ToString(), StringComparison.Ordinal);
            var told = await EntryAsync(world, owner, answer);
            Assert.Equal(("denied", "evidence-refused"), (told.GetProperty("outcome").GetString(), told.GetProperty("why").GetString()));
            Assert.True(failing.Length == 0 || told.GetProperty("failed").EnumerateArray().Any(check => check.GetString() == failing), $"{name}: {told}");
        }
    }

    [Fact]
    public async Task A_challenge_is_answered_once_and_by_its_tenant_alone_and_the_tenant_next_door_has_no_key()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await SetPolicyAsync(world, owner);
        var neighbour = await OwnerAsync(world, "neighbour");
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var evidence = await machine.EvidenceAsync(nonce);

        Assert.Equal("urn:assay:release-challenge-spent", (await ReleaseAsync(world, neighbour, id, evidence)).Problem);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => ReleaseAsync(world, owner, id, evidence)));
        Assert.Single(answers, answer => answer.Status == 200);
        Assert.All(answers.Where(answer => answer.Status != 200), answer => Assert.Equal("urn:assay:release-challenge-spent", answer.Problem));

        // A challenge for a token is none for a key.
        var (other, otherNonce) = await world.ChallengeAsync();
        Assert.Equal("urn:assay:release-challenge-spent", (await ReleaseAsync(world, owner, other, await machine.EvidenceAsync(otherNonce))).Problem);
        Assert.Equal("no-such-key", (await EntryAsync(world, neighbour, await ReleaseAsync(world, neighbour))).GetProperty("why").GetString());
        Assert.Equal(404, (await world.GetAsync("/v1/keys/weights", neighbour)).Status);
        Assert.Equal(404, (await world.GetAsync($"/v1/log/entries/{answers.Single(answer => answer.Status == 200).Body.GetProperty("logPosition").GetInt64()}", neighbour)).Status);
        Assert.Equal(403, (await world.GetAsync("/v1/log/tile/entries/000.p/1", owner)).Status);
    }

    [Fact]
    public async Task Without_a_policy_disabled_destroyed_or_frozen_a_key_is_not_released()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        async Task<string?> WhyAsync() => (await EntryAsync(world, owner, await ReleaseAsync(world, owner))).GetProperty("why").GetString();

        Assert.Equal("no-policy", await WhyAsync());
        await SetPolicyAsync(world, owner);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":2,"state":"disabled"}""", owner)).Status);
        Assert.Equal("key-disabled", await WhyAsync());
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":3,"state":"enabled"}""", owner)).Status);
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        var freeze = await world.PostAsync("/v1/freezes", """{"reason":"a driver may be forged"}""", owner);
        Assert.Equal(201, freeze.Status);
        Assert.Equal($"frozen:{freeze.Body.GetProperty("id").GetString()}", await WhyAsync());

        // An API key may be in anybody's hands, and in two of the same: two persons lift it (ApprovalTests).
        var frozen = freeze.Body.GetProperty("id").GetString()!;
        Assert.Equal("urn:assay:second-person", (await world.PostAsync($"/v1/freezes/{frozen}/lift", "{}", owner)).Problem);
        Assert.StartsWith("frozen:", await WhyAsync(), StringComparison.Ordinal);

        Assert.Equal("urn:assay:key-changed", (await world.PostAsync("/v1/keys/weights/state", """{"revision":3,"state":"destroyed"}""", owner)).Problem);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":4,"state":"destroyed"}""", owner)).Status);
        Assert.Equal("key-destroyed", await WhyAsync());
        Assert.Equal("urn:assay:key-state", (await world.PostAsync("/v1/keys/weights/state", """{"revision":5,"state":"enabled"}""", owner)).Problem);
        Assert.Equal("urn:assay:key-state", (await world.PostAsync("/v1/keys/weights/rotate", """{"revision":5,"bytes":32}""", owner)).Problem);
        Assert.Equal(0L, Scalar(world, "SELECT COUNT(*) FROM broker_key_version"));
    }

    [Fact]
    public async Task After_a_freeze_was_acknowledged_nothing_is_released_whoever_races()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await SetPolicyAsync(world, owner);
        var asked = new List<(string Id, string Evidence)>();
        for (var number = 0; number < 12; number++)
        {
            var (id, nonce) = await world.ReleaseChallengeAsync(owner);
            asked.Add((id, await machine.EvidenceAsync(nonce)));
        }

        var racing = asked.Select(item => ReleaseAsync(world, owner, item.Id, item.Evidence)).ToArray();
        await Task.WhenAny(racing);
        var freeze = await world.PostAsync("/v1/freezes", """{"reason":"race","key":"weights"}""", owner);
        Assert.Equal(201, freeze.Status);
        var answers = await Task.WhenAll(racing);

        var frozenAt = Scalar(world, "SELECT position FROM log_entry WHERE kind = 'key.freeze'");
        Assert.All(answers.Where(answer => answer.Status == 200), answer => Assert.True(answer.Body.GetProperty("logPosition").GetInt64() < frozenAt));
        Assert.All(answers.Where(answer => answer.Status != 200), answer => Assert.True(answer.Body.GetProperty("logPosition").GetInt64() > frozenAt));
        Assert.Contains(answers, answer => answer.Status == 200);
    }

    [Fact]
    public async Task A_rotated_key_is_released_in_its_new_version_and_a_change_names_what_it_has_read()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        Assert.Equal("urn:assay:key-exists", (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Problem);
        await SetPolicyAsync(world, owner);

        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/rotate", """{"revision":2,"bytes":48}""", owner)).Status);
        var released = await ReleaseAsync(world, owner);

        Assert.Equal(2, released.Body.GetProperty("version").GetInt32());
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        using var opened = await agent.UnwrapKeyAsync("release", released.Body.GetProperty("jwe").GetString()!, Cancellation);
        Assert.Equal(48, opened.Length);
        // Of many who have read the same, one changes it.
        var changes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.PostAsync("/v1/keys/weights/rotate", """{"revision":3,"bytes":32}""", owner)));
        Assert.Single(changes, change => change.Status == 204);
        Assert.Equal(404, (await world.PostAsync("/v1/keys/nothing/rotate", """{"revision":1,"bytes":32}""", owner)).Status);
    }

    [Theory]
    [InlineData("""{"version":1,"expect":{}}""", "binding")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event"}}""", "gpus")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event","gpus":0}}""", "gpus")]
    [InlineData("""{"version":1,"expect":{"binding":"none"}}""", "anybody")]
    [InlineData("""{"version":1,"expect":{"binding":"none","gpus":0}}""", "anybody")]
    [InlineData("""{"version":2,"expect":{"binding":"boot-event","gpus":1}}""", "version")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event","gpus":1},"allow":true}""", "unknown member")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event","gpus":1},"rego":{"modules":{"a.rego":"package"}}}""", "rego")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event","gpus":1},"phase":"later"}""", "phase")]
    [InlineData("""{"version":1,"expect":{"binding":"boot-event","gpus":1},"phase":"boot"}""", "referenceValues")]
    [InlineData("[]", "$")]
    public async Task A_policy_that_would_release_to_anybody_is_not_taken(string policy, string expected)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);

        var answer = await world.PostAsync("/v1/keys/weights/policy", $$"""{"revision":1,"policy":{{policy}}}""", owner);

        Assert.Equal("urn:assay:release-policy-refused", answer.Problem);
        Assert.Contains(expected, answer.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
    }

    [Theory]
    [InlineData("UPDATE broker_key SET record_sealed = (SELECT record_sealed FROM broker_key WHERE id = 'other') WHERE id = 'weights'")]
    [InlineData("UPDATE broker_key SET revision = 9 WHERE id = 'weights'")]
    [InlineData("UPDATE broker_key_version SET secret_sealed = (SELECT secret_sealed FROM broker_key_version WHERE id = 'other') WHERE id = 'weights'")]
    [InlineData("DELETE FROM broker_key_version WHERE id = 'weights'")]
    [InlineData("DELETE FROM broker_key WHERE id = 'weights'")]
    [InlineData("UPDATE broker_key SET revision = (SELECT revision FROM earlier), record_sealed = (SELECT record_sealed FROM earlier) WHERE id = 'weights'")]
    public async Task A_row_of_another_key_or_a_changed_one_releases_nothing(string sql)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await CreateAsync(world, owner, "other");
        await SetPolicyAsync(world, owner);
        await SetPolicyAsync(world, owner, "other");
        Scalar(world, "CREATE TABLE earlier AS SELECT * FROM broker_key WHERE id = 'weights'");
        if (sql.Contains("earlier", StringComparison.Ordinal))
        {
            // What was put back is a state in which it was enabled.
            Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":2,"state":"disabled"}""", owner)).Status);
        }

        Scalar(world, sql);

        Assert.Equal("urn:assay:unavailable", (await ReleaseAsync(world, owner)).Problem);
        Assert.Equal(200, (await ReleaseAsync(world, owner, key: "other")).Status);
        Assert.Contains(world.Logged, line => line.Contains("service.broker.key", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("DELETE FROM broker_freezes")]
    [InlineData("UPDATE broker_freezes SET freezes_sealed = zeroblob(200)")]
    [InlineData("UPDATE broker_freezes SET freezes_sealed = (SELECT freezes_sealed FROM earlier)")]
    [InlineData("DELETE FROM broker_freezes; DELETE FROM log_entry WHERE kind = 'key.freeze'")]
    public async Task A_freeze_whose_row_was_removed_or_set_back_is_not_lifted_by_that(string sql)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await SetPolicyAsync(world, owner);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"other","bytes":32}""", owner)).Status);
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"another","key":"other"}""", owner)).Status);
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        Scalar(world, "CREATE TABLE earlier AS SELECT * FROM broker_freezes");
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"now","key":"weights"}""", owner)).Status);

        Scalar(world, sql);

        Assert.Equal("urn:assay:unavailable", (await ReleaseAsync(world, owner)).Problem);
        Assert.Contains(world.Logged, line => line.Contains("service.broker.freezes", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Malformed_and_oversized_requests_are_refused_and_log_nothing_but_denials()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        foreach (var body in (string[])["{}", """{"id":"A","bytes":32}""", """{"id":"a","bytes":8}""", """{"id":"a","bytes":5000}""", """{"id":"a"}""", """{"id":"a","bytes":32,"secret":"AAAA"}""", """{"id":"a","secret":""}""", """{"id":"a/b","bytes":32}"""])
        {
            Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys", body, owner)).Problem);
        }

        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/freezes", """{"reason":""}""", owner)).Problem);
        var (id, _) = await world.ReleaseChallengeAsync(owner);
        Assert.Equal("urn:assay:release-evidence-malformed", (await ReleaseAsync(world, owner, id, "{}")).Problem);
        Assert.Equal(413, (await world.PostAsync("/v1/keys", $$"""{"id":"a","secret":"{{new string('A', 200_000)}}"}""", owner)).Status);
        Assert.Equal(0L, Scalar(world, "SELECT size FROM log_state"));
    }

    private static JsonObject OtherKey()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var point = pair.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject { ["crv"] = "P-384", ["kty"] = "EC", ["x"] = System.Buffers.Text.Base64Url.EncodeToString(point.X), ["y"] = System.Buffers.Text.Base64Url.EncodeToString(point.Y) };
    }

    private static string Changed(string evidence, Action<JsonObject> change)
    {
        var root = JsonNode.Parse(evidence)!.AsObject();
        change(root);
        return root.ToJsonString();
    }

    private static object? Read(ServiceWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Folder, "assay.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private static long Scalar(ServiceWorld world, string sql) => Read(world, sql) is long number ? number : -1;

    private static async Task<string> TextAsync(ServiceWorld world, string path, string key) => await (await world.GetAsync(path, key)).Response.Content.ReadAsStringAsync(Cancellation);

    private static Task<string> OwnerAsync(ServiceWorld world, string tenant = "demo") => world.KeyOfAsync(tenant, Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    private static async Task CreateAsync(ServiceWorld world, string owner, string id = "weights")
    {
        var made = await world.PostAsync("/v1/keys", new JsonObject { ["id"] = id, ["bytes"] = 32 }.ToJsonString(), owner);
        Assert.True(made.Status == 201, made.Body.ToString());
    }

    private async Task SetPolicyAsync(ServiceWorld world, string owner, string id = "weights")
    {
        var expect = machine.Policy("x", "x", "{}")["expect"]!.DeepClone();
        var set = await world.PostAsync($"/v1/keys/{id}/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    private static Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, string challenge, string evidence, string key = "weights") =>
        world.PostAsync($"/v1/keys/{key}/release", $$"""{"challenge":"{{challenge}}","evidence":{{evidence}}}""", owner);

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, string key = "weights")
    {
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        return await ReleaseAsync(world, owner, id, await machine.EvidenceAsync(nonce), key);
    }

    private static async Task<JsonElement> EntryAsync(ServiceWorld world, string owner, ServiceAnswer denied)
    {
        Assert.Equal(Denied, denied.Problem);
        return await world.EntryAsync(owner, denied);
    }

    private Task<ServiceWorld> StartAsync(string? database = null) =>
        ServiceWorld.StartAsync(machine, database, configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configuration["broker"] = new JsonObject { ["destroyHours"] = 0 };
        });
}
