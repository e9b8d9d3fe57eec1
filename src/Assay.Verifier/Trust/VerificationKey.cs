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
    private readonly Lazy<ECDsa?> _key;

    private VerificationKey(Func<ECDsa?> import) => _key = new Lazy<ECDsa?>(import, LazyThreadSafetyMode.ExecutionAndPublication);

    public static VerificationKey FromCertificate(ReadOnlyMemory<byte> der) => new(() =>
    {
        using var loaded = X509CertificateLoader.LoadCertificate(der.Span);
        return loaded.GetECDsaPublicKey();
    });

    public static VerificationKey FromSubjectPublicKeyInfo(ReadOnlyMemory<byte> info) => new(() =>
    {
        var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(info.Span, out _);
        return key;
    });

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
            SignatureAlgorithm.EcdsaSha256 => (HashAlgorithmName.SHA256, 256),
            SignatureAlgorithm.EcdsaSha384 => (HashAlgorithmName.SHA384, 384),
            _ => (default, 0),
        };
        if (bits == 0 || Import(meter) is not { } key || key.KeySize != bits)
        {
            return false;
        }

        meter.CountVerification();
        return key.VerifyData(content, signature, hash, format);
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
