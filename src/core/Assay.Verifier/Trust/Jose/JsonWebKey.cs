using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// A public key that verifies tokens (RFC 7517, RFC 7518 §6): P-384 for ES384, P-256 for ES256, RSA of 2048 to 4096 bits with the exponent 65537
/// for RS256, and no other. The key decides the algorithm; what a token's header says is compared with it and never followed.
/// </summary>
public sealed class JsonWebKey
{
    private const string P384Oid = "1.3.132.0.34";
    private const string P256Oid = "1.2.840.10045.3.1.7";
    private const string Exponent = "AQAB";

    private readonly VerificationKey _key;

    // What makes the key, in the order in which it is written.
    private readonly ImmutableArray<(string Name, string Value)> _required;

    private JsonWebKey(SignatureAlgorithm algorithm, ImmutableArray<(string Name, string Value)> required, VerificationKey key, byte[] info, string? keyId)
    {
        (Algorithm, _required, _key) = (algorithm, required, key);
        Info = new Digest(SHA256.HashData(info));
        // RFC 7638 §3: the required members in order of their names, without white space.
        var members = required.OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => $"\"{member.Name}\":\"{member.Value}\"");
        Thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($"{{{string.Join(',', members)}}}")));
        KeyId = keyId ?? Thumbprint;
    }

    /// <summary>What tokens call it: the thumbprint of our own keys, and whatever the issuer chose for others'.</summary>
    public string KeyId { get; }

    /// <summary>RFC 7638, SHA-256, base64url.</summary>
    public string Thumbprint { get; }

    /// <summary>That of ES384, ES256 or RS256.</summary>
    public SignatureAlgorithm Algorithm { get; }

    /// <summary><c>ES384</c>, <c>ES256</c> or <c>RS256</c>.</summary>
    public string AlgorithmName => Algorithm switch
    {
        SignatureAlgorithm.EcdsaSha384 => "ES384",
        SignatureAlgorithm.EcdsaSha256 => "ES256",
        _ => "RS256",
    };

    /// <summary>Tells keys apart whatever they are called.</summary>
    internal Digest Info { get; }

    /// <summary>Whether <paramref name="signature"/> is this key's: R‖S in fixed length, or as many bytes as an RSA key's modulus.</summary>
    internal bool Verifies(ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature) =>
        _key.Verifies(content, signature, Algorithm, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, new OperationMeter());

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var (name, value) in _required)
        {
            writer.WriteString(name, value);
        }

        writer.WriteString("use", "sig");
        writer.WriteString("alg", AlgorithmName);
        writer.WriteString("kid", KeyId);
        writer.WriteEndObject();
    }

    /// <summary>The public half of a key on one of the two curves, named, or of an RSA key of tokens; null of any other.</summary>
    internal static JsonWebKey? OfKey(AsymmetricAlgorithm key) => key switch
    {
        ECDsa ecdsa => OfCurve(ecdsa, keyId: null),
        RSA rsa => rsa.ExportParameters(includePrivateParameters: false) is { Modulus: { } modulus, Exponent: [1, 0, 1] } ? OfModulus(modulus, keyId: null) : null,
        _ => null,
    };

    /// <summary>From the coordinates of a JWK: exactly as long as the curve's field, and on the curve.</summary>
    internal static JsonWebKey? OfPoint(SignatureAlgorithm algorithm, byte[] x, byte[] y, string? keyId)
    {
        var p384 = algorithm is SignatureAlgorithm.EcdsaSha384;
        var size = p384 ? 48 : 32;
        if (x.Length != size || y.Length != size)
        {
            return null;
        }

        try
        {
            using var ecdsa = ECDsa.Create(new ECParameters { Curve = p384 ? ECCurve.NamedCurves.nistP384 : ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = x, Y = y } });
            return OfCurve(ecdsa, keyId);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>From the modulus of a JWK with the exponent 65537; null where it is not of a size that tokens' keys have.</summary>
    internal static JsonWebKey? OfModulus(byte[] modulus, string? keyId)
    {
        if (!VerificationKey.IsTokenModulus(modulus))
        {
            return null;
        }

        try
        {
            using var rsa = RSA.Create(new RSAParameters { Modulus = modulus, Exponent = [1, 0, 1] });
            return new JsonWebKey(
                SignatureAlgorithm.RsaPkcs1Sha256, [("kty", "RSA"), ("n", Base64Url.EncodeToString(modulus)), ("e", Exponent)], VerificationKey.FromModulus(modulus), rsa.ExportSubjectPublicKeyInfo(), keyId);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static JsonWebKey? OfCurve(ECDsa ecdsa, string? keyId)
    {
        var point = ecdsa.ExportParameters(includePrivateParameters: false);
        var (algorithm, curve) = !point.Curve.IsNamed ? default : point.Curve.Oid.Value switch
        {
            P384Oid => (SignatureAlgorithm.EcdsaSha384, "P-384"),
            P256Oid => (SignatureAlgorithm.EcdsaSha256, "P-256"),
            _ => default,
        };
        if (algorithm is SignatureAlgorithm.None)
        {
            return null;
        }

        var info = ecdsa.ExportSubjectPublicKeyInfo();
        return new JsonWebKey(
            algorithm,
            [("kty", "EC"), ("crv", curve), ("x", Base64Url.EncodeToString(point.Q.X)), ("y", Base64Url.EncodeToString(point.Q.Y))],
            VerificationKey.FromSubjectPublicKeyInfo(info), info, keyId);
    }
}
