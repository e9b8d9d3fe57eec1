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
}

/// <summary>
/// A public key that verifies. Importing one costs a fifth of a verification through a certificate and more than one through its
/// coordinates (OpenSSL then multiplies by the group order), so it is imported once, at first use, and shared between threads:
/// OpenSSL makes a context of its own for each verification.
/// </summary>
internal sealed class VerificationKey
{
    private const int P256Bits = 256;
    private const int P384Bits = 384;

    private readonly Lazy<ECDsa?> _key;
    private readonly int _bits;

    private VerificationKey(ReadOnlySpan<byte> info, Func<ECDsa?> import)
    {
        _bits = BitsOfNamedCurve(info);
        _key = new Lazy<ECDsa?>(import, LazyThreadSafetyMode.ExecutionAndPublication);
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

    public static VerificationKey FromCertificate(ReadOnlyMemory<byte> der, ReadOnlySpan<byte> info) => new(info, () =>
    {
        using var loaded = X509CertificateLoader.LoadCertificate(der.Span);
        return loaded.GetECDsaPublicKey();
    });

    public static VerificationKey FromSubjectPublicKeyInfo(ReadOnlyMemory<byte> info) => new(info.Span, () =>
    {
        var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(info.Span, out _);
        return key;
    });

    private static int BitsOfNamedCurve(ReadOnlySpan<byte> info) =>
        info.StartsWith(P384Header) && info.Length == P384Header.Length + (2 * P384Bits / 8) ? P384Bits
        : info.StartsWith(P256Header) && info.Length == P256Header.Length + (2 * P256Bits / 8) ? P256Bits
        : 0;

    /// <summary>Whether <paramref name="signature"/> is this key's over <paramref name="content"/>.</summary>
    /// <param name="content">What was signed, unhashed.</param>
    /// <param name="signature">R‖S in fixed length, big-endian, or the DER of Ecdsa-Sig-Value, as <paramref name="format"/> says.</param>
    /// <param name="algorithm">Decides the hash and the curve; a key of another curve verifies nothing.</param>
    /// <param name="format">The form of the signature.</param>
    /// <param name="meter">Counts the operation.</param>
    public bool Verifies(
        ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature, SignatureAlgorithm algorithm, DSASignatureFormat format, OperationMeter meter)
    {
        var (hash, bits) = algorithm switch
        {
            SignatureAlgorithm.EcdsaSha256 => (HashAlgorithmName.SHA256, P256Bits),
            SignatureAlgorithm.EcdsaSha384 => (HashAlgorithmName.SHA384, P384Bits),
            _ => (default, 0),
        };
        if (bits == 0 || bits != _bits || Import(meter) is not { } key || key.KeySize != bits)
        {
            return false;
        }

        if (format is DSASignatureFormat.Rfc3279DerSequence && !IsStrict(signature))
        {
            return false;
        }

        meter.CountVerification();
        return key.VerifyData(content, signature, hash, format);
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
    private ECDsa? Import(OperationMeter meter)
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
