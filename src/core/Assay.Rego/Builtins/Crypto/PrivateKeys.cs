using System.Numerics;
using System.Security.Cryptography;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>Private keys from PEM blocks, and as JSON: JWK, or Go's own structures.</summary>
internal static class PrivateKeys
{
    public static RSA? TryReadRsa(PemBlock block) => TryRead(RSA.Create, block, (key, label) =>
    {
        switch (label)
        {
            case "RSA PRIVATE KEY":
                key.ImportRSAPrivateKey(block.Bytes, out _);
                return true;
            case "PRIVATE KEY":
                key.ImportPkcs8PrivateKey(block.Bytes, out _);
                return true;
            default:
                return false;
        }
    });

    public static ECDsa? TryReadEc(PemBlock block) => TryRead(ECDsa.Create, block, (key, label) =>
    {
        switch (label)
        {
            case "EC PRIVATE KEY":
                key.ImportECPrivateKey(block.Bytes, out _);
                return true;
            case "PRIVATE KEY":
                key.ImportPkcs8PrivateKey(block.Bytes, out _);
                return true;
            default:
                return false;
        }
    });

    /// <summary>The key as a JWK (RFC 7518, section 6.3).</summary>
    public static RegoObject Jwk(RSAParameters key) => RegoObject.Of(
        ("kty", new RegoString("RSA")),
        ("n", Url(key.Modulus)),
        ("e", Url(key.Exponent)),
        ("d", Url(key.D)),
        ("p", Url(key.P)),
        ("q", Url(key.Q)),
        ("dp", Url(key.DP)),
        ("dq", Url(key.DQ)),
        ("qi", Url(key.InverseQ)));

    /// <summary>The key as Go's rsa.PrivateKey in JSON.</summary>
    public static RegoObject GoRsa(RSAParameters key) => RegoObject.Of(
        ("N", Number(key.Modulus)),
        ("E", Number(key.Exponent)),
        ("D", Number(key.D)),
        ("Primes", RegoArray.Of(Number(key.P), Number(key.Q))),
        ("Precomputed", RegoObject.Of(("Dp", Number(key.DP)), ("Dq", Number(key.DQ)), ("Qinv", Number(key.InverseQ)), ("CRTValues", RegoArray.Empty))));

    /// <summary>The key as Go's ecdsa.PrivateKey in JSON.</summary>
    public static RegoObject GoEc(ECParameters key) => RegoObject.Of(
        ("Curve", RegoObject.Empty),
        ("X", Number(key.Q.X)),
        ("Y", Number(key.Q.Y)),
        ("D", Number(key.D)));

    public static RegoNumber Number(byte[]? bytes) => RegoNumber.Of(new BigInteger(bytes, isUnsigned: true, isBigEndian: true));

    private static RegoString Url(byte[]? bytes) => new(Base64Text.EncodeUrl(bytes, padded: false));

    private static T? TryRead<T>(Func<T> create, PemBlock block, Func<T, string, bool> import)
        where T : class, IDisposable
    {
        var key = create();
        try
        {
            if (import(key, block.Label))
            {
                return key;
            }
        }
        catch (CryptographicException)
        {
            // The framework refuses a key by throwing; it ends here.
        }

        key.Dispose();
        return null;
    }
}
