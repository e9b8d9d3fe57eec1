using System.Security.Cryptography;
using System.Text.Json;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>Both forms of EAR say no more than the verdict.</summary>
public sealed class EarTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Fact]
    public void A_pass_affirms()
    {
        var (nvidia, trustee) = Write(fixture.Pass);

        Assert.Equal("affirming", nvidia.GetProperty("ear_status").GetString());
        Assert.Equal(["gpu_0", "gpu_1", "switch_0"], Names(nvidia));
        Assert.All(Submodules(nvidia), submodule => Assert.Equal("affirming", submodule.GetProperty("ear_status").GetString()));
        Assert.Equal(["gpu0", "gpu1", "switch0"], Names(trustee));
        Assert.All(Submodules(trustee), submodule => Assert.Equal("affirming", submodule.GetProperty("ear.status").GetString()));
        Assert.All(Submodules(trustee), submodule => Assert.Equal((2, 3, 0), Vector(submodule)));
    }

    [Fact]
    public void The_forms_have_their_own_names()
    {
        var (nvidia, trustee) = Write(fixture.Pass);

        Assert.Equal("tag:nvidia.com,2026:ear/profiles/composite/generic/pre-1.0.0", nvidia.GetProperty("eat_profile").GetString());
        Assert.Equal(System.Buffers.Text.Base64Url.EncodeToString(TokenFixture.Nonce.Bytes), nvidia.GetProperty("eat_nonce").GetString());
        Assert.Equal("Assay", nvidia.GetProperty("ear_verifier_id").GetProperty("developer").GetString());
        Assert.Equal("tag:github.com,2024:confidential-containers/Trustee", trustee.GetProperty("eat_profile").GetString());
        Assert.Equal("Assay", trustee.GetProperty("ear.verifier-id").GetProperty("developer").GetString());
        Assert.All(Submodules(trustee), submodule => Assert.Equal("assay-default", submodule.GetProperty("ear.appraisal-policy-id").GetString()));
        Assert.All(Submodules(trustee), submodule => Assert.Equal("success", submodule.GetProperty("ear.veraison.annotated-evidence").GetProperty("nvidia").GetProperty("measres").GetString()));
    }

    [Fact]
    public void A_failure_of_the_set_contraindicates_every_device()
    {
        var (nvidia, trustee) = Write(fixture.Judge([fixture.Evidence[0], fixture.Evidence[0]], nonce: true));

        Assert.Equal("contraindicated", nvidia.GetProperty("ear_status").GetString());
        Assert.All(Submodules(nvidia), submodule => Assert.Equal("contraindicated", submodule.GetProperty("ear_status").GetString()));
        Assert.All(Submodules(trustee), submodule => Assert.Equal("contraindicated", submodule.GetProperty("ear.status").GetString()));
    }

    [Fact]
    public void What_is_missing_is_no_claim()
    {
        var verdict = fixture.Judge(fixture.Evidence, nonce: true, rims: false);
        var (nvidia, trustee) = Write(verdict);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Equal("contraindicated", nvidia.GetProperty("ear_status").GetString());
        Assert.All(Submodules(trustee), submodule => Assert.Equal("none", submodule.GetProperty("ear.status").GetString()));
        Assert.All(Submodules(trustee), submodule => Assert.Equal(0, Vector(submodule).Executables));
    }

    [Fact]
    public void Showing_less_never_affirms_more()
    {
        // Nothing was stated of a processor: whether one was shown, and what it bound, changes nothing.
        string[] unstated = ["boot-not-expected", "devices-not-expected", "processor-not-expected"];
        Assert.Empty(Assay.Checks.Weakening.BeyondScope([.. unstated, "no-cpu-tee", "gpu-binding-none"]));
        Assert.Empty(Assay.Checks.Weakening.BeyondScope([.. unstated, "gpu-binding-evidence-hash"]));
        // Once one was stated, less than the boot event was accepted by name.
        Assert.Equal(["gpu-binding-evidence-hash"], Assay.Checks.Weakening.BeyondScope(["boot-not-expected", "gpu-binding-evidence-hash"]));
        Assert.Equal(["no-cpu-tee"], Assay.Checks.Weakening.BeyondScope(["no-cpu-tee"]));
    }

    [Fact]
    public void A_weakened_pass_does_not_affirm()
    {
        var (nvidia, trustee) = Write(fixture.Judge(fixture.Evidence, nonce: true, revocation: false));

        Assert.Equal("contraindicated", nvidia.GetProperty("ear_status").GetString());
        Assert.All(Submodules(trustee), submodule => Assert.Equal("warning", submodule.GetProperty("ear.status").GetString()));
    }

    private (JsonElement Nvidia, JsonElement Trustee) Write(Verdict verdict)
    {
        Assert.True(NvidiaEar.TryWrite(verdict, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var nvidia, out var fault), fault?.ToString());
        Assert.True(TrusteeEar.TryWrite(verdict, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var trustee, out fault), fault?.ToString());
        return (Payload(nvidia), Payload(trustee));

        JsonElement Payload(string token)
        {
            Assert.True(CompactJws.TryParse(token, out var jws, out var why), why?.ToString());
            Assert.True(fixture.Key.PublicKey.Verifies(jws.SignedContent, jws.Signature.Span));
            return jws.Payload;
        }
    }

    private static IEnumerable<string> Names(JsonElement token) => token.GetProperty("submods").EnumerateObject().Select(member => member.Name);

    private static IEnumerable<JsonElement> Submodules(JsonElement token) => token.GetProperty("submods").EnumerateObject().Select(member => member.Value);

    private static (int Hardware, int Executables, int Configuration) Vector(JsonElement submodule)
    {
        var vector = submodule.GetProperty("ear.trustworthiness-vector");
        Assert.Equal(8, vector.EnumerateObject().Count());
        return (vector.GetProperty("hardware").GetInt32(), vector.GetProperty("executables").GetInt32(), vector.GetProperty("configuration").GetInt32());
    }
}
