using System.Text;
using System.Text.Json.Nodes;
using Assay.Tests.Tokens;
using Assay.Tokens;

namespace Assay.Tests.Attacks;

/// <summary>The holder of tokens, and of one issuer's other tokens, wants one accepted that says something else.</summary>
public sealed class TokenTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Theory]
    [InlineData("{\"alg\":\"ES384\",\"kid\":\"KID\",\"typ\":\"JWT\",\"a\\u006cg\":\"none\"}")]
    [InlineData("{\"alg\":\"ES384\",\"kid\":\"KID\",\"typ\":\"JWT\",\"\\u006bid\":\"other\"}")]
    public void A_member_of_the_header_that_is_spelt_in_escapes_is_the_same_member(string header)
    {
        var text = Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, after: (name, token) =>
            name == "overall" ? Resigned(header.Replace("KID", fixture.Key.PublicKey.KeyId, StringComparison.Ordinal), token.Split('.')[1]) : token);

        fixture.Refused("token.wellformed", text);
    }

    [Fact]
    public void A_claim_that_is_spelt_in_escapes_stands_twice()
    {
        var text = Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, after: (name, token) =>
        {
            var payload = Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]));
            return name == "overall"
                ? Resigned("{\"alg\":\"ES384\",\"kid\":\"" + fixture.Key.PublicKey.KeyId + "\"}", Reforged.Url(payload[..^1] + ",\"x-assay-verdic\\u0074\":\"pass\"}"))
                : token;
        });

        fixture.Refused("token.wellformed", text);
    }

    [Theory]
    [InlineData("1e400")]
    [InlineData("99999999999999999999999999")]
    [InlineData("1.0")]
    [InlineData("1e9")]
    [InlineData("-1")]
    [InlineData("253402300800")]
    public void Numbers_that_readers_read_differently_are_no_times(string number)
    {
        var text = Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall["exp"] = JsonNode.Parse(number));

        Assert.Contains(fixture.Verify(text).Findings, finding => finding is { Id: "token.claims.wellformed", State: Assay.Checks.CheckState.Failed });
    }

    [Fact]
    public void Claims_that_are_nested_without_end_are_refused_and_crash_nothing()
    {
        var deep = new string('[', 200_000 / 2) + new string(']', 200_000 / 2);
        var text = Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, after: (name, token) =>
            name == "overall" ? Resigned("{\"alg\":\"ES384\",\"kid\":\"" + fixture.Key.PublicKey.KeyId + "\"}", Reforged.Url("{\"a\":" + deep + "}")) : token);

        fixture.Refused("token.wellformed", text);
    }

    [Fact]
    public void An_EAR_in_the_place_of_the_overall_token_is_refused()
    {
        Assert.True(TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, System.Security.Cryptography.RandomNumberGenerator.Fill, out var ear, out _));
        var bundle = JsonNode.Parse(fixture.Bundle())!;
        bundle[0]![1] = ear;

        Assert.False(fixture.Verify(Encoding.UTF8.GetBytes(bundle.ToJsonString())).Accepted);
    }

    private string Resigned(string header, string payload)
    {
        var content = $"{Reforged.Url(header)}.{payload}";
        return $"{content}.{System.Buffers.Text.Base64Url.EncodeToString(fixture.Key.Sign(Encoding.ASCII.GetBytes(content)))}";
    }
}
