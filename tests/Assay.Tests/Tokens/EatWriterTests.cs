using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Policy;
using Assay.Tokens;

namespace Assay.Tests.Tokens;

/// <summary>One JWS says what a bundle says, for readers that take one.</summary>
public sealed class EatWriterTests(TokenFixture fixture, TokenTermsTests.Machine machine) : IClassFixture<TokenFixture>, IClassFixture<TokenTermsTests.Machine>
{
    private static readonly string[] s_own = ["eat_profile", "jti", "sub", "submods"];
    private static readonly string[] s_terms = ["aud", "exp", "iat", "iss", "jti", "nbf"];

    [Fact]
    public void It_says_what_the_overall_token_of_a_bundle_says()
    {
        var (claims, overall) = (Payload(Write(machine.Pass)), Overall(machine.Pass));

        Assert.Equal("urn:assay:eat:machine:1", claims["eat_profile"]!.GetValue<string>());
        Assert.Equal(overall.Select(claim => claim.Key).Append("eat_profile").Order(StringComparer.Ordinal), claims.Select(claim => claim.Key));
        Assert.All(overall.Where(claim => !s_own.Contains(claim.Key)), claim => Assert.Equal(claim.Value!.ToJsonString(), claims[claim.Key]!.ToJsonString()));
        Assert.Equal("boot-event", claims["x-assay-gpu-binding"]!.GetValue<string>());
        Assert.NotNull(claims["cnf"]!["jwk"]);
    }

    [Fact]
    public void Its_submodules_are_those_of_a_bundle_as_objects_without_terms_of_their_own()
    {
        var bundle = JsonNode.Parse(fixture.Bundle(machine.Pass))![1]!.AsObject();

        var submodules = Payload(Write(machine.Pass))["submods"]!.AsObject();

        Assert.Equal(["GPU-0", "GPU-1", "SWITCH-0", "SWITCH-1", "CPU-0", "BOOT-0"], submodules.Select(submodule => submodule.Key));
        Assert.Equal(bundle.Select(submodule => submodule.Key), submodules.Select(submodule => submodule.Key));
        foreach (var (name, token) in bundle)
        {
            var expected = Payload(token!.GetValue<string>());
            Assert.All(s_terms, term => expected.Remove(term));
            Assert.Equal(expected.ToJsonString(), submodules[name]!.ToJsonString());
        }
    }

    [Theory]
    [InlineData("a?b~c>d?~>?~>")]
    [InlineData("?>~?>~?>~?>~")]
    public void It_reads_the_same_in_both_base64_alphabets(string text)
    {
        var key = JsonNode.Parse(machine.Key.Jwk)!.AsObject();
        key["kid"] = text;
        var verdict = machine.With(key.ToJsonString());
        var policy = new PolicyIdentity(text, text, PolicyIdentity.Default.Digest);

        var token = Write(verdict, TokenFixture.Terms with { Audience = text, Subject = text, Policy = policy });

        Assert.DoesNotMatch("[-_]", token.Split('.')[1]);
        Assert.Equal(text, Payload(token)["tee-pubkey"]!["kid"]!.GetValue<string>());
    }

    [Fact]
    public void Where_no_subject_is_named_it_is_the_policy_percent_encoded()
    {
        var named = new RelyingPartyPolicy("größe ~ 8:2.rego", null, _ => new PolicyDecision { Allowed = true, Reason = "why not" });
        var verdict = Verdict.Of(fixture.Pass.Appraisal, named, Assay.Appraisal.Devices.ClaimsVersion.V3);

        Assert.Equal("urn:assay:policy:gr%C3%B6%C3%9Fe%20~%208%3A2.rego", Payload(Write(verdict))["sub"]!.GetValue<string>());
        Assert.Equal("urn:assay:policy:gold", Payload(Write(verdict, TokenFixture.Terms with { Policy = PolicyIdentity.Default with { Id = "gold" } }))["sub"]!.GetValue<string>());
    }

    [Fact]
    public void A_failed_verdict_is_written_and_says_so()
    {
        var claims = Payload(Write(fixture.Judge([fixture.Evidence[0], fixture.Evidence[0]], nonce: true)));

        Assert.Equal("fail", claims["x-assay-verdict"]!.GetValue<string>());
    }

    [Fact]
    public void Nothing_is_written_where_no_bundle_is()
    {
        var forged = fixture.Evidence[0].Report.ToArray();
        forged[^1] ^= 1;
        var verdict = fixture.Judge([fixture.Evidence[0] with { Report = forged }], nonce: true);

        Assert.False(EatWriter.TryWrite(verdict, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var token, out var fault));
        Assert.Null(token);
        Assert.Equal("devices", fault.Field);
        Assert.False(EatWriter.TryWrite(
            fixture.Pass, TokenFixture.Terms with { Issuer = TokenFixture.Issuer("https://verifier.example") }, fixture.Key, RandomNumberGenerator.Fill, out _, out fault));
        Assert.Equal("issuer", fault.Field);
        Assert.Throws<ArgumentException>(() => EatWriter.TryWrite(verdict with { Kind = VerdictKind.Pass }, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out _, out _));
    }

    private string Write(Verdict verdict, TokenTerms? terms = null)
    {
        Assert.True(EatWriter.TryWrite(verdict, terms ?? TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var token, out var fault), fault?.ToString());
        return token;
    }

    private JsonObject Overall(Verdict verdict) => Payload(JsonNode.Parse(fixture.Bundle(verdict))![0]![1]!.GetValue<string>());

    private static JsonObject Payload(string token) => JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();
}
