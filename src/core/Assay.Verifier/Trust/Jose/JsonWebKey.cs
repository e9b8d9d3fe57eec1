using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// A public key that verifies tokens (RFC 7517, RFC 7518 §6.2): P-384 for ES384 or P-256 for ES256, and no other. The curve decides the
/// algorithm; what a token's header says is compared with it and never followed.
/// </summary>
public sealed class JsonWebKey
{
    private const string P384Oid = "1.3.132.0.34";
    private const string P256Oid = "1.2.840.10045.3.1.7";

    private readonly VerificationKey _key;
    private readonly string _x;
    private readonly string _y;

    private JsonWebKey(SignatureAlgorithm algorithm, ECParameters point, byte[] info, string? keyId)
    {
        Algorithm = algorithm;
        (_x, _y) = (Base64Url.EncodeToString(point.Q.X), Base64Url.EncodeToString(point.Q.Y));
        _key = VerificationKey.FromSubjectPublicKeyInfo(info);
        Info = new Digest(SHA256.HashData(info));
        // RFC 7638 §3: the required members in order of their names, without white space.
        Thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($$"""{"crv":"{{Curve}}","kty":"EC","x":"{{_x}}","y":"{{_y}}"}""")));
        KeyId = keyId ?? Thumbprint;
    }

    /// <summary>What tokens call it: the thumbprint of our own keys, and whatever the issuer chose for others'.</summary>
    public string KeyId { get; }

    /// <summary>RFC 7638, SHA-256, base64url.</summary>
    public string Thumbprint { get; }

    /// <summary>ES384 or ES256.</summary>
    public SignatureAlgorithm Algorithm { get; }

    /// <summary><c>ES384</c> or <c>ES256</c>.</summary>
    public string AlgorithmName => Algorithm is SignatureAlgorithm.EcdsaSha384 ? "ES384" : "ES256";

    internal string Curve => Algorithm is SignatureAlgorithm.EcdsaSha384 ? "P-384" : "P-256";

    /// <summary>Tells keys apart whatever they are called.</summary>
    internal Digest Info { get; }

    /// <summary>Whether <paramref name="signature"/>, R‖S in fixed length, is this key's.</summary>
    internal bool Verifies(ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature) =>
        _key.Verifies(content, signature, Algorithm, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, new OperationMeter());

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("kty", "EC");
        writer.WriteString("crv", Curve);
        writer.WriteString("x", _x);
        writer.WriteString("y", _y);
        writer.WriteString("use", "sig");
        writer.WriteString("alg", AlgorithmName);
        writer.WriteString("kid", KeyId);
        writer.WriteEndObject();
    }

    /// <summary>The public half of a key on one of the two curves, named; null of any other.</summary>
    internal static JsonWebKey? OfKey(ECDsa ecdsa)
    {
        var point = ecdsa.ExportParameters(includePrivateParameters: false);
        var algorithm = !point.Curve.IsNamed ? SignatureAlgorithm.None : point.Curve.Oid.Value switch
        {
            P384Oid => SignatureAlgorithm.EcdsaSha384,
            P256Oid => SignatureAlgorithm.EcdsaSha256,
            _ => SignatureAlgorithm.None,
        };
        return algorithm is SignatureAlgorithm.None ? null : new JsonWebKey(algorithm, point, ecdsa.ExportSubjectPublicKeyInfo(), keyId: null);
    }

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
            return new JsonWebKey(algorithm, ecdsa.ExportParameters(includePrivateParameters: false), ecdsa.ExportSubjectPublicKeyInfo(), keyId);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
