using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>The signature algorithms that the trust sets here use.</summary>
public enum SignatureAlgorithm
{
    /// <summary>None was told. Never verifies.</summary>
    None,

    /// <summary>ecdsa-with-SHA256 (RFC 5758 §3.2), P-256 keys.</summary>
    EcdsaSha256,

    /// <summary>ecdsa-with-SHA384 (RFC 5758 §3.2), P-384 keys.</summary>
    EcdsaSha384,

    /// <summary>RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 8017 §8.1), RSA keys of 4096 bits: AMD's alone.</summary>
    RsaPssSha384,

    /// <summary>RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2), RSA keys of 2048 to 4096 bits: tokens' alone, for readers that know no other (S-22).</summary>
    RsaPkcs1Sha256,
}

/// <summary>
/// A public key that verifies. Importing it may cost more than verifying with it, so it is imported once, at first use, by the cheapest
/// road for its kind, and shared between threads: OpenSSL makes a context of its own for each verification.
/// </summary>
internal sealed class VerificationKey
{
    private const int P256Bits = 256;
    private const int P384Bits = 384;
    private const int RsaBits = 4096;
    private const int LeastRsaBits = 2048;

    private readonly Lazy<AsymmetricAlgorithm?> _key;
    private readonly int _bits;

    private VerificationKey(ReadOnlySpan<byte> info, Func<AsymmetricAlgorithm?> import)
        : this(BitsOf(info), import)
    {
    }

    private VerificationKey(int bits, Func<AsymmetricAlgorithm?> import)
    {
        _bits = bits;
        _key = new Lazy<AsymmetricAlgorithm?>(import, LazyThreadSafetyMode.ExecutionAndPublication);
    }

    // SubjectPublicKeyInfo of an uncompressed point (RFC 5480): everything before the point is one constant. A size of 384 bits alone
    // would let brainpoolP384r1 and explicit parameters of anybody's making pass for P-384.
    private static ReadOnlySpan<byte> P256Header =>
    [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07,
        0x03, 0x42, 0x00, 0x04,
    ];

    private static ReadOnlySpan<byte> P384Header =>
    [
        0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22,
        0x03, 0x62, 0x00, 0x04,
    ];

    // SubjectPublicKeyInfo of rsaEncryption with a modulus of exactly 4096 bits and the exponent 65537 (RFC 8017 §A.1): the modulus stands
    // between the two. Every other size or exponent verifies nothing.
    private static ReadOnlySpan<byte> RsaHeader =>
    [
        0x30, 0x82, 0x02, 0x22, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
        0x03, 0x82, 0x02, 0x0F, 0x00, 0x30, 0x82, 0x02, 0x0A, 0x02, 0x82, 0x02, 0x01, 0x00,
    ];

    private static ReadOnlySpan<byte> RsaTrailer => [0x02, 0x03, 0x01, 0x00, 0x01];

    /// <summary>The P-256 key of a bare point: X‖Y, 32 bytes each, big-endian, as TDX quotes carry it.</summary>
    public static VerificationKey FromP256Point(ReadOnlySpan<byte> point) => FromSubjectPublicKeyInfo((byte[])[.. P256Header, .. point]);

    /// <summary>The key of a certificate, of which <paramref name="info"/> is the SubjectPublicKeyInfo.</summary>
    public static VerificationKey FromCertificate(ReadOnlyMemory<byte> der, ReadOnlyMemory<byte> info) =>
        // Where .NET imports, OpenSSL multiplies the coordinates that it is given by the group order: of P-384 that is six times as dear as
        // reading the certificate, of P-256 it is cheaper, and of RSA there is nothing to multiply.
        BitsOf(info.Span) is P384Bits ? new(info.Span, () => ImportByLibcrypto(info) ?? LoadKey(der)) : FromSubjectPublicKeyInfo(info);

    /// <summary>Whether an RSA key of tokens has this modulus: 2048 to 4096 bits in whole bytes, without a sign octet, and odd.</summary>
    public static bool IsTokenModulus(ReadOnlySpan<byte> modulus) =>
        modulus.Length is >= LeastRsaBits / 8 and <= RsaBits / 8 && (modulus[0] & 0x80) != 0 && (modulus[^1] & 1) != 0;

    /// <summary>An RSA key of tokens with the exponent 65537; of any other modulus, one that verifies nothing.</summary>
    public static VerificationKey FromModulus(byte[] modulus) => IsTokenModulus(modulus)
        ? new(modulus.Length * 8, () => (OperatingSystem.IsLinux() ? LibcryptoKey.FromModulus(modulus) : null) ?? ImportModulus(modulus))
        : new(0, () => null);

    public static VerificationKey FromSubjectPublicKeyInfo(ReadOnlyMemory<byte> info) => new(info.Span, () => ImportByLibcrypto(info) ?? ImportByPlatform(info));

    /// <summary>The same by a road that the caller chooses.</summary>
    internal static VerificationKey FromSubjectPublicKeyInfo(ReadOnlyMemory<byte> info, Func<ReadOnlyMemory<byte>, AsymmetricAlgorithm?> import) =>
        new(info.Span, () => import(info));

    private static ECDsa? LoadKey(ReadOnlyMemory<byte> der)
    {
        using var loaded = X509CertificateLoader.LoadCertificate(der.Span);
        return loaded.GetECDsaPublicKey();
    }

    /// <summary>By libcrypto itself, the cheapest road; null where it is not there or refuses.</summary>
    internal static AsymmetricAlgorithm? ImportByLibcrypto(ReadOnlyMemory<byte> info)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        return BitsOf(info.Span) switch
        {
            P256Bits => LibcryptoKey.FromPoint(P256Bits, info.Span[(P256Header.Length - 1)..]),
            P384Bits => LibcryptoKey.FromPoint(P384Bits, info.Span[(P384Header.Length - 1)..]),
            RsaBits => LibcryptoKey.FromModulus(info.Span.Slice(RsaHeader.Length, RsaBits / 8)),
            _ => null,
        };
    }

    /// <summary>By .NET, on every platform.</summary>
    internal static AsymmetricAlgorithm ImportByPlatform(ReadOnlyMemory<byte> info)
    {
        if (BitsOf(info.Span) is RsaBits)
        {
            return ImportModulus(info.Slice(RsaHeader.Length, RsaBits / 8).ToArray());
        }

        var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(info.Span, out _);
        return key;
    }

    private static RSA ImportModulus(byte[] modulus) => RSA.Create(new RSAParameters { Modulus = modulus, Exponent = [1, 0, 1] });

    private static int BitsOf(ReadOnlySpan<byte> info) =>
        info.StartsWith(P384Header) && info.Length == P384Header.Length + (2 * P384Bits / 8) ? P384Bits
        : info.StartsWith(P256Header) && info.Length == P256Header.Length + (2 * P256Bits / 8) ? P256Bits
        : info.StartsWith(RsaHeader) && info.EndsWith(RsaTrailer) && info.Length == RsaHeader.Length + (RsaBits / 8) + RsaTrailer.Length
            && (info[RsaHeader.Length] & 0x80) != 0 ? RsaBits
        : 0;

    /// <summary>Whether <paramref name="signature"/> is this key's over <paramref name="content"/>.</summary>
    /// <param name="content">What was signed, unhashed.</param>
    /// <param name="signature">R‖S in fixed length, big-endian, or the DER of Ecdsa-Sig-Value, as <paramref name="format"/> says; of RSA as many bytes as the modulus, big-endian.</param>
    /// <param name="algorithm">Decides the hash and the kind of key; a key of another kind verifies nothing.</param>
    /// <param name="format">The form of an ECDSA signature.</param>
    /// <param name="meter">Counts the operation.</param>
    public bool Verifies(
        ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature, SignatureAlgorithm algorithm, DSASignatureFormat format, OperationMeter meter)
    {
        var (hash, bits) = algorithm switch
        {
            SignatureAlgorithm.EcdsaSha256 => (HashAlgorithmName.SHA256, P256Bits),
            SignatureAlgorithm.EcdsaSha384 => (HashAlgorithmName.SHA384, P384Bits),
            SignatureAlgorithm.RsaPssSha384 => (HashAlgorithmName.SHA384, RsaBits),
            SignatureAlgorithm.RsaPkcs1Sha256 when _bits >= LeastRsaBits => (HashAlgorithmName.SHA256, _bits),
            _ => (default, 0),
        };
        if (bits == 0 || bits != _bits || Import(meter) is not { } key || key.KeySize != bits)
        {
            return false;
        }

        if (key is ECDsa && format is DSASignatureFormat.Rfc3279DerSequence && !IsStrict(signature))
        {
            return false;
        }

        meter.CountVerification();
        return key switch
        {
            ECDsa curve => curve.VerifyData(content, signature, hash, format),
            // The platform demands the salt to be as long as the hash, which is what AMD's certificates state.
            RSA rsa when algorithm is SignatureAlgorithm.RsaPssSha384 => rsa.VerifyData(content, signature, hash, RSASignaturePadding.Pss),
            RSA rsa => signature.Length == bits / 8 && rsa.VerifyData(content, signature, hash, RSASignaturePadding.Pkcs1),
            _ => false,
        };
    }

    // Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }. The platform reads a missing sign octet as if it were there, which would
    // give one signature two spellings (S-26).
    private static bool IsStrict(ReadOnlySpan<byte> signature)
    {
        var faults = new DerFaults();
        var reader = new DerReader(signature, faults);
        var value = reader.Sequence("Ecdsa-Sig-Value");
        var positive = value.Integer("r") is [< 0x80, ..] && value.Integer("s") is [< 0x80, ..];
        value.End("Ecdsa-Sig-Value");
        reader.End("Ecdsa-Sig-Value");
        return positive && faults.First is null;
    }

    // A point that is not on the curve, or a curve that the platform lacks, is bad input and not a bug.
    private AsymmetricAlgorithm? Import(OperationMeter meter)
    {
        try
        {
            if (!_key.IsValueCreated)
            {
                meter.CountImport();
            }

            return _key.Value;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
