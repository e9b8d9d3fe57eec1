using Assay.Tokens;

namespace Assay.Tests.Regressions;

/// <summary>4: an issuer in letters beyond ASCII was accepted although it reads, or resolves, as a host of NVIDIA's (S-22).</summary>
public class Bug0004_IssuerInLookAlikeLettersTests
{
    [Theory]
    [InlineData("https://nvidia.\uff43om")]
    [InlineData("https://\uff4evidia.com")]
    [InlineData("https://nvidi\u0430.com")]
    [InlineData("https://nvidia\u00ad.com")]
    [InlineData("https://nvidi\u200da.com")]
    [InlineData("https://nvidia\u3002com")]
    [InlineData("https://verifier.example/\u202emoc.aidivn")]
    public void An_issuer_beyond_ASCII_is_refused(string issuer)
    {
        Assert.False(TokenIssuer.TryParse(issuer, out _, out var fault));
        Assert.Equal("issuer", fault.Field);
    }

    [Fact]
    public void A_name_of_other_letters_is_written_in_punycode() => Assert.True(TokenIssuer.TryParse("https://xn--prfer-kva.example", out _, out _));
}
