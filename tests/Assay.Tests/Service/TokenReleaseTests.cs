using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Server;
using Assay.Service.Identity;
using Assay.Tests.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>Releases for a token of an attestation service, with a proof that the asker has the key that the token names.</summary>
public sealed class TokenReleaseTests(AttestedMachine machine) : IClassFixture<AttestedMachine>, IDisposable
{
    private const string Denied = "urn:assay:release-denied";
    private const string Elsewhere = "http://127.0.0.1:9";
    private const string Spent = "urn:assay:release-challenge-spent";

    // That of another attestation service, whose tokens this test writes.
    private readonly SigningKey _other = NewKey();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _other.Dispose();

    [Fact]
    public async Task A_token_and_its_key_release_where_the_policy_names_issuer_and_policy()
    {
        await using var world = await StartAsync();
        var token = await TokenAsync(world);
        var owner = await OwnerAsync(world, Policy(world.Issuer, token));
        using var broker = Broker(world, owner);

        var released = await broker.FetchByTokenAsync("weights", token, ServiceWorld.Audience, Encoding.UTF8.GetBytes(KeyOf(token)), OpenAsync, Cancellation);

        using var secret = await OpenAsync(released.Jwe, Cancellation);
        Assert.Equal(32, secret.Length);
        Assert.Equal("boot-event", released.Binding);
        var told = JsonElement.Parse(released.LogEntry.Span).GetProperty("event");
        Assert.Equal(("assay-token", "pass", "simulated", world.Issuer), (told.GetProperty("tier").GetString(), told.GetProperty("verdict").GetString(), told.GetProperty("anchors").GetString(), told.GetProperty("issuer").GetString()));
        Assert.Equal(((string)Payload(token)["x-assay-policy"]!["digest"]!, (string)Payload(token)["jti"]!), (told.GetProperty("issuersPolicy").GetString(), told.GetProperty("token").GetString()));
        Assert.Equal(["reference-values-unsigned", "assay-token"], told.GetProperty("weakened").EnumerateArray().Select(item => item.GetString()!));
        Assert.Equal("tdx", told.GetProperty("tee").GetString());
        Assert.Equal(4, told.GetProperty("devices").GetInt32());
    }

    [Fact]
    public async Task Without_the_name_in_the_policy_or_issuers_in_the_configuration_no_token_is_taken()
    {
        await using (var world = await StartAsync())
        {
            var token = await TokenAsync(world);
            var without = Policy(world.Issuer, token);
            without.Remove("token");
            without["expect"]!["acceptWeakened"] = new JsonArray("reference-values-unsigned");
            var owner = await OwnerAsync(world, without);
            Assert.Equal("verdict-weakened", await WhyAsync(world, owner, await ReleaseAsync(world, owner, token)));
        }

        await using var other = await StartAsync(pinned: false);
        var plain = await TokenAsync(other);
        var keeper = await OwnerAsync(other, Policy(other.Issuer, plain));
        Assert.Equal("urn:assay:bad-request", (await PossessionAsync(other, keeper, KeyOf(plain))).Problem);
        var (id, _) = await other.ReleaseChallengeAsync(keeper);
        Assert.Equal(Spent, (await PresentAsync(other, keeper, id, plain, new string('0', 64))).Problem);
    }

    [Fact]
    public async Task A_stolen_token_releases_nothing_without_the_machines_key()
    {
        await using var world = await StartAsync();
        var token = await TokenAsync(world);
        var owner = await OwnerAsync(world, Policy(world.Issuer, token));
        using var thief = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);

        var attempts = new (string Name, Func<Task<ServiceAnswer>> Try, string Failing)[]
        {
            ("a challenge that the thief opens with a key of its own", async () =>
            {
                var asked = await PossessionAsync(world, owner, thief.PublicKey.Jwk);
                Assert.True(Jwe.TryOpen(thief, Encoding.ASCII.GetBytes(asked.Body.GetProperty("jwe").GetString()!), out var opened, out _));
                using (opened)
                {
                    return await PresentAsync(world, owner, asked.Body.GetProperty("id").GetString()!, token, opened.Use(lease => Prove(lease.Bytes)));
                }
            }, "assay-token.possession.proven"),
            ("a guess", async () => await PresentAsync(world, owner, (await PossessionAsync(world, owner, KeyOf(token))).Body.GetProperty("id").GetString()!, token, new string('0', 64)), "assay-token.possession.proven"),
            ("a proof about another key of the broker's", () => ReleaseAsync(world, owner, token, about: "other"), "assay-token.possession.proven"),
            ("a proof for another broker", () => ReleaseAsync(world, owner, token, audience: "https://another.example"), "assay-token.possession.proven"),
        };
        foreach (var (name, attempt, failing) in attempts)
        {
            var answer = await attempt();
            Assert.True(answer.Problem == Denied, $"{name}: {answer.Body}");
            Assert.Equal([failing], answer.Body.GetProperty("failed").EnumerateArray().Select(item => item.GetString()!));
            Assert.Equal("evidence-refused", await WhyAsync(world, owner, answer));
        }

        // A challenge of the other kind has a nonce that its asker knows, and is refused here; and each is answered once.
        var (known, nonce) = await world.ReleaseChallengeAsync(owner);
        Assert.Equal(Spent, (await PresentAsync(world, owner, known, token, Prove([.. KeyPossession.Label, .. HMACSHA256.HashData(Convert.FromHexString(nonce), Array.Empty<byte>())]))).Problem);
        var challenge = await PossessionAsync(world, owner, KeyOf(token));
        using var answered = await OpenAsync(challenge.Body.GetProperty("jwe").GetString()!, Cancellation);
        var (once, proof) = (challenge.Body.GetProperty("id").GetString()!, answered.Use(lease => Prove(lease.Bytes)));
        Assert.Equal(200, (await PresentAsync(world, owner, once, token, proof)).Status);
        Assert.Equal(Spent, (await PresentAsync(world, owner, once, token, proof)).Problem);
        // Another tenant's challenge is refused too.
        var neighbour = await world.KeyOfAsync("neighbour", Scopes.Release);
        var foreign = await PossessionAsync(world, neighbour, KeyOf(token));
        Assert.Equal(Spent, (await PresentAsync(world, owner, foreign.Body.GetProperty("id").GetString()!, token, proof)).Problem);
        foreach (var body in (string[])[$$"""{"challenge":"{{once}}","token":"x"}""", $$"""{"challenge":"{{once}}","possession":"x"}""", $$$"""{"challenge":"{{{once}}}","token":"x","possession":"x","evidence":{}}"""])
        {
            Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys/weights/release", body, owner)).Problem);
        }
    }

    [Fact]
    public async Task Old_foreign_weakened_and_altered_tokens_release_nothing()
    {
        await using var world = await StartAsync();
        var real = await TokenAsync(world);
        var elsewhere = Forged(real, _ => { });
        var owner = await OwnerAsync(world, Policy(Elsewhere, real));
        Assert.Equal(200, (await ReleaseAsync(world, owner, elsewhere)).Status);
        var now = TimeProvider.System.GetUtcNow();
        long Ago(int minutes) => (now - TimeSpan.FromMinutes(minutes)).ToUnixTimeSeconds();

        var attacks = new (string Name, string Token, string Failing)[]
        {
            ("of the other pinned issuer, whose policy the key does not name", real, "assay-token.policy.named"),
            ("under another policy of the issuer", Forged(real, claims => claims["x-assay-policy"]!["digest"] = $"sha384:{new string('0', 96)}"), "assay-token.policy.named"),
            ("six minutes old", Forged(real, claims => claims["iat"] = Ago(6)), "assay-token.issued.recent"),
            ("new, over a verdict of six minutes ago", Forged(real, claims => claims["x-assay-evaluated-at"] = (now - TimeSpan.FromMinutes(6)).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)), "assay-token.issued.recent"),
            ("that names no key", Forged(real, claims => { claims.Remove("tee-pubkey"); claims.Remove("cnf"); }), "assay-token.key.named"),
            ("one GPU less", Forged(real, claims => claims["submods"]!.AsObject().Remove("GPU-1")), "assay-token.gpus.count"),
            ("without the switches", Forged(real, claims => { claims["submods"]!.AsObject().Remove("SWITCH-0"); claims["submods"]!.AsObject().Remove("SWITCH-1"); }), "assay-token.switches.count"),
            ("without the processor", Forged(real, claims => claims["submods"]!.AsObject().Remove("CPU-0")), "assay-token.processor.shown"),
            ("that names no policy", Forged(real, claims => claims.Remove("x-assay-policy")), "assay-token.policy.named"),
            ("whose policy is text", Forged(real, claims => claims["x-assay-policy"] = "sha384:00"), "assay-token.policy.named"),
            ("of a chip under a VLEK", Forged(real, claims => claims["submods"]!["CPU-0"]!["x-assay-snp-signing-key"] = "vlek"), "assay-token.vlek.accepted"),
            ("of an SNP machine that does not say which key signed", Forged(real, claims => claims["submods"]!["CPU-0"]!["x-assay-tee"] = "snp"), "assay-token.vlek.accepted"),
            ("two minutes ahead", Forged(real, claims => claims["iat"] = Ago(-2)), "token.time.begun"),
            ("for another audience", Forged(real, claims => claims["aud"] = "https://another.example"), "token.audience.match"),
            ("bound less strongly", Forged(real, claims => claims["x-assay-gpu-binding"] = "evidence-hash"), "token.binding.met"),
            ("weakened by what the policy does not accept", Forged(real, claims => claims["x-assay-weakened"] = new JsonArray("revocation-not-checked")), "token.weakened.none"),
            ("over a nonce that a caller chose", Forged(real, claims => claims["x-assay-freshness"] = "caller"), "token.weakened.none"),
            ("of a failing verdict", Forged(real, claims => claims["x-assay-verdict"] = "fail"), "token.result.pass"),
            ("signed by another key", Signed(real, NewKey(), claims => claims["iss"] = Elsewhere), "token.key.known"),
            ("altered after it was signed", elsewhere[..^6] + (elsewhere[^6] == 'A' ? 'B' : 'A') + elsewhere[^5..], "token.signature.valid"),
            ("of an issuer that is not pinned", Signed(real, _other, claims => claims["iss"] = "http://127.0.0.1:8"), "assay-token.issuer.known"),
            ("of another tee", Forged(real, claims => { claims["submods"]!["CPU-0"]!["x-assay-tee"] = "snp"; claims["submods"]!["CPU-0"]!["x-assay-snp-signing-key"] = "vcek"; }), "condition:StringEquals:assay:cpu:tee"),
        };
        foreach (var (name, token, failing) in attacks)
        {
            var answer = await ReleaseAsync(world, owner, token, key: KeyOf(real));
            Assert.True(answer.Problem == Denied, $"{name}: {answer.Body}");
            Assert.Contains(await WhyAsync(world, owner, answer), (string[])["evidence-refused", "conditions-unmet"]);
            Assert.True(answer.Body.GetProperty("failed").EnumerateArray().Any(item => item.GetString() == failing), $"{name}: {answer.Body}");
        }

        Assert.Equal("urn:assay:release-evidence-malformed", (await ReleaseAsync(world, owner, "no.token", key: KeyOf(real))).Problem);
    }

    [Fact]
    public async Task A_policy_that_takes_tokens_names_whose_and_asks_for_nothing_that_they_do_not_show()
    {
        await using var world = await StartAsync();
        var token = await TokenAsync(world);
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var faults = new (Action<JsonObject> Change, string Told)[]
        {
            (policy => policy.Remove("token"), "$.token: it goes with assay-token"),
            (policy => policy["expect"]!["acceptWeakened"] = new JsonArray("reference-values-unsigned"), "$.token: it goes with assay-token"),
            (policy => policy["token"]!["policies"] = new JsonArray(), "$.token.policies: 1 to 16 digests"),
            (policy => policy["token"]!["policies"] = new JsonArray("sha384:00"), "96 hexadecimal digits"),
            (policy => policy["token"]!["issuer"] = "", "$.token.issuer"),
            (policy => policy["expect"]!["secureBoot"] = true, "$.token: it goes with binding"),
            (policy => policy["token"]!["issuer"] = null, "$.token"),
            (policy => policy["token"]!["policies"] = new JsonArray((JsonNode?)null), "96 hexadecimal digits"),
            (policy => policy["phase"] = "boot", "$.phase"),
            (policy => policy["expect"]!["dangerouslySkipRevocation"] = true, "$.token: it goes with binding"),
            (policy => policy["expect"]!["acceptWeakened"]!.AsArray().Add("nras-token"), "$."),
            (policy => policy["expect"]!["fwid"] = true, "$.token: it goes with binding"),
            (policy => policy["expect"]!["referenceValues"] = machine.References, "$.token: it goes with binding"),
            (policy => policy["expect"]!["collateralHours"] = 5, "$.token: it goes with binding"),
        };
        foreach (var (change, told) in faults)
        {
            var policy = Policy(world.Issuer, token);
            change(policy);
            var set = await SetAsync(world, owner, policy);
            Assert.True(set.Problem == "urn:assay:release-policy-refused", $"{told}: {set.Status} {set.Body}");
            Assert.Contains(told, set.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_is_accepted_of_tokens_is_not_accepted_of_evidence()
    {
        await using var world = await StartAsync();
        var policy = Policy(world.Issuer, await TokenAsync(world));
        policy["expect"]!["binding"] = "evidence-hash";
        foreach (var name in (string[])["boot-not-expected", "gpu-binding-evidence-hash", "tdx-no-reference-values"])
        {
            policy["expect"]!["acceptWeakened"]!.AsArray().Add(name);
        }

        var owner = await OwnerAsync(world, policy);
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var evidence = await machine.EvidenceAsync(nonce);

        var answer = await world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{id}}","evidence":{{evidence}}}""", owner);
        Assert.Equal("conditions-unmet", await WhyAsync(world, owner, answer));
        Assert.Equal(["assay-token.shown"], answer.Body.GetProperty("failed").EnumerateArray().Select(item => item.GetString()!));
        var tried = await world.PostAsync("/v1/keys/weights/policy/dry-run", $$"""{"evidence":{{evidence}},"challenge":"{{nonce}}"}""", owner);
        Assert.False(tried.Body.GetProperty("released").GetBoolean());
        Assert.Equal(200, (await ReleaseAsync(world, owner, await TokenAsync(world))).Status);
    }

    [Fact]
    public async Task A_machine_whose_image_says_so_shows_a_token_and_gets_its_key()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world, Policy(world.Issuer, await TokenAsync(world)));
        var credential = Path.Combine(machine.Vm.Folder, "token-release.key");
        await File.WriteAllTextAsync(credential, await world.KeyOfAsync("demo", Scopes.Attest, Scopes.Release), Cancellation);
        string Image(string audiences) => $$"""{"version":1,"gate":"verify","devices":{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{machine.Services}}","service":{"url":"{{world.Issuer}}","credential":"/../token-release.key","audiences":["{{audiences}}"]},"broker":{"url":"{{world.Issuer}}","credential":"/../token-release.key","token":"{{ServiceWorld.Audience}}"} }""";
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None, Image("https://another.example"));
        Assert.Contains("broker.token", (await machine.Vm.RunAsync(["gate"], Cancellation)).Error, StringComparison.Ordinal);
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None, Image(ServiceWorld.Audience));
        Assert.Null(await machine.Vm.BootAsync(Cancellation));

        var fetched = await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "wc", "-c"], Cancellation);

        Assert.True(fetched.ExitCode == 0, fetched.Error);
        Assert.Equal("32", fetched.Output.Trim());
        Assert.Contains("binding boot-event", fetched.Error, StringComparison.Ordinal);
        Assert.Contains("agent.key-denied", (await machine.Vm.RunAsync(["key", "fetch", "--key", "theirs", "--exec", "true"], Cancellation)).Error, StringComparison.Ordinal);
        // A token for a cloud is a bearer's: no broker is shown one.
        await world.ActivateAsync("cloud", "https://cloud.example", policy => policy["token"] = new JsonObject { ["form"] = "cloud", ["algorithm"] = "ES384", ["cloud"] = new JsonObject { ["kind"] = "aws" } });
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"now"}""", owner)).Status);
        Assert.Contains("agent.key-denied", (await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "true"], Cancellation)).Error, StringComparison.Ordinal);
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None, Image("https://cloud.example").Replace($"\"token\":\"{ServiceWorld.Audience}\"", "\"token\":\"https://cloud.example\"", StringComparison.Ordinal));
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        Assert.Contains("agent.token-refused", (await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "true"], Cancellation)).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("null", "broker.issuers[0]: an object is expected")]
    [InlineData("""{"issuer":"","audience":"x","keys":"/nowhere"}""", "broker.issuers[0]: the issuer and the audience")]
    [InlineData("""{"issuer":"https://attest.example","audience":"x"}""", "broker.issuers[0].keys: a file")]
    [InlineData("""{"issuer":"https://keys.example","audience":"x"}""", "broker.issuers[0].keys: a file")]
    [InlineData("""{"issuer":"https://attest.example","audience":"x","keys":"/nowhere"}""", "broker.issuers[0].keys: /nowhere")]
    [InlineData("""{"issuer":"https://attest.example","audience":"x","keys":"/nowhere"},{"issuer":"https://attest.example","audience":"y","keys":"/nowhere"}""", "broker.issuers[1].issuer: each is expected once")]
    public void An_issuer_that_is_not_pinned_whole_is_a_fault(string issuers, string told)
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("assay-issuers-").FullName, "configuration");
        File.WriteAllText(file, $$"""{"issuer":"https://keys.example","roles":["broker"],"broker":{"issuers":[{{issuers}}]} }""");

        Assert.False(ServerConfiguration.TryRead(file, _ => null, out _, out var faults));

        Assert.Contains(faults, fault => fault.Contains(told, StringComparison.Ordinal));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void What_is_no_challenge_of_possession_is_not_answered()
    {
        Assert.False(KeyPossession.TryProve(RandomNumberGenerator.GetBytes(32), "a", "b", out _));
        Assert.False(KeyPossession.TryProve(RandomNumberGenerator.GetBytes(52), "a", "b", out _));
        Assert.False(KeyPossession.TryProve([.. KeyPossession.Label, .. new byte[31]], "a", "b", out _));
        Assert.True(KeyPossession.TryProve([.. KeyPossession.Label, .. new byte[32]], "https://broker.example", "weights", out var proof));
        // printf 'assay-possession/v1/https://broker.example/weights' | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…00
        Assert.Equal(Convert.ToHexStringLower(HMACSHA256.HashData(new byte[32], "assay-possession/v1/https://broker.example/weights"u8)), proof);
    }

    private static string Prove(ReadOnlySpan<byte> opened, string audience = ServiceWorld.Audience, string id = "weights")
    {
        Assert.True(KeyPossession.TryProve(opened, audience, id, out var proof));
        return proof;
    }

    private static JsonObject Policy(string issuer, string token) => JsonNode.Parse(
        $$$"""{"version":1,"expect":{"gpus":2,"switches":2,"processor":true,"binding":"boot-event","acceptWeakened":["reference-values-unsigned","assay-token"]},"token":{"issuer":"{{{issuer}}}","policies":["{{{Payload(token)["x-assay-policy"]!["digest"]}}}"]},"conditions":{"StringEquals":{"assay:cpu:tee":"tdx"},"ForAllValues:StringLike":{"assay:gpu:hwmodel":"GH100*"} } }""")!.AsObject();

    private static JsonObject Payload(string token) => JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();

    private static string KeyOf(string token) => Payload(token)["cnf"]!["jwk"]!.ToJsonString();

    private static SigningKey NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()), out var signing, out _));
        return signing;
    }

    private static string Signed(string token, SigningKey key, Action<JsonObject> change)
    {
        var claims = Payload(token);
        change(claims);
        return Reforged.Sign(key, new JsonObject { ["alg"] = key.PublicKey.AlgorithmName, ["kid"] = key.PublicKey.KeyId, ["typ"] = "JWT" }, claims.ToJsonString());
    }

    private string Forged(string token, Action<JsonObject> change) => Signed(token, _other, claims =>
    {
        claims["iss"] = Elsewhere;
        change(claims);
    });

    private static KeyBrokerClient Broker(ServiceWorld world, string owner)
    {
        Assert.True(ServiceAddress.TryParse(world.Issuer, out var address, out _));
        return new KeyBrokerClient(address, owner);
    }

    private async Task<Assay.Sealing.Memory.SecretBuffer> OpenAsync(string jwe, CancellationToken cancellation)
    {
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        return await agent.UnwrapKeyAsync("release", jwe, cancellation);
    }

    private static async Task<string> TokenAsync(ServiceWorld world)
    {
        var answer = await world.AttestAsync();
        Assert.True(answer.Status == 200, answer.Body.ToString());
        return answer.Body.GetProperty("token").GetString()!;
    }

    private static Task<ServiceAnswer> PossessionAsync(ServiceWorld world, string owner, string key) => world.PostAsync("/v1/possession-challenges", $$"""{"key":{{key}}}""", owner);

    private static Task<ServiceAnswer> PresentAsync(ServiceWorld world, string owner, string challenge, string token, string proof) =>
        world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{challenge}}","token":"{{token}}","possession":"{{proof}}"}""", owner);

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, string token, string? key = null, string about = "weights", string audience = ServiceWorld.Audience)
    {
        var challenge = await PossessionAsync(world, owner, key ?? KeyOf(token));
        Assert.True(challenge.Status == 201, challenge.Body.ToString());
        using var opened = await OpenAsync(challenge.Body.GetProperty("jwe").GetString()!, Cancellation);
        return await PresentAsync(world, owner, challenge.Body.GetProperty("id").GetString()!, token, opened.Use(lease => Prove(lease.Bytes, audience, about)));
    }

    private static async Task<string> WhyAsync(ServiceWorld world, string owner, ServiceAnswer denied)
    {
        Assert.True(denied.Problem == Denied, denied.Body.ToString());
        return (await world.EntryAsync(owner, denied)).GetProperty("why").GetString()!;
    }

    private static Task<ServiceAnswer> SetAsync(ServiceWorld world, string owner, JsonObject policy) =>
        world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = policy }.ToJsonString(), owner);

    private static async Task<string> OwnerAsync(ServiceWorld world, JsonObject policy)
    {
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var set = await SetAsync(world, owner, policy);
        Assert.True(set.Status == 204, set.Body.ToString());
        return owner;
    }

    private Task<ServiceWorld> StartAsync(bool pinned = true) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        if (pinned)
        {
            var file = Path.Combine(Path.GetDirectoryName(configuration["anchors"]!.GetValue<string>())!, "issuer.json");
            File.WriteAllText(file, Encoding.UTF8.GetString(JsonWebKeySet.Of(_other.PublicKey).ToJson()));
            configuration["broker"] = new JsonObject
            {
                ["issuers"] = new JsonArray(
                    new JsonObject { ["issuer"] = configuration["issuer"]!.DeepClone(), ["audience"] = ServiceWorld.Audience },
                    new JsonObject { ["issuer"] = Elsewhere, ["audience"] = ServiceWorld.Audience, ["keys"] = file }),
            };
        }
    });
}
