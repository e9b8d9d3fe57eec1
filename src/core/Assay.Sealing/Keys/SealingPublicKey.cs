using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Assay.Sealing.Keys;

/// <summary>
/// A key that something can be sealed to: P-256, P-384, P-521, or RSA with 3072 or 4096 bits and the exponent 65537. As JWK (RFC 7517,
/// RFC 7518 §6), PEM or DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 5480, RFC 8017 A.1.1). A point was on its curve.
/// </summary>
public sealed class SealingPublicKey : IEquatable<SealingPublicKey>
{
    private const string EcOid = "1.2.840.10045.2.1";
    private const string RsaOid = "1.2.840.113549.1.1.1";

    // 65537, big-endian.
    private static readonly byte[] s_exponent = [1, 0, 1];

    // JWK members with which a private or symmetric key gives itself away (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
    private static readonly string[] s_secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    private readonly byte[] _key;

    internal SealingPublicKey(KeyKind kind, byte[] key)
    {
        (Kind, _key) = (kind, key);
        var members = Curve is { } curve
            ? $$"""{"crv":"{{curve.Name}}","kty":"EC","x":"{{Base64Url.EncodeToString(X)}}","y":"{{Base64Url.EncodeToString(Y)}}"}"""
            : $$"""{"e":"{{Base64Url.EncodeToString(s_exponent)}}","kty":"RSA","n":"{{Base64Url.EncodeToString(key)}}"}""";
        Jwk = members;
        Thumbprint = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(members)));
    }

    /// <summary>Curve or size.</summary>
    public KeyKind Kind { get; }

    /// <summary>The required members of its JWK in the order of RFC 7638 §3.1, without white space.</summary>
    public string Jwk { get; }

    /// <summary>RFC 7638 with SHA-256, base64url. A name of the key.</summary>
    public string Thumbprint { get; }

    /// <summary>The point 04‖X‖Y of a curve, or the modulus of RSA, big-endian.</summary>
    internal ReadOnlySpan<byte> Bytes => _key;

    internal Curve? Curve => Curve.Of(Kind);

    private ReadOnlySpan<byte> X => _key.AsSpan(1, _key.Length / 2);

    private ReadOnlySpan<byte> Y => _key.AsSpan(1 + (_key.Length / 2));

    /// <summary>Reads a JWK, PEM or DER.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out SealingPublicKey? key, [NotNullWhen(false)] out SealingFault? fault)
    {
        var text = source.Trim(" \t\r\n"u8);
        (key, var problem) = text switch
        {
            _ when source.Length > Limits.PublicKeyBytes => Refuse($"longer than {Limits.PublicKeyBytes} bytes"),
            [(byte)'{', ..] => OfJwk(text),
            [(byte)'-', ..] => OfPem(text),
            [0x30, ..] => OfInfo(source.ToArray()),
            _ => Refuse("neither JWK, nor PEM, nor DER"),
        };
        fault = key is null ? new SealingFault(SealingFaults.Key, $"the public key is {problem}", "give a public key on P-256, P-384 or P-521, or RSA with 3072 or 4096 bits, as JWK or PEM") : null;
        return key is not null;
    }

    /// <summary>SubjectPublicKeyInfo as PEM.</summary>
    public string ToPem() => PemEncoding.WriteString("PUBLIC KEY", Info());

    /// <summary>The same key, whatever it is called. All of it is public.</summary>
    public bool Equals(SealingPublicKey? other) => other is not null && Kind == other.Kind && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SealingPublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => Thumbprint.GetHashCode(StringComparison.Ordinal);

    /// <summary>Of a curve, from an uncompressed point; null if the point is not on the curve.</summary>
    internal static SealingPublicKey? OfPoint(Curve curve, ReadOnlySpan<byte> point) =>
        EllipticKey.IsPoint(curve, point) ? new SealingPublicKey(curve.Kind, point.ToArray()) : null;

    /// <summary>Of coordinates as JOSE writes them: exactly as long as the field (RFC 7518 §6.2.1.2).</summary>
    internal static SealingPublicKey? OfCoordinates(Curve curve, string? x, string? y) =>
        Base64.TryUrl(x, out var left) && Base64.TryUrl(y, out var right) && left.Length == curve.FieldBytes && right.Length == curve.FieldBytes
            ? OfPoint(curve, [4, .. left, .. right])
            : null;

    private static (SealingPublicKey? Key, string Problem) Refuse(string problem) => (null, problem);

    private static (SealingPublicKey? Key, string Problem) OfJwk(ReadOnlySpan<byte> json)
    {
        using var document = StrictJson.Read(json);
        if (document is null || document.RootElement.ValueKind is not JsonValueKind.Object)
        {
            return Refuse("not a JSON object, or has a member twice");
        }

        var jwk = document.RootElement;
        if (Array.Exists(s_secretMembers, member => jwk.TryGetProperty(member, out _)))
        {
            return Refuse("a private key: it belongs nowhere but in the machine that made it");
        }

        return StrictJson.Text(jwk, "kty") switch
        {
            "EC" when Keys.Curve.OfName(StrictJson.Text(jwk, "crv")) is { } curve =>
                (OfCoordinates(curve, StrictJson.Text(jwk, "x"), StrictJson.Text(jwk, "y")), $"not a point of {curve.Name}, or its coordinates are not {curve.FieldBytes} bytes"),
            "EC" => Refuse("on another curve than P-256, P-384 and P-521"),
            "RSA" when Base64.TryUrl(StrictJson.Text(jwk, "n"), out var n) && Base64.TryUrl(StrictJson.Text(jwk, "e"), out var e) => OfModulus(n, e),
            "RSA" => Refuse("RSA without n or e in base64url"),
            _ => Refuse("of a type (kty) other than EC and RSA"),
        };
    }

    private static (SealingPublicKey? Key, string Problem) OfModulus(ReadOnlySpan<byte> modulus, ReadOnlySpan<byte> exponent)
    {
        if (modulus is not [>= 0x80, .., _] || (modulus[^1] & 1) == 0 || !exponent.SequenceEqual(s_exponent))
        {
            return Refuse("RSA with an exponent other than 65537, or with a modulus that is even, has a leading zero or less than its bytes' bits");
        }

        var bits = modulus.Length * 8;
        return bits switch
        {
            Limits.SmallestRsaBits => (new SealingPublicKey(KeyKind.Rsa3072, modulus.ToArray()), ""),
            Limits.LargestRsaBits => (new SealingPublicKey(KeyKind.Rsa4096, modulus.ToArray()), ""),
            _ => Refuse($"RSA with {bits} bits; 3072 or 4096 are expected"),
        };
    }

    private static (SealingPublicKey? Key, string Problem) OfPem(ReadOnlySpan<byte> text)
    {
        if (!PemEncoding.TryFindUtf8(text, out var found) || found.Location.Start.Value != 0 || found.Location.End.Value != text.Length)
        {
            return Refuse("PEM that is broken, or more than one block of it");
        }

        var label = text[found.Label];
        if (!label.SequenceEqual("PUBLIC KEY"u8))
        {
            return Refuse(label.EndsWith("PRIVATE KEY"u8) ? "a private key: it belongs nowhere but in the machine that made it" : "PEM of another kind than PUBLIC KEY");
        }

        var der = new byte[found.DecodedDataLength];
        return System.Buffers.Text.Base64.DecodeFromUtf8(text[found.Base64Data], der, out _, out var written) is System.Buffers.OperationStatus.Done && written == der.Length
            ? OfInfo(der)
            : Refuse("PEM that is not base64");
    }

    private static (SealingPublicKey? Key, string Problem) OfInfo(byte[] der)
    {
        try
        {
            var outer = new AsnReader(der, AsnEncodingRules.DER);
            var info = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            var algorithm = info.ReadSequence();
            var key = info.ReadBitString(out var unused);
            info.ThrowIfNotEmpty();
            var oid = algorithm.ReadObjectIdentifier();
            if (unused != 0)
            {
                return Refuse("DER whose key is not whole bytes");
            }

            if (oid == EcOid)
            {
                var curve = Keys.Curve.OfOid(algorithm.ReadObjectIdentifier());
                algorithm.ThrowIfNotEmpty();
                return curve is null ? Refuse("on another curve than P-256, P-384 and P-521") : (OfPoint(curve, key), $"not an uncompressed point of {curve.Name}");
            }

            if (oid != RsaOid)
            {
                return Refuse("of another algorithm than EC and RSA");
            }

            algorithm.ReadNull();
            algorithm.ThrowIfNotEmpty();
            var whole = new AsnReader(key, AsnEncodingRules.DER);
            var rsa = whole.ReadSequence();
            whole.ThrowIfNotEmpty();
            var (modulus, exponent) = (rsa.ReadIntegerBytes(), rsa.ReadIntegerBytes());
            rsa.ThrowIfNotEmpty();
            return OfModulus(modulus.Span is [0, .. var positive] ? positive : modulus.Span, exponent.Span);
        }
        catch (AsnContentException)
        {
            return Refuse("DER that is broken");
        }
    }

    /// <summary>RSAPublicKey (RFC 8017 A.1.1).</summary>
    internal byte[] RsaDer()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteIntegerUnsigned(_key);
            writer.WriteIntegerUnsigned(s_exponent);
        }

        return writer.Encode();
    }

    private byte[] Info()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(Curve is null ? RsaOid : EcOid);
                if (Curve is { } curve)
                {
                    writer.WriteObjectIdentifier(curve.Oid);
                }
                else
                {
                    writer.WriteNull();
                }
            }

            if (Curve is not null)
            {
                writer.WriteBitString(_key);
            }
            else
            {
                writer.WriteBitString(RsaDer());
            }
        }

        return writer.Encode();
    }
}
