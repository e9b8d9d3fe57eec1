using System.Security.Cryptography;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>JSON Web Keys (RFC 7517, RFC 7518 section 6).</summary>
internal static class JsonWebKey
{
    public static string Text(RegoObject jwk, string name) => jwk.TryGetValue(name, out var value) && value is RegoString text ? text.Value : "";

    /// <summary>The public key of a JWK. True with neither for kinds that are known but check nothing here (oct, OKP).</summary>
    public static bool TryReadPublic(RegoObject jwk, out RSAParameters? rsa, out ECParameters? ec)
    {
        (rsa, ec) = (null, null);
        switch (Text(jwk, "kty"))
        {
            case "RSA":
                if (Bytes(jwk, "n") is not { Length: > 0 } modulus || Bytes(jwk, "e") is not { Length: > 0 } exponent)
                {
                    return false;
                }

                rsa = new RSAParameters { Modulus = modulus, Exponent = exponent };
                return true;
            case "EC":
                ec = ReadEc(jwk);
                return ec is not null;
            case "oct":
                return Bytes(jwk, "k") is not null;
            case "OKP":
                return Bytes(jwk, "x") is not null;
            default:
                return false;
        }
    }

    /// <summary>The private RSA key of a JWK; null unless all its parts are there.</summary>
    public static RSAParameters? ReadPrivateRsa(RegoObject jwk)
    {
        if (Bytes(jwk, "n") is not { Length: > 0 } modulus || Bytes(jwk, "e") is not { } exponent || Bytes(jwk, "d") is not { } d
            || Bytes(jwk, "p") is not { } p || Bytes(jwk, "q") is not { } q || Bytes(jwk, "dp") is not { } dp || Bytes(jwk, "dq") is not { } dq || Bytes(jwk, "qi") is not { } qi)
        {
            return null;
        }

        var half = (modulus.Length + 1) / 2;
        return new RSAParameters
        {
            Modulus = modulus,
            Exponent = exponent,
            D = Padded(d, modulus.Length),
            P = Padded(p, half),
            Q = Padded(q, half),
            DP = Padded(dp, half),
            DQ = Padded(dq, half),
            InverseQ = Padded(qi, half),
        };
    }

    /// <summary>The elliptic curve key of a JWK, with its private part where it has one.</summary>
    public static ECParameters? ReadEc(RegoObject jwk)
    {
        (ECCurve Curve, int Size)? named = Text(jwk, "crv") switch
        {
            "P-256" => (ECCurve.NamedCurves.nistP256, 32),
            "P-384" => (ECCurve.NamedCurves.nistP384, 48),
            "P-521" => (ECCurve.NamedCurves.nistP521, 66),
            _ => null,
        };
        if (named is not { } curve || Bytes(jwk, "x") is not { Length: > 0 } x || Bytes(jwk, "y") is not { Length: > 0 } y || x.Length > curve.Size || y.Length > curve.Size)
        {
            return null;
        }

        var d = Bytes(jwk, "d");
        return new ECParameters
        {
            Curve = curve.Curve,
            Q = new ECPoint { X = Padded(x, curve.Size), Y = Padded(y, curve.Size) },
            D = d is null || d.Length > curve.Size ? null : Padded(d, curve.Size),
        };
    }

    /// <summary>A member in base64url without padding; null if it is absent or is not that.</summary>
    public static byte[]? Bytes(RegoObject jwk, string name) =>
        jwk.TryGetValue(name, out var value) && value is RegoString text && Base64Text.TryDecodeRawUrl(text.Value.TrimEnd('='), out var bytes, out _) ? bytes : null;

    private static byte[] Padded(byte[] bytes, int size)
    {
        if (bytes.Length >= size)
        {
            return bytes;
        }

        var padded = new byte[size];
        bytes.CopyTo(padded, size - bytes.Length);
        return padded;
    }
}
