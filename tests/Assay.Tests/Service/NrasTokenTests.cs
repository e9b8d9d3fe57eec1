using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Service.Identity;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Assay.Tests.Service;

/// <summary>Releases for a token of NVIDIA's service, which a stand-in with keys of its own writes: claims 3.0 as the service writes them, by Microsoft's writer of tokens.</summary>
public sealed class NrasTokenTests(AttestedMachine machine) : IClassFixture<AttestedMachine>, IDisposable
{
    private const string Nvidia = "https://nras.attestation.nvidia.com";
    private const string Denied = "urn:assay:release-denied";

    private readonly ECDsa _signer = ECDsa.Create(ECCurve.NamedCurves.nistP384);
    private readonly SealingKeyPair _pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);

    public void Dispose()
    {
        _signer.Dispose();
        _pair.Dispose();
    }

    [Fact]
    public async Task A_token_over_the_brokers_challenge_and_the_key_releases_where_the_policy_names_it()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world, PolicyJson());

        var answer = await ReleaseAsync(world, owner);

        Assert.True(answer.Status == 200, answer.Body.ToString());
        Assert.Equal(("nras-token", "none"), (answer.Body.GetProperty("tier").GetString(), answer.Body.GetProperty("binding").GetString()));
        Assert.True(Jwe.TryOpen(_pair, Encoding.ASCII.GetBytes(answer.Body.GetProperty("jwe").GetString()!), out var secret, out _));
        secret.Dispose();
        var told = JsonElement.Parse(answer.Body.GetProperty("logEntry").GetBytesFromBase64()).GetProperty("event");
        Assert.Equal(("nras-token", "pass", "nras-token"), (told.GetProperty("tier").GetString(), told.GetProperty("verdict").GetString(), told.GetProperty("weakened")[0].GetString()));
    }

    [Fact]
    public async Task Without_the_name_in_the_policy_or_keys_in_the_configuration_no_token_is_taken()
    {
        await using (var world = await StartAsync())
        {
            var owner = await OwnerAsync(world, """{"version":1,"expect":{"gpus":2,"binding":"none","acceptWeakened":["no-cpu-tee","gpu-binding-none","processor-not-expected","boot-not-expected"]}}""");
            Assert.Equal("verdict-weakened", await WhyAsync(world, owner, await ReleaseAsync(world, owner)));
            await SetAsync(world, owner, machine.Policy("x", "x", "{}")["expect"]!.DeepClone(), 2);
            Assert.Contains(await WhyAsync(world, owner, await ReleaseAsync(world, owner)), (string[])["evidence-refused", "verdict-weakened"]);
        }

        await using var other = await StartAsync(pinned: false);
        Assert.Equal("urn:assay:release-evidence-malformed", (await ReleaseAsync(other, await OwnerAsync(other, PolicyJson()))).Problem);
    }

    [Fact]
    public async Task A_policy_that_takes_tokens_asks_for_nothing_that_they_do_not_show()
    {
        await using var world = await StartAsync();
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        foreach (var expect in (string[])["\"gpus\":2,\"binding\":\"boot-event\"", "\"gpus\":2,\"binding\":\"none\",\"processor\":true", "\"processor\":true,\"binding\":\"none\"", "\"gpus\":2,\"switches\":2,\"binding\":\"none\"", "\"gpus\":2,\"binding\":\"none\",\"fwid\":true", "\"gpus\":2,\"binding\":\"none\",\"secureBoot\":true"])
        {
            var set = await world.PostAsync("/v1/keys/weights/policy", $$"""{"revision":1,"policy":{"version":1,"expect":{ {{expect}},"acceptWeakened":["nras-token"] } } }""", owner);
            Assert.Equal("urn:assay:release-policy-refused", set.Problem);
            Assert.Contains("nras-token goes with", set.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stolen_old_foreign_or_doctored_token_releases_nothing()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world, PolicyJson());
        using var thief = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var old = TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(6);

        var attacks = new (string Name, Func<string, (string Token, string Key)> Make, string Failing)[]
        {
            ("a token of the victim's, for the thief's key", nonce => (Token(nonce), thief.PublicKey.Jwk), "token.nonce.match"),
            ("a token over another challenge", _ => (Token(new string('a', 64)), _pair.PublicKey.Jwk), "token.nonce.match"),
            ("a token over the challenge alone, without a key", nonce => (Token(nonce, eatNonce: nonce), _pair.PublicKey.Jwk), "token.nonce.match"),
            ("six minutes old", nonce => (Token(nonce, at: old), _pair.PublicKey.Jwk), "nras.issued.recent"),
            ("one device's statement six minutes old", nonce => (Token(nonce, deviceAt: old), _pair.PublicKey.Jwk), "nras.issued.recent"),
            ("signed by another key", nonce => (Token(nonce, signer: stranger), _pair.PublicKey.Jwk), "token.signature.valid"),
            ("of another issuer", nonce => (Token(nonce, change: (claims, _) => claims["iss"] = "https://nras.example"), _pair.PublicKey.Jwk), "token.issuer.match"),
            ("for an audience", nonce => (Token(nonce, change: (claims, _) => claims["aud"] = "urn:assay:nras"), _pair.PublicKey.Jwk), "token.audience.match"),
            ("with claims of ours", nonce => (Token(nonce, change: (claims, _) => claims["x-assay-verdict"] = "pass"), _pair.PublicKey.Jwk), "token.anchors.accepted"),
            ("the overall result is false", nonce => (Token(nonce, change: (claims, name) => { if (name is null) { claims["x-nvidia-overall-att-result"] = false; } }), _pair.PublicKey.Jwk), "token.result.pass"),
            ("a GPU in debug mode", nonce => (Token(nonce, change: (claims, name) => { if (name is not null) { claims["dbgstat"] = "enabled"; } }), _pair.PublicKey.Jwk), "nras.device.result"),
            ("measurements that do not match under a result that says so", nonce => (Token(nonce, change: (claims, name) => { if (name is "GPU-1") { claims["measres"] = "fail"; } }), _pair.PublicKey.Jwk), "nras.device.result"),
            ("one GPU twice", nonce => (Token(nonce, change: (claims, name) => { if (name is not null) { claims["ueid"] = "1"; } }), _pair.PublicKey.Jwk), "nras.devices.distinct"),
            ("one GPU less", nonce => (Token(nonce, gpus: 1), _pair.PublicKey.Jwk), "nras.gpus.count"),
            ("an old driver", nonce => (Token(nonce, change: (claims, name) => { if (name is "GPU-0") { claims["x-nvidia-gpu-driver-version"] = "535.1"; } }), _pair.PublicKey.Jwk), "condition:ForAllValues:VersionGreaterThanEquals:assay:gpu:driver-version"),
        };
        foreach (var (name, make, failing) in attacks)
        {
            var answer = await ReleaseAsync(world, owner, make);
            Assert.True(answer.Problem == Denied, $"{name}: {answer.Body}");
            Assert.Contains(await WhyAsync(world, owner, answer), (string[])["evidence-refused", "conditions-unmet"]);
            Assert.True(answer.Body.GetProperty("failed").EnumerateArray().Any(item => item.GetString() == failing), $"{name}: {answer.Body}");
        }

        // Its own challenge once, and never this service's own tokens of NVIDIA's form, which answer whatever nonce is asked.
        var (id, challenge) = await world.ReleaseChallengeAsync(owner);
        var good = Request(id, Token(challenge), _pair.PublicKey.Jwk);
        Assert.Equal(200, (await world.PostAsync("/v1/keys/weights/release", good, owner)).Status);
        Assert.Equal("urn:assay:release-challenge-spent", (await world.PostAsync("/v1/keys/weights/release", good, owner)).Problem);
        (id, challenge) = await world.ReleaseChallengeAsync(owner);
        var own = await world.PostAsync("/v4/attest/gpu", machine.NvidiaRequest(DeviceNonce(challenge), "3.0"));
        Assert.Equal(200, own.Status);
        Assert.Equal(Denied, (await world.PostAsync("/v1/keys/weights/release", Request(id, own.Body.ToString(), _pair.PublicKey.Jwk), owner)).Problem);
        foreach (var body in (string[])[$$"""{"challenge":"{{id}}"}""", $$"""{"challenge":"{{id}}","nrasToken":[]}""", $$$"""{"challenge":"{{{id}}}","nrasToken":[],"evidence":{},"key":{}}""", $$$"""{"challenge":"{{{id}}}","evidence":{},"key":{}}"""])
        {
            Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys/weights/release", body, owner)).Problem);
        }
    }

    private static string PolicyJson() =>
        """{"version":1,"expect":{"gpus":2,"binding":"none","acceptWeakened":["nras-token"]},"conditions":{"ForAllValues:VersionGreaterThanEquals":{"assay:gpu:driver-version":"550.90"},"ForAllValues:StringLike":{"assay:gpu:hwmodel":"GH100*"}}}""";

    private string DeviceNonce(string challenge)
    {
        Assert.True(KeyBinding.TryCreate(challenge, Encoding.UTF8.GetBytes(_pair.PublicKey.Jwk), out var binding, out _));
        return binding.DeviceNonce().ToString();
    }

    // A detached bundle: the overall token names each device's by the SHA-256 of its text.
    private string Token(string challenge, string? eatNonce = null, DateTimeOffset? at = null, DateTimeOffset? deviceAt = null, ECDsa? signer = null, int gpus = 2, Action<Dictionary<string, object>, string?>? change = null)
    {
        var nonce = eatNonce ?? DeviceNonce(challenge);
        var devices = new JsonObject();
        var digests = new Dictionary<string, object>();
        for (var index = 0; index < gpus; index++)
        {
            var name = $"GPU-{index}";
            var claims = Claims(nonce, deviceAt ?? at);
            claims["measres"] = "success";
            claims["dbgstat"] = "disabled";
            claims["secboot"] = true;
            claims["hwmodel"] = "GH100 A01 GSP BROM";
            claims["ueid"] = $"64214758763{index}";
            claims["x-nvidia-gpu-driver-version"] = "550.90.07";
            claims["x-nvidia-gpu-vbios-version"] = "96.00.9F.00.01";
            claims["x-nvidia-gpu-attestation-report-nonce-match"] = true;
            change?.Invoke(claims, name);
            var text = Sign(claims, signer ?? _signer);
            devices[name] = text;
            digests[name] = new object[] { "DIGEST", new object[] { "SHA-256", Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text))) } };
        }

        var overall = Claims(nonce, at);
        overall["sub"] = "NVIDIA-PLATFORM-ATTESTATION";
        overall["x-nvidia-ver"] = "3.0";
        overall["x-nvidia-overall-att-result"] = true;
        overall["submods"] = digests;
        change?.Invoke(overall, null);
        return new JsonArray(new JsonArray("JWT", Sign(overall, signer ?? _signer)), devices).ToJsonString();
    }

    private static Dictionary<string, object> Claims(string nonce, DateTimeOffset? at)
    {
        var now = (at ?? TimeProvider.System.GetUtcNow()).ToUnixTimeSeconds();
        return new() { ["iss"] = Nvidia, ["iat"] = now, ["nbf"] = now, ["exp"] = now + 3600, ["jti"] = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), ["eat_nonce"] = nonce };
    }

    private static string Sign(Dictionary<string, object> claims, ECDsa signer) => new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
    {
        Claims = claims,
        SigningCredentials = new SigningCredentials(new ECDsaSecurityKey(signer) { KeyId = "nv-eat-kid-test" }, SecurityAlgorithms.EcdsaSha384),
    });

    private static string Request(string challenge, string token, string key) => $$"""{"challenge":"{{challenge}}","nrasToken":{{token}},"key":{{key}}}""";

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, Func<string, (string Token, string Key)>? make = null)
    {
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var (token, key) = make?.Invoke(nonce) ?? (Token(nonce), _pair.PublicKey.Jwk);
        return await world.PostAsync("/v1/keys/weights/release", Request(id, token, key), owner);
    }

    private static async Task<string> WhyAsync(ServiceWorld world, string owner, ServiceAnswer denied)
    {
        Assert.True(denied.Problem == Denied, denied.Body.ToString());
        return (await world.EntryAsync(owner, denied)).GetProperty("why").GetString()!;
    }

    private static async Task<string> OwnerAsync(ServiceWorld world, string policy)
    {
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        var set = await world.PostAsync("/v1/keys/weights/policy", $$"""{"revision":1,"policy":{{policy}}}""", owner);
        Assert.True(set.Status == 204, set.Body.ToString());
        return owner;
    }

    private static async Task SetAsync(ServiceWorld world, string owner, JsonNode expect, int revision)
    {
        var set = await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = revision, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    private Task<ServiceWorld> StartAsync(bool pinned = true) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        var broker = new JsonObject { ["destroyHours"] = 0 };
        if (pinned)
        {
            var point = _signer.ExportParameters(includePrivateParameters: false).Q;
            var file = Path.Combine(Path.GetDirectoryName(configuration["anchors"]!.GetValue<string>())!, "nras.json");
            File.WriteAllText(file, $$"""{"keys":[{"kty":"EC","crv":"P-384","alg":"ES384","kid":"nv-eat-kid-test","x":"{{System.Buffers.Text.Base64Url.EncodeToString(point.X)}}","y":"{{System.Buffers.Text.Base64Url.EncodeToString(point.Y)}}"}]}""");
            broker["nras"] = new JsonObject { ["issuer"] = Nvidia, ["keys"] = file };
        }

        configuration["broker"] = broker;
    });
}
