using Assay.Wire;

namespace Assay.Trust;

/// <summary>A root that is believed without proof. A chain must end with this very certificate.</summary>
/// <remarks>No record: it keeps its imported key, which must not travel to a copy with another fingerprint.</remarks>
public sealed class TrustAnchor
{
    private VerificationKey? _key;

    internal TrustAnchor(string label, Digest fingerprint, ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        (Label, Fingerprint, SubjectPublicKeyInfo) = (label, fingerprint, subjectPublicKeyInfo);

    /// <summary>Its common name, for people.</summary>
    public string Label { get; }

    /// <summary>SHA-256 of its DER.</summary>
    public Digest Fingerprint { get; }

    /// <summary>DER of its key; held beside the fingerprint so that neither alone decides.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>
    /// The anchor's key, imported once for as long as the trust set lives. It is taken from <paramref name="certificate"/>, which must be
    /// the anchor's own: importing through a certificate costs a quarter of what importing the bare key costs.
    /// </summary>
    internal VerificationKey KeyOf(Certificate certificate)
    {
        if (!Is(certificate))
        {
            throw new ArgumentException("not this anchor's certificate", nameof(certificate));
        }

        return _key ?? Interlocked.CompareExchange(ref _key, certificate.Key, null) ?? _key;
    }

    internal bool Is(Certificate certificate) =>
        certificate.Fingerprint == Fingerprint && certificate.SubjectPublicKeyInfo.Span.SequenceEqual(SubjectPublicKeyInfo.Span);

    internal static TrustAnchor Of(Certificate root) =>
        new(root.Subject.CommonName ?? root.Subject.ToString(), root.Fingerprint, root.SubjectPublicKeyInfo);
}
