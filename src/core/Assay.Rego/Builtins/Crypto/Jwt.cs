using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>A token in JWS compact form (RFC 7515, section 7.1), taken apart and not yet believed.</summary>
internal sealed record Jwt(RegoObject Header, string SignedText, string Payload, string Signature)
{
    private const int MaxToken = 1 << 20;

    public string Algorithm => JsonWebKey.Text(Header, "alg");

    public string KeyId => JsonWebKey.Text(Header, "kid");

    /// <summary>Whether the payload is itself a token.</summary>
    public bool IsNested => JsonWebKey.Text(Header, "cty").Equals("JWT", StringComparison.OrdinalIgnoreCase);

    public static bool TryParse(string text, [NotNullWhen(true)] out Jwt? token, [NotNullWhen(false)] out string? fault)
    {
        token = null;
        var parts = text.Length <= MaxToken ? text.Split('.') : [];
        fault = parts.Length switch
        {
            3 => null,
            0 => $"encoded JWT is longer than {MaxToken} characters",
            1 => "encoded JWT had no period separators",
            _ => $"encoded JWT must have 3 sections, found {parts.Length.ToString(CultureInfo.InvariantCulture)}",
        };
        if (fault is not null || !TryPart(parts[0], "header", out var bytes, out fault))
        {
            return false;
        }

        if (!RegoJson.TryRead(bytes, out var header, out var problem) || header is not RegoObject members)
        {
            fault = $"JWT header is not a JSON object: {problem ?? header?.KindName}";
            return false;
        }

        if (members.TryGetValue("enc", out _))
        {
            fault = "JWT is a JWE object, which is not supported";
            return false;
        }

        token = new Jwt(members, parts[0] + "." + parts[1], parts[1], parts[2]);
        return true;
    }

    public bool TryPayload([NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault) => TryPart(Payload, "payload", out bytes, out fault);

    public bool TrySignature([NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault) => TryPart(Signature, "signature", out bytes, out fault);

    /// <summary>The JSON object of the payload.</summary>
    public bool TryClaims([NotNullWhen(true)] out RegoObject? claims, [NotNullWhen(false)] out string? fault)
    {
        claims = null;
        if (!TryPayload(out var bytes, out fault))
        {
            return false;
        }

        claims = RegoJson.TryRead(bytes, out var value, out var problem) ? value as RegoObject : null;
        fault = claims is null ? $"JWT payload is not a JSON object: {problem ?? value?.KindName}" : null;
        return claims is not null;
    }

    /// <summary>Whether one of the keys made the signature. A key that the header names is asked alone, else those that do not name another algorithm.</summary>
    public bool IsSignedBy(List<VerificationKey> keys, JwtAlgorithm algorithm, byte[] signature)
    {
        var hash = CryptographicOperations.HashData(algorithm.Hash, Encoding.ASCII.GetBytes(SignedText));
        if (KeyId.Length > 0 && keys.Find(key => key.KeyId == KeyId) is { } named)
        {
            return named.Verifies(algorithm, hash, signature);
        }

        return keys.Exists(key => (key.Algorithm.Length == 0 || key.Algorithm == Algorithm) && key.Verifies(algorithm, hash, signature));
    }

    /// <summary>Whether a shared secret made the signature, compared in constant time.</summary>
    public bool IsSignedBy(byte[] secret, JwtAlgorithm algorithm, byte[] signature) =>
        CryptographicOperations.FixedTimeEquals(CryptographicOperations.HmacData(algorithm.Hash, secret, Encoding.ASCII.GetBytes(SignedText)), signature);

    private static bool TryPart(string part, string name, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault)
    {
        var read = Base64Text.TryDecodeUrl(part, out bytes, out fault);
        fault = fault is null ? null : $"JWT {name} had invalid encoding: {fault}";
        return read;
    }
}
