using Assay.Wire;

namespace Assay.Trust;

/// <summary>A root that is believed without proof. A chain must end with this very certificate.</summary>
/// <remarks>No record: it keeps its certificate, which must not travel to a copy with another fingerprint.</remarks>
public sealed class TrustAnchor
{
    private Certificate? _certificate;

    internal TrustAnchor(string label, Digest fingerprint, ReadOnlyMemory<byte> subjectPublicKeyInfo) =>
        (Label, Fingerprint, SubjectPublicKeyInfo) = (label, fingerprint, subjectPublicKeyInfo);

    /// <summary>Its common name, for people.</summary>
    public string Label { get; }

    /// <summary>SHA-256 of its DER.</summary>
    public Digest Fingerprint { get; }

    /// <summary>DER of its key; held beside the fingerprint so that neither alone decides.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>
    /// The anchor's certificate as it was first met. Paths end with it, so that its key is imported once for as long as the trust set
    /// lives, whether it is asked about certificates or about lists.
    /// </summary>
    /// <exception cref="ArgumentException"><paramref name="certificate"/> is not the anchor's own: a mistake of the caller.</exception>
    internal Certificate Own(Certificate certificate)
    {
        if (!Is(certificate))
        {
            throw new ArgumentException("not this anchor's certificate", nameof(certificate));
        }

        return _certificate ?? Interlocked.CompareExchange(ref _certificate, certificate, null) ?? _certificate;
    }

    internal bool Is(Certificate certificate) =>
        certificate.Fingerprint == Fingerprint && certificate.SubjectPublicKeyInfo.Span.SequenceEqual(SubjectPublicKeyInfo.Span);

    internal static TrustAnchor Of(Certificate root) =>
        new(root.Subject.CommonName ?? root.Subject.ToString(), root.Fingerprint, root.SubjectPublicKeyInfo);
}
