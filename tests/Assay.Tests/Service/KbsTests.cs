using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Broker;
using Assay.Broker.Kbs;
using Assay.Sealing.Jose;
using Assay.Service.Identity;
using Assay.Trust;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>The broker in the KBS protocol 0.4.0, as guests of Confidential Containers and their attackers meet it.</summary>
public sealed partial class KbsTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    internal const string Resource = "default/key/weights.v1";

    private const string Errors = "https://github.com/confidential-containers/kbs/errors/";
    private const string Secret = "dGhlIHdlaWdodHMgb2YgYSBtb2RlbCwgb3IgYSBrZXk=";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("P-256", false)]
    [InlineData("P-521", false)]
    [InlineData("RSA", false)]
    [InlineData("P-256", true)]
    public async Task A_guest_of_Confidential_Containers_gets_its_resource_and_npm_jose_opens_it(string key, bool passport)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await using var attester = await new KbsAttester(machine).ListenAsync();
        await using var client = NodeProcess.Start("kbs_client.mjs");

        var got = await client.AskAsync(Ask(world, attester.Text, key, passport));

        Assert.True(got.TryGetProperty("secret", out var secret), got.ToString());
        Assert.Equal(Secret, secret.GetString());
        Assert.Equal(["resource 401", "auth 200", "attest 200", "resource 200"], got.GetProperty("seen").EnumerateArray().Select(item => item.GetString()!));
        var told = (await EntriesAsync(world, owner)).Last(entry => entry.Kind == "key.release").Event;
        Assert.Equal(("weights", "kbs", Resource, "allowed", "boot-event"), (Text(told, "key"), Text(told, "protocol"), Text(told, "resource"), Text(told, "outcome"), Text(told, "binding")));
        Assert.DoesNotContain(world.Logged, line => line.Contains(Secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_answered_is_the_protocols_byte_for_byte()
    {
        await using var world = await StartAsync();
        await OwnerAsync(world);
        using var guest = new KbsGuest(world, machine);

        var first = await guest.GetAsync();
        Assert.Equal((401, $$"""{"type":"{{Errors}}TokenNotFound","detail":"no session with evidence: attest first"}"""), (first.Status, first.Body));
        var auth = await guest.SendAsync(HttpMethod.Post, "/kbs/v0/auth", """{"version":"0.4.0","tee":"tdx","extra-params":{"supported-hash-algorithms":["sha384"]}}""");
        Assert.Matches("""^\{"nonce":"[A-Za-z0-9+/]{43}=","extra-params":""\}$""", auth.Body);
        Assert.Matches("^kbs-session-id=[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}; Expires=[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$", auth.Headers.GetValues("Set-Cookie").Single());
        await guest.AuthAsync();
        var attest = await guest.AttestAsync(await guest.EvidenceAsync());
        Assert.Matches("""^\{"token":"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"\}$""", attest.Body);
        Assert.Contains($"kbs-session-id={guest.Cookie}; Expires=", attest.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);

        var answer = await guest.GetAsync();

        var match = Response().Match(answer.Body);
        Assert.True(match.Success, answer.Body);
        Assert.Matches("""^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC","x":"[A-Za-z0-9_-]{43}","y":"[A-Za-z0-9_-]{43}"\}\}$""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(match.Groups[1].Value)));
        Assert.True(Jwe.TryOpen(guest.Pair, Encoding.ASCII.GetBytes(answer.Body), out var secret, out var fault), fault?.ToString());
        using (secret)
        {
            Assert.Equal(Secret, secret.Use(lease => Convert.ToBase64String(lease.Bytes)));
        }

        // Another request of the same session has the same token: nothing is judged again.
        Assert.Equal(attest.Body, (await guest.AttestAsync(await guest.EvidenceAsync())).Body);
        foreach (var (path, status, variant) in new[] { ("resource/default/key", 404, "InvalidRequestPath"), ("resource/default/key/.hidden", 404, "InvalidRequestPath"), ("resource/a/b/c/d", 404, "InvalidRequestPath"), ("resource/a/b/c%2Fd", 404, "InvalidRequestPath"), ("pkcs11/wrap-key", 404, "PluginNotFound"), ("resource/default/key/other", 401, "PolicyDeny") })
        {
            var refused = await guest.SendAsync(HttpMethod.Get, $"/kbs/v0/{path}");
            Assert.True(refused.Status == status, $"{path}: {refused.Status} {refused.Body}");
            Assert.Equal($"{Errors}{variant}", Text(JsonElement.Parse(refused.Body), "type"));
            Assert.Equal(2, JsonElement.Parse(refused.Body).EnumerateObject().Count());
        }
    }

    [Fact]
    public async Task A_token_is_for_this_broker_says_what_was_found_and_affirms_nothing_more()
    {
        await using var world = await StartAsync();
        await OwnerAsync(world);
        using var guest = new KbsGuest(world, machine);
        await guest.AttestedAsync();

        var claims = JsonElement.Parse(Base64Url.DecodeFromChars(guest.Token.Split('.')[1]));

        Assert.Equal(($"{world.Issuer}/kbs/v0", world.Issuer), (Text(claims, "aud"), Text(claims, "iss")));
        Assert.Equal("ES256", Text(JsonElement.Parse(Base64Url.DecodeFromChars(guest.Token.Split('.')[0])), "alg"));
        Assert.True(claims.GetProperty("exp").GetInt64() - claims.GetProperty("iat").GetInt64() is > 0 and <= 300);
        Assert.Equal(JsonNode.Parse(guest.Jwk.ToJsonString())!["x"]!.GetValue<string>(), Text(claims.GetProperty("tee-pubkey"), "x"));
        // No policy of a relying party was asked, so no submodule affirms: Trustee's own brokers do not read their keys, nor an audience.
        Assert.All(claims.GetProperty("submods").EnumerateObject(), module => Assert.NotEqual("affirming", Text(module.Value, "ear.status")));

        // It is a credential in no other place, and no other token is one here.
        Assert.Equal(401, (await world.GetAsync("/v1/keys", guest.Token)).Status);
        var (cookie, token) = (guest.Cookie, guest.Token);
        guest.Cookie = null;
        Assert.Equal(200, (await guest.GetAsync(bearer: token)).Status);
        var parts = token.Split('.');
        foreach (var forged in new[] { $"{parts[0]}.{parts[1]}.{new string('A', parts[2].Length)}", $"{Base64Url.EncodeToString("{\"alg\":\"none\"}"u8)}.{parts[1]}.", "x", world.Key })
        {
            var refused = await guest.GetAsync(bearer: forged);
            Assert.Equal((401, $"{Errors}TokenVerifierError"), (refused.Status, Text(JsonElement.Parse(refused.Body), "type")));
        }

        guest.Cookie = cookie;
        Assert.Equal(401, (await guest.GetAsync(bearer: "x")).Status);
    }

    [Fact]
    public async Task Impostors_get_no_session_that_is_worth_anything()
    {
        await using var world = await StartAsync();
        await OwnerAsync(world);
        using var victim = new KbsGuest(world, machine);
        await victim.AuthAsync();
        var recorded = await victim.EvidenceAsync();
        using var attacker = new KbsGuest(world, machine);
        static void Key(JsonObject request, Action<JsonObject> change) => change(request["runtime-data"]!["tee-pubkey"]!.AsObject());

        var impostors = new (string Name, Func<Task<string>> Evidence, string Told)[]
        {
            ("another session's evidence", () => Task.FromResult(recorded), "is not this session's"),
            ("another session's evidence under this nonce", () => Task.FromResult(recorded.Replace(JsonSerializer.Serialize(victim.Nonce), JsonSerializer.Serialize(attacker.Nonce), StringComparison.Ordinal)), "does not answer"),
            ("a key of the attacker's", () => attacker.EvidenceAsync(change: request => request["runtime-data"]!["tee-pubkey"] = victim.Jwk.DeepClone()), "does not answer"),
            ("a member more in the key", () => attacker.EvidenceAsync(change: request => Key(request, key => key["kid"] = "x")), "does not answer"),
            ("a member less in the key", () => attacker.EvidenceAsync(change: request => Key(request, key => key.Remove("alg"))), "alg"),
            ("the nonce as base64url", () => attacker.EvidenceAsync(change: request => request["runtime-data"]!["nonce"] = Base64Url.EncodeToString(Convert.FromBase64String(attacker.Nonce))), "character by character"),
            ("the devices taken out", () => attacker.EvidenceAsync(change: request => request["tee-evidence"]!["additional_evidence"] = ""), "does not answer"),
            ("RSA1_5", () => attacker.EvidenceAsync(key: new JsonObject { ["alg"] = "RSA1_5", ["kty"] = "RSA", ["n"] = "AQAB", ["e"] = "AQAB" }), "RSA1_5 is refused"),
            ("ML-KEM", async () => (await attacker.EvidenceAsync()).Replace("\"kty\":\"EC\"", "\"kty\":\"AKP\"", StringComparison.Ordinal), "AKP"),
            ("a point that is on no curve", () => attacker.EvidenceAsync(key: new JsonObject { ["alg"] = "ECDH-ES+A256KW", ["crv"] = "P-256", ["kty"] = "EC", ["x"] = attacker.Jwk["y"]!.GetValue<string>(), ["y"] = attacker.Jwk["y"]!.GetValue<string>() }), "tee-pubkey"),
            ("the evidence of an SNP guest's session", () => attacker.EvidenceAsync(change: request => request["tee-evidence"]!["primary_evidence"] = new JsonObject { ["svn"] = "1", ["report_data"] = "AAAA" }), "sample attester"),
            ("our own bundle", () => Task.FromResult("""{"version":1,"nonce":"x","gpus":[],"key":{}}"""), "request: an object with \"runtime-data\" and \"tee-evidence\" is expected"),
            ("a body that is no JSON", () => Task.FromResult("{"), "JSON: malformed"),
        };
        foreach (var (name, evidence, told) in impostors)
        {
            await attacker.AuthAsync();
            var answer = await attacker.AttestAsync(await evidence());
            Assert.True(answer.Status == 401, $"{name}: {answer.Body}");
            Assert.Equal($"{Errors}AttestationError", Text(JsonElement.Parse(answer.Body), "type"));
            Assert.True(Text(JsonElement.Parse(answer.Body), "detail").Contains(told, StringComparison.Ordinal), $"{name}: {answer.Body}");
            Assert.Equal($"{Errors}TokenNotFound", Text(JsonElement.Parse((await attacker.GetAsync()).Body), "type"));
        }

        // The victim's own attempt was not harmed, and is taken once.
        Assert.Equal(200, (await victim.AttestAsync(recorded)).Status);
        Assert.Equal(200, (await victim.GetAsync()).Status);
    }

    [Fact]
    public async Task A_challenge_is_tried_once_whatever_came_of_it()
    {
        await using var world = await StartAsync();
        await OwnerAsync(world);
        using var guest = new KbsGuest(world, machine);
        await guest.AuthAsync();
        var honest = await guest.EvidenceAsync();
        var forged = await guest.EvidenceAsync(change: request => request["tee-evidence"]!["additional_evidence"] = "");

        Assert.Equal(401, (await guest.AttestAsync(forged)).Status);
        var second = await guest.AttestAsync(honest);

        Assert.Equal(401, second.Status);
        Assert.Contains("answered before", second.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_is_worth_what_each_resources_own_policy_says_of_its_evidence()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        using var bare = new KbsGuest(world, machine);
        // A TD without GPUs is authentic, and not what the policy asks for.
        await bare.AttestedAsync(devices: false);
        var denied = await bare.GetAsync();
        Assert.Equal((401, $"{Errors}PolicyDeny"), (denied.Status, Text(JsonElement.Parse(denied.Body), "type")));
        Assert.Contains((await EntriesAsync(world, owner)).Last(entry => entry.Kind == "key.release").Event.GetProperty("failed").EnumerateArray(), check => check.GetString() == "composite.gpus.count");
        // What there is and what there is not are answered alike.
        Assert.Equal(denied.Body, (await bare.GetAsync("default/key/nothing")).Body);

        using var guest = new KbsGuest(world, machine);
        await guest.AttestedAsync();
        Assert.Equal(200, (await guest.GetAsync()).Status);
        // Frozen in the middle of a session: the next request of the same session gets nothing.
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"a leak"}""", owner)).Status);
        Assert.Equal($"{Errors}PolicyDeny", Text(JsonElement.Parse((await guest.GetAsync()).Body), "type"));
        // The log of the tenant next door has nothing of it, and its keys are at no resource here.
        var neighbour = await OwnerAsync(world, "neighbour");
        Assert.DoesNotContain(await EntriesAsync(world, neighbour), entry => entry.Kind == "key.release");
    }

    [Fact]
    public async Task Denials_that_repeat_each_other_are_two_entries_with_their_number()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"a leak"}""", owner)).Status);
        await using var attester = await new KbsAttester(machine).ListenAsync();
        await using var client = NodeProcess.Start("kbs_client.mjs");

        // Its components attest and ask three times.
        var got = await client.AskAsync(Ask(world, attester.Text, "P-256", passport: false));

        Assert.Equal($"{Errors}PolicyDeny", Text(got.GetProperty("refused"), "type"));
        Assert.Equal(3, got.GetProperty("seen").EnumerateArray().Count(item => item.GetString() == "attest 200"));
        using var guest = new KbsGuest(world, machine);
        await guest.AttestedAsync();
        for (var count = 0; count < 5; count++)
        {
            Assert.Equal(401, (await guest.GetAsync()).Status);
        }

        // A minute later, or when the service is stopped.
        await world.Host.Services.GetRequiredService<BrokerUpkeep>().LogDenialsAsync(all: true, Cancellation);

        // Two by the client and five by the guest: each is in the log, however many minutes they took.
        var entries = await EntriesAsync(world, owner);
        var (denied, repeated) = (entries.Where(entry => entry.Kind == "key.release").ToArray(), entries.Where(entry => entry.Kind == "key.denials").ToArray());
        Assert.InRange(denied.Length, 1, 6);
        Assert.Equal(7, denied.Length + repeated.Sum(entry => entry.Event.GetProperty("repeated").GetInt64()));
        Assert.Equal(denied[0].Position, repeated[0].Event.GetProperty("first").GetInt64());
        Assert.Equal(Text(denied[0].Event, "why"), Text(repeated[0].Event, "why"));
    }

    [Fact]
    public async Task A_guest_without_a_TEE_is_taken_under_a_simulated_set_alone_and_shows_no_processor()
    {
        Assert.Null(KbsMessages.TeeOf("""{"version":"0.4.0","tee":"sample","extra-params":""}"""u8.ToArray(), TrustSetKind.BuiltIn, out var fault));
        Assert.Contains("simulated", fault, StringComparison.Ordinal);
        Assert.Null(KbsMessages.TeeOf("""{"version":"0.4.0","tee":"sampledevice","extra-params":""}"""u8.ToArray(), TrustSetKind.Custom, out _));
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        using var guest = new KbsGuest(world, machine) { Tee = "sample" };
        await guest.AttestedAsync();
        Assert.Equal(401, (await guest.GetAsync()).Status);

        // By name, and as what it is worth.
        var policy = new JsonObject { ["version"] = 1, ["expect"] = new JsonObject { ["gpus"] = 2, ["switches"] = 2, ["binding"] = "none", ["acceptWeakened"] = new JsonArray("no-cpu-tee", "gpu-binding-none", "processor-not-expected", "boot-not-expected") } };
        var dry = await world.PostAsync("/v1/keys/weights/policy/dry-run", new JsonObject { ["policy"] = policy.DeepClone() }.ToJsonString(), owner);
        Assert.Equal(200, dry.Status);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 2, ["policy"] = policy }.ToJsonString(), owner)).Status);
        var answer = await guest.GetAsync();
        var told = (await EntriesAsync(world, owner)).Last(entry => entry.Kind == "key.release").Event;
        Assert.True(answer.Status == 200, $"{answer.Body} {told}");
        Assert.Equal("gpu-only", Text(told, "tier"));

        // What it says of itself must at least agree with itself.
        await guest.AuthAsync();
        Assert.Equal(401, (await guest.AttestAsync(await guest.EvidenceAsync(change: request => request["tee-evidence"]!["primary_evidence"]!["report_data"] = Convert.ToBase64String(new byte[48])))).Status);
    }

    [Fact]
    public async Task The_policy_of_the_page_releases_to_an_unmodified_guest_and_calls_it_what_it_is()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "confidential-containers.md"));
        var policy = JsonNode.Parse(Fence().Matches(page).Select(match => match.Groups[1].Value).Single(text => text.Contains("evidence-hash", StringComparison.Ordinal)).Replace("HEX", new string('0', 96), StringComparison.Ordinal))!.AsObject();
        policy["expect"]!["gpus"] = 2;
        // The simulated image's manifest names a gate, and a guest without its log does not satisfy that.
        policy["expect"]!.AsObject().Remove("referenceValues");
        policy["expect"]!["acceptWeakened"] = new JsonArray("boot-not-expected", "gpu-binding-evidence-hash", "tdx-no-reference-values");
        using var guest = new KbsGuest(world, machine) { HasLog = false };
        await guest.AttestedAsync();
        Assert.Equal(401, (await guest.GetAsync()).Status);

        var set = await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 2, ["policy"] = policy }.ToJsonString(), owner);

        Assert.True(set.Status == 204, set.Body.ToString());
        var answer = await guest.GetAsync();
        var told = (await EntriesAsync(world, owner)).Last(entry => entry.Kind == "key.release").Event;
        Assert.True(answer.Status == 200, $"{answer.Body} {told}");
        Assert.Equal(("evidence-hash", "evidence-hash", "tdx"), (Text(told, "binding"), Text(told, "tier"), Text(told, "tee")));
        // What a guest was asked to keep is what a dry run takes.
        var dry = await world.PostAsync("/v1/keys/weights/policy/dry-run", $$"""{"evidence":{{guest.Shown}},"challenge":{{JsonSerializer.Serialize(guest.Nonce)}}}""", owner);
        Assert.True(dry.Status == 200 && dry.Body.GetProperty("released").GetBoolean(), dry.Body.ToString());
    }

    [Theory]
    [InlineData("""{"version":"0.3.0","tee":"tdx","extra-params":""}""", "0.4.0 is spoken")]
    [InlineData("""{"version":"0.4.1","tee":"tdx","extra-params":""}""", "0.4.0 is spoken")]
    [InlineData("""{"version":"0.4.0","tee":"csv","extra-params":""}""", "are judged here, not csv")]
    [InlineData("""{"version":"0.4.0","tee":"nvidia","extra-params":""}""", "are judged here")]
    [InlineData("""{"version":"0.4.0","tee":"az-snp-vtpm","extra-params":""}""", "are judged here")]
    [InlineData("""{"version":"0.4.0","version":"0.3.0","tee":"tdx"}""", "a request as JSON")]
    [InlineData("""{"version":4,"tee":{}}""", "version and tee")]
    [InlineData("[]", "a request as JSON")]
    [InlineData("", "a request as JSON")]
    public async Task A_challenge_is_given_to_requests_of_the_protocol_alone(string body, string told)
    {
        await using var world = await StartAsync();
        using var guest = new KbsGuest(world, machine);

        var answer = await guest.SendAsync(HttpMethod.Post, "/kbs/v0/auth", body);

        Assert.Equal(401, answer.Status);
        Assert.Contains(told, Text(JsonElement.Parse(answer.Body), "detail"), StringComparison.Ordinal);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task Sessions_are_limited_for_each_address_and_end_with_their_challenge()
    {
        await using var world = await StartAsync(kbs => kbs["sessions"] = 16);
        using var guest = new KbsGuest(world, machine);
        await guest.AuthAsync();
        await guest.AuthAsync();

        var third = await guest.SendAsync(HttpMethod.Post, "/kbs/v0/auth", """{"version":"0.4.0","tee":"tdx","extra-params":""}""");

        Assert.Equal(401, third.Status);
        Assert.Contains("as many sessions as may be", third.Body, StringComparison.Ordinal);
        // What is too large ends before it is read.
        var large = await guest.SendAsync(HttpMethod.Post, "/kbs/v0/auth", new string(' ', 100_000));
        Assert.Equal((401, $"{Errors}AttestationError"), (large.Status, Text(JsonElement.Parse(large.Body), "type")));
        Execute(world, string.Create(CultureInfo.InvariantCulture, $"UPDATE kbs_session SET expires_at = {TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 1}"));
        Assert.Contains("not known, or ended", (await guest.AttestAsync(await guest.EvidenceAsync())).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_can_write_the_database_moves_no_key_to_another_resource_and_makes_no_session_last()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"other","bytes":32}""", owner)).Status);
        Assert.Equal(409, (await world.PostAsync("/v1/keys", $$"""{"id":"third","bytes":32,"resource":"{{Resource}}"}""", owner)).Status);
        Assert.Equal(400, (await world.PostAsync("/v1/keys", """{"id":"third","bytes":32,"resource":"a/b"}""", owner)).Status);
        using var guest = new KbsGuest(world, machine);
        await guest.AttestedAsync();
        Execute(world, "UPDATE broker_key SET resource = 'default/key/elsewhere' WHERE id = 'weights'");

        Assert.Equal(503, (await guest.GetAsync("default/key/elsewhere")).Status);
        // Nor does a key of one person's come where another key was.
        Assert.Equal(409, (await world.PostAsync("/v1/keys", $$"""{"id":"fourth","bytes":32,"resource":"{{Resource}}"}""", owner)).Status);
        Assert.Equal(401, (await guest.GetAsync()).Status);
        Execute(world, $"UPDATE broker_key SET resource = '{Resource}' WHERE id = 'weights'");
        // The evidence of one session under another one's name.
        using var second = new KbsGuest(world, machine);
        await second.AuthAsync();
        Execute(world, "UPDATE kbs_session SET evidence_sealed = (SELECT evidence_sealed FROM kbs_session WHERE evidence_sealed IS NOT NULL), token_sealed = (SELECT token_sealed FROM kbs_session WHERE token_sealed IS NOT NULL) WHERE evidence_sealed IS NULL");
        Assert.Equal(503, (await second.GetAsync()).Status);
    }

    [Fact]
    public async Task A_session_whose_end_was_moved_in_the_database_ends_when_it_was_made_to()
    {
        await using var world = await StartAsync(kbs => kbs["sessionSeconds"] = 10);
        using var guest = new KbsGuest(world, machine);
        await guest.AuthAsync();
        Execute(world, "UPDATE kbs_session SET expires_at = expires_at + 100000000");
        await Task.Delay(TimeSpan.FromSeconds(10.5), Cancellation);

        Assert.Contains("not known, or ended", (await guest.AttestAsync("{}")).Body, StringComparison.Ordinal);
    }

    [GeneratedRegex("""^\{"protected":"([A-Za-z0-9_-]+)","encrypted_key":"[A-Za-z0-9_-]{54}","iv":"[A-Za-z0-9_-]{16}","ciphertext":"[A-Za-z0-9_-]+","tag":"[A-Za-z0-9_-]{22}"\}$""")]
    private static partial Regex Response();

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Fence();

    private static JsonObject Ask(ServiceWorld world, string attester, string key, bool passport) => new()
    {
        ["what"] = "get",
        ["base"] = world.Host.Addresses[0],
        ["attester"] = attester,
        ["tee"] = "tdx",
        ["key"] = key,
        ["resource"] = $"resource/{Resource}",
        ["passport"] = passport,
    };

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";

    private static void Execute(ServiceWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Folder, "assay.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static async Task<List<(long Position, string Kind, JsonElement Event)>> EntriesAsync(ServiceWorld world, string owner)
    {
        var answer = await world.GetAsync("/v1/log/entries?from=0&most=100", owner);
        Assert.Equal(200, answer.Status);
        return [.. answer.Body.GetProperty("entries").EnumerateArray().Select(item => JsonElement.Parse(item.GetProperty("entry").GetBytesFromBase64())).Select(entry => (entry.GetProperty("position").GetInt64(), Text(entry, "kind"), entry.GetProperty("event")))];
    }

    private static Task<string> OwnerKeyAsync(ServiceWorld world, string tenant = "demo") => world.KeyOfAsync(tenant, Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    // An owner with one key at the resource, and a policy for it.
    private async Task<string> OwnerAsync(ServiceWorld world, string tenant = "demo")
    {
        var owner = await OwnerKeyAsync(world, tenant);
        var made = await world.PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["secret"] = Secret, ["resource"] = Resource }.ToJsonString(), owner);
        Assert.True(made.Status == 201, made.Body.ToString());
        var expect = machine.Policy("x", "x", "{}")["expect"]!.DeepClone();
        var set = await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner);
        Assert.True(set.Status == 204, set.Body.ToString());
        return owner;
    }

    private Task<ServiceWorld> StartAsync(Action<JsonObject>? change = null) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        var kbs = new JsonObject { ["tenant"] = "demo" };
        change?.Invoke(kbs);
        configuration["broker"] = new JsonObject { ["destroyHours"] = 0, ["kbs"] = kbs };
    });
}
