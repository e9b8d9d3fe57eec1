using System.Text.Json;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Collateral;
using Assay.Tests.Simulator;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Tokens;

/// <summary>The command from a key to an accepted token, as a user runs it.</summary>
public sealed class TokenCommandTests : IDisposable
{
    private const string Issuer = "http://127.0.0.1:8443";
    private static readonly string s_nonce = Convert.ToHexStringLower(SimulatorFixture.Nonce);

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-token-command-").FullName;
    private readonly AssayCommand _assay = new();

    public TokenCommandTests()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Ls10);
        SimulatedSet.Of(authority, device, SimulatorFixture.Nonce, now).Write(_folder);
    }

    [Fact]
    public async Task A_token_that_one_machine_writes_another_accepts_with_only_the_key_set()
    {
        Says(0, "ES384 key", Run("token", "keygen", "--out", At("issuer.pem")));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(At("issuer.pem")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Says(2, "never overwritten", Run("token", "keygen", "--out", At("issuer.pem")));
        var keys = Run("token", "jwks", "--signing-key", At("issuer.pem"));
        Assert.True(keys.Accepted, keys.Output);
        Assert.DoesNotContain("\"d\"", keys.Output);
        File.WriteAllText(At("jwks.json"), keys.Output);
        Says(0, "PASS", Write("--audience", "broker"));

        Says(0, "ACCEPTED", Verify("--audience", "broker", "--issuer", Issuer, "--accept-anchors", "simulated"));
        Says(1, "token.anchors.accepted", Verify("--audience", "broker"));
        Says(1, "token.audience.match", Verify("--accept-anchors", "simulated"));
        Says(1, "token.issuer.match", Verify("--audience", "broker", "--issuer", "https://verifier.example", "--accept-anchors", "simulated"));
        Says(1, "token.time.not-ended", Verify("--audience", "broker", "--accept-anchors", "simulated", "--at", "2099-01-01T00:00:00Z"));
        Says(2, "cli.nonce", Run("token", "verify", At("eat.json"), "--jwks", At("jwks.json"), "--nonce", "12"));
        Says(2, "jwks.malformed", Run("token", "verify", At("eat.json"), "--jwks", At("eat.json")));
        Says(2, "cli.url", Run("token", "verify", At("eat.json"), "--jwks", "http://verifier.example/jwks.json"));

        var json = Verify("--audience", "broker", "--accept-anchors", "simulated", "--format", "json");
        using var document = JsonDocument.Parse(json.Output);
        Assert.True(document.RootElement.GetProperty("accepted").GetBoolean());
        Assert.Equal("pass", document.RootElement.GetProperty("claims").GetProperty("x-assay-verdict").GetString());

        Says(0, "NOTHING HERE IS VERIFIED", Run("token", "show", At("eat.json")));
        using var shown = JsonDocument.Parse(Run("token", "show", At("eat.json"), "--format", "json").Output);
        Assert.False(shown.RootElement.GetProperty("verified").GetBoolean());

        await using var server = await Loopback.StartAsync(context => context.Request.Path == "/jwks.json"
            ? context.Response.WriteAsync(keys.Output)
            : Task.FromResult(context.Response.StatusCode = 404));
        Says(0, "ACCEPTED", Run("token", "verify", At("eat.json"), "--jwks", $"{server.Text}/jwks.json", "--nonce", s_nonce, "--audience", "broker", "--accept-anchors", "simulated", "--accept-weakened", DevicesAlone));
        Says(3, "jwks.unreachable", Run("token", "verify", At("eat.json"), "--jwks", $"{server.Text}/other", "--audience", "broker"));
    }

    [Theory]
    [InlineData("nvidia-ear", "ear_status")]
    [InlineData("trustee-ear", "ear.status")]
    [InlineData("assay-eat", "urn:assay:eat:machine:1")]
    public void A_single_token_is_written_shown_and_verified(string format, string member)
    {
        Run("token", "keygen", "--out", At("issuer.pem"));
        Says(0, "PASS", Write("--token-format", format));

        Says(0, member, Run("token", "show", At("eat.json")));
        Says(2, "jwks.malformed", Run("token", "verify", At("eat.json"), "--jwks", At("issuer.pem")));
        File.WriteAllText(At("jwks.json"), Run("token", "jwks", "--signing-key", At("issuer.pem")).Output);
        Says(0, "ACCEPTED", Verify("--issuer", Issuer, "--accept-anchors", "simulated"));
        Says(1, "token.anchors.accepted", Verify("--issuer", Issuer));
        using var json = JsonDocument.Parse(Verify("--accept-anchors", "simulated", "--format", "json").Output);
        Assert.True(json.RootElement.GetProperty("accepted").GetBoolean());
        Assert.Equal("success", json.RootElement.GetProperty("devices").EnumerateObject().Single().Value.GetProperty("measres").GetString());

        // A line's end behind it is a text file's; anything else is no token.
        var token = File.ReadAllText(At("eat.json"));
        File.WriteAllText(At("eat.json"), token + "\n");
        Says(0, "ACCEPTED", Verify("--accept-anchors", "simulated"));
        File.WriteAllText(At("eat.json"), token + " x");
        Says(2, "token.wellformed", Verify("--accept-anchors", "simulated"));
    }

    [Fact]
    public async Task A_token_is_verified_under_the_keys_that_its_issuer_publishes()
    {
        Run("token", "keygen", "--out", At("issuer.pem"));
        Run("token", "keygen", "--out", At("other.pem"));
        var (keys, others) = (Run("token", "jwks", "--signing-key", At("issuer.pem")).Output, Run("token", "jwks", "--signing-key", At("other.pem")).Output);
        var named = "";
        await using var server = await Loopback.StartAsync(context => (string)context.Request.Path switch
        {
            "/.well-known/openid-configuration" => context.Response.WriteAsync($$"""{"issuer":"{{named}}","jwks_uri":"http://{{context.Request.Host}}/keys"}"""),
            "/keys" => context.Response.WriteAsync(keys),
            _ => Task.FromResult(context.Response.StatusCode = 404),
        });
        named = server.Text;
        Says(0, "PASS", Run([.. Evidence, "--eat-out", At("eat.json"), "--token-format", "assay-eat", "--signing-key", At("issuer.pem"), "--issuer", server.Text]));
        PeerAnswer Discover(params string[] options) => Run(["token", "verify", At("eat.json"), "--nonce", s_nonce, "--accept-anchors", "simulated", "--accept-weakened", DevicesAlone, .. options]);

        Says(0, "ACCEPTED", Discover("--discover", "--issuer", server.Text));
        Says(2, "jwks.malformed", Discover("--discover", "--issuer", server.Text + "/"));
        Says(2, "cli.token", Discover("--discover"));
        Says(2, "cli.token", Discover("--issuer", server.Text));
        Says(2, "cli.token", Discover("--discover", "--issuer", server.Text, "--jwks", At("jwks.json")));
        Says(2, "cli.issuer", Discover("--discover", "--issuer", "http://verifier.example"));
        Says(3, "jwks.unreachable", Discover("--discover", "--issuer", server.Text + "/tenant"));

        // The issuer's own keys, and a token that names another issuer: what it says of itself chooses nothing.
        named = server.Text + "/tenant";
        Says(0, "PASS", Run([.. Evidence, "--eat-out", At("eat.json"), "--token-format", "assay-eat", "--signing-key", At("issuer.pem"), "--issuer", named]));
        named = server.Text;
        Says(1, "token.issuer.match", Discover("--discover", "--issuer", server.Text));
        Says(0, "PASS", Run([.. Evidence, "--eat-out", At("eat.json"), "--token-format", "assay-eat", "--signing-key", At("other.pem"), "--issuer", server.Text]));
        Says(1, "token.key.known", Discover("--discover", "--issuer", server.Text));
        keys = others;
        Says(0, "ACCEPTED", Discover("--discover", "--issuer", server.Text));
    }

    [Theory]
    [InlineData("es384", "ES384")]
    [InlineData("es256", "ES256")]
    [InlineData("rs256", "RS256")]
    public void A_key_is_made_for_the_algorithm_that_is_asked_for(string algorithm, string name)
    {
        Says(0, $"{name} key ", Run("token", "keygen", "--algorithm", algorithm, "--out", At("issuer.pem")));
        File.WriteAllText(At("jwks.json"), Run("token", "jwks", "--signing-key", At("issuer.pem")).Output);
        Assert.Contains($"\"alg\": \"{name}\"", File.ReadAllText(At("jwks.json")), StringComparison.Ordinal);

        Says(0, "PASS", Write());
        Says(0, "ACCEPTED", Verify("--issuer", Issuer, "--accept-anchors", "simulated"));
        Says(0, $"\"alg\": \"{name}\"", Run("token", "show", At("eat.json")));
        Says(2, "--algorithm: one of es384, es256, rs256", Run("token", "keygen", "--algorithm", "es38", "--out", At("other.pem")));
    }

    [Fact]
    public void What_cannot_be_meant_is_refused_before_anything_is_done()
    {
        Run("token", "keygen", "--out", At("issuer.pem"));

        Says(2, "cli.issuer", Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("issuer.pem"), "--issuer", "https://nras.attestation.nvidia.com"]));
        Says(2, "loopback", Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("issuer.pem"), "--issuer", "https://verifier.example"]));
        Says(2, "cli.token", Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("issuer.pem")]));
        Says(2, "cli.token", Run([.. Evidence, "--issuer", Issuer]));
        Says(2, "cli.signing-key", Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("none.pem"), "--issuer", Issuer]));
        Says(2, "cli.arguments", Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("issuer.pem"), "--issuer", Issuer, "--token-lifetime", "86401"]));
        Assert.False(File.Exists(At("eat.json")));
    }

    [Fact]
    public void A_hostile_token_does_not_draw_on_the_terminal()
    {
        var payload = Reforged.Url("{\"iss\":\"\\u001b[2J\u202e\"}");
        File.WriteAllText(At("token"), $"{Reforged.Url("{\"alg\":\"\\u001b\"}")}.{payload}.");

        var answer = Run("token", "show", At("token"));

        Says(0, "NOTHING HERE IS VERIFIED", answer);
        Assert.DoesNotContain('\u001b', answer.Output);
        Assert.DoesNotContain('\u202e', answer.Output);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string[] Evidence =>
    [
        "verify", "--evidence", At("switch_evidence.json"), "--anchors", At("anchors.json"), "--rim-store", At("rims"), "--ocsp-store", At("ocsp"), "--nonce", s_nonce,
    ];

    private string At(string name) => Path.Combine(_folder, name);

    private PeerAnswer Write(params string[] more) => Run([.. Evidence, "--eat-out", At("eat.json"), "--signing-key", At("issuer.pem"), "--issuer", Issuer, .. more]);

    private PeerAnswer Verify(params string[] more) => Run(["token", "verify", At("eat.json"), "--jwks", At("jwks.json"), "--nonce", s_nonce, "--accept-weakened", DevicesAlone, .. more]);

    // What devices alone leave open.
    private static string DevicesAlone => string.Join(',', TokenFixture.DevicesAlone);

    private PeerAnswer Run(params string[] arguments) => _assay.Run(arguments);

    private static void Says(int code, string text, PeerAnswer answer)
    {
        Assert.True(code == answer.ExitCode, $"{answer.ExitCode}: {answer.Output}");
        Assert.Contains(text, answer.Output, StringComparison.Ordinal);
    }
}
