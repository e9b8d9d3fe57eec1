using System.Text;
using Assay.Sealing.Keys;

namespace Assay.Tests.Sealing;

/// <summary>Public keys: one key has one name, whatever it was written as; what is private or odd is refused.</summary>
public sealed class SealingKeyTests
{
    [Theory]
    [InlineData(KeyKind.P256)]
    [InlineData(KeyKind.P384)]
    [InlineData(KeyKind.P521)]
    [InlineData(KeyKind.Rsa3072)]
    [InlineData(KeyKind.Rsa4096)]
    public void A_key_reads_alike_as_jwk_and_pem(KeyKind kind)
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var key = pair.PublicKey;

        Assert.True(pair.IsLocked);
        foreach (var text in (string[])[key.Jwk, key.ToPem(), "\n" + key.ToPem() + "\n", key.Jwk.Replace("{", "{\"kid\":\"x\",\"use\":\"enc\",", StringComparison.Ordinal)])
        {
            Assert.True(SealingPublicKey.TryParse(Encoding.ASCII.GetBytes(text), out var read, out var fault), fault?.ToString());
            Assert.Equal(key, read);
            Assert.Equal(key.Thumbprint, read.Thumbprint);
        }
    }

    [Fact]
    public void A_private_key_is_refused_as_one()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var (pem, jwk) = TestKeys.Export(pair);

        Assert.Contains("private key", Fault(pem), StringComparison.Ordinal);
        Assert.Contains("private key", Fault(jwk), StringComparison.Ordinal);
    }

    [Fact]
    public void Coordinates_of_another_length_or_off_the_curve_are_refused()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var jwk = pair.PublicKey.Jwk;

        Assert.NotNull(Fault(jwk.Replace("\"x\":\"", "\"x\":\"AAAA", StringComparison.Ordinal)));
        Assert.NotNull(Fault(jwk.Replace("\"y\":\"", "\"y\":\"A", StringComparison.Ordinal)));
        Assert.NotNull(Fault(jwk.Replace("P-384", "P-256", StringComparison.Ordinal)));
        Assert.NotNull(Fault(jwk.Replace("P-384", "secp256k1", StringComparison.Ordinal)));
        Assert.NotNull(Fault(jwk.Replace("{", "{\"kty\":\"EC\",", StringComparison.Ordinal)));
        Assert.NotNull(Fault(""));
        Assert.NotNull(Fault("-----BEGIN PUBLIC KEY-----\n"));
        Assert.NotNull(Fault(pair.PublicKey.ToPem() + pair.PublicKey.ToPem()));
        Assert.NotNull(Fault("""{"kty":"oct","k":"AAAA"}"""));
        Assert.NotNull(Fault("""{"kty":"RSA","n":"AQAB","e":"AQAB"}"""));
    }

    private static string? Fault(string text)
    {
        if (SealingPublicKey.TryParse(Encoding.ASCII.GetBytes(text), out _, out var fault))
        {
            return null;
        }

        Assert.Equal("sealing.key", fault.Id);
        return fault.Problem;
    }
}
