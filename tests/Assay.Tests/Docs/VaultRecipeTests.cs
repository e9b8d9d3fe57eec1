using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Tests.Cli;

namespace Assay.Tests.Docs;

/// <summary>
/// The recipe for Vault and OpenBao in docs/reference/tokens.md. Neither installs from Debian; what the role demands is demanded here of the same token by PyJWT, an
/// independent reader, which gets the key as the recipe makes it and what is required out of the recipe's own text.
/// </summary>
public sealed partial class VaultRecipeTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    // The steps of Vault's jwt method: signature with the key and algorithm of the configuration, issuer, time, one of the audiences, every bound claim, and the claim that names the user.
    private const string Login = """
        import json, sys, jwt
        token, key, role, algorithm, issuer = sys.argv[1:]
        role = json.load(open(role))
        try:
            claims = jwt.decode(open(token).read(), open(key).read(), algorithms=[algorithm], issuer=issuer, audience=role["bound_audiences"], options={"require": ["exp", "iss", "aud"]})
        except jwt.PyJWTError as error:
            sys.exit(type(error).__name__)
        for name, wanted in role["bound_claims"].items():
            if claims.get(name) != wanted:
                sys.exit("claim " + name)
        print("logged in as", claims[role["user_claim"]])
        """;

    private static readonly AssayCommand s_assay = new();
    private static readonly string s_page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "tokens.md"));

    [Fact]
    public void A_machine_bound_by_its_boot_event_logs_in_and_no_other_does()
    {
        var python = Peer.RequireModule("/usr/bin/python3", "jwt", "python3-jwt");
        var (private_, public_) = (machine.Fresh() + ".pem", machine.Fresh() + ".pub");
        s_assay.Says(0, "token", "keygen", "--out", private_);
        Assert.True(Peer.Require("openssl").Run("pkey", "-in", private_, "-pubout", "-out", public_).Accepted);
        var (role, simulated) = (Role().ToJsonString(), Role());
        // The role demands hardware; the machine at hand is a simulator's.
        simulated["bound_claims"]!["x-assay-anchors"] = "simulated";
        var algorithm = Algorithm().Match(s_page).Groups[1].Value;

        PeerAnswer LogIn(string token, string demanded, string issuer = "http://127.0.0.1") => python.Run(Saved(Login), token, public_, Saved(demanded), algorithm, issuer);
        var good = Token(private_, "vault", "--require-binding", "boot-event");

        Assert.Contains("logged in as urn:assay:policy:", LogIn(good, simulated.ToJsonString()).Output, StringComparison.Ordinal);
        Assert.Contains("claim x-assay-anchors", LogIn(good, role).Output, StringComparison.Ordinal);
        Assert.Contains("InvalidAudienceError", LogIn(Token(private_, "other"), simulated.ToJsonString()).Output, StringComparison.Ordinal);
        Assert.Contains("InvalidIssuerError", LogIn(good, simulated.ToJsonString(), "https://verifier.example").Output, StringComparison.Ordinal);
        Assert.Contains("claim x-assay-freshness", LogIn(Token(private_, "vault", null), simulated.ToJsonString()).Output, StringComparison.Ordinal);
    }

    // The JSON that the recipe gives to vault write.
    private static JsonObject Role() => JsonNode.Parse(RoleText().Match(s_page).Groups[1].Value)!.AsObject();

    private string Token(string key, string audience, params string[]? options)
    {
        string At(string name) => Path.Combine(machine.Folder, name);
        var token = machine.Fresh() + ".jwt";
        string[] nonce = options is null ? [] : ["--nonce", "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=", .. options];
        s_assay.Says(0, [
            "verify", "--evidence", At("machine.json"), "--reference-values", At("reference_values.json"), "--cpu-collateral", At("tdx_collateral.json"), "--anchors", At("machine_anchors.json"),
            "--rim-store", At("rims"), "--ocsp-store", At("ocsp"), "--expect", "gpus=8,switches=4", "--eat-out", token, "--token-format", "assay-eat", "--signing-key", key, "--issuer", "http://127.0.0.1", "--audience", audience, .. nonce]);
        return token;
    }

    private string Saved(string text)
    {
        var path = machine.Fresh();
        File.WriteAllText(path, text);
        return path;
    }

    [GeneratedRegex(@"auth/jwt/role/gpu - <<'EOF'\n(.*?)\nEOF", RegexOptions.Singleline)]
    private static partial Regex RoleText();

    [GeneratedRegex("jwt_supported_algs=(ES384)")]
    private static partial Regex Algorithm();
}
