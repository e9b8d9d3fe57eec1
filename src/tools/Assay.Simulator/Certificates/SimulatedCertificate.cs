using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>
/// A certificate that the simulator issued, together with its private key (P-384) and the certificate above it.
/// Holding one lets a test sign anything with that key; none of them is worth protecting.
/// </summary>
public sealed class SimulatedCertificate : IDisposable
{
    private readonly ECDsa _key;

    private SimulatedCertificate(CertificateDraft draft, ECDsa key, SimulatedCertificate? issuer)
    {
        _key = key;
        Issuer = issuer;
        Marker = issuer?.Marker ?? draft.Marker;
        Name = draft.Subject;
        Serial = draft.Serial;
        PublicKey = key.ExportSubjectPublicKeyInfo();
        KeyIdentifier = SHA1.HashData(PublicKeyPoint);
        Der = draft.Encode(this);
    }

    /// <summary>The certificate, DER.</summary>
    public ReadOnlyMemory<byte> Der { get; }

    /// <summary>The certificate above this one; null for a root, which signed itself.</summary>
    public SimulatedCertificate? Issuer { get; }

    /// <summary>The subject's CN.</summary>
    public string CommonName => Name.Common;

    /// <summary>The X.509 serial number: content bytes of a positive INTEGER, big-endian, upper-case hex.</summary>
    public string SerialNumber => Convert.ToHexString(Serial);

    /// <summary>The certificate as PEM text: 64 columns, LF, with a final newline.</summary>
    public string Pem => PemEncoding.WriteString("CERTIFICATE", Der.Span) + "\n";

    /// <summary>This certificate, then each issuer up to the root.</summary>
    public ImmutableArray<SimulatedCertificate> Chain => Issuer is null ? [this] : [this, .. Issuer.Chain];

    /// <summary><see cref="Chain"/> as concatenated PEM, leaf first, the form in which drivers hand chains out.</summary>
    public string ChainPem => string.Concat(Chain.Select(certificate => certificate.Pem));

    internal SubjectName Name { get; }

    internal CertificateExtension Marker { get; }

    internal byte[] Serial { get; }

    /// <summary>SubjectPublicKeyInfo, DER.</summary>
    internal byte[] PublicKey { get; }

    /// <summary>SHA-1 of the public point, which is what NVIDIA's certificates use.</summary>
    internal byte[] KeyIdentifier { get; }

    /// <summary>The uncompressed point: 0x04, X, Y. It ends the SubjectPublicKeyInfo and is what OCSP hashes as the issuer key.</summary>
    internal ReadOnlySpan<byte> PublicKeyPoint => PublicKey.AsSpan(PublicKey.Length - PointSize);

    private const int PointSize = 1 + 2 * 48;

    /// <summary>ECDSA-SHA384 over <paramref name="data"/>: R and S, 48 bytes each, big-endian.</summary>
    public byte[] SignRaw(ReadOnlySpan<byte> data) =>
        _key.SignData(data, HashAlgorithmName.SHA384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    /// <summary>ECDSA-SHA384 over <paramref name="data"/> as the DER SEQUENCE that X.509, CRLs and OCSP use.</summary>
    public byte[] SignDer(ReadOnlySpan<byte> data) =>
        _key.SignData(data, HashAlgorithmName.SHA384, DSASignatureFormat.Rfc3279DerSequence);

    /// <summary>Whether <paramref name="signature"/> (R and S, 96 bytes) is this key's over <paramref name="data"/>.</summary>
    public bool Verifies(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) =>
        _key.VerifyData(data, signature, HashAlgorithmName.SHA384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    /// <summary>Forgets the private key. The certificate stays readable.</summary>
    public void Dispose() => _key.Dispose();

    public override string ToString() => $"{CommonName} ({SerialNumber})";

    internal static SimulatedCertificate Issue(CertificateDraft draft, SimulatedCertificate? issuer) =>
        new(draft, ECDsa.Create(ECCurve.NamedCurves.nistP384), issuer);

    /// <summary>For subjects that are named after their own key.</summary>
    internal static SimulatedCertificate Issue(Func<byte[], CertificateDraft> draft, SimulatedCertificate issuer)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var point = key.ExportSubjectPublicKeyInfo().AsSpan()[^PointSize..];
        return new SimulatedCertificate(draft(SHA1.HashData(point)), key, issuer);
    }
}
