using Assay.Wire;

namespace Assay.Trust;

/// <summary>A root that is believed without proof. A chain must end with this very certificate.</summary>
/// <param name="Label">Its common name, for people.</param>
/// <param name="Fingerprint">SHA-256 of its DER.</param>
/// <param name="SubjectPublicKeyInfo">DER of its key; held beside the fingerprint so that neither alone decides.</param>
public sealed record TrustAnchor(string Label, Digest Fingerprint, ReadOnlyMemory<byte> SubjectPublicKeyInfo)
{
    internal bool Is(Certificate certificate) =>
        certificate.Fingerprint == Fingerprint && certificate.SubjectPublicKeyInfo.Span.SequenceEqual(SubjectPublicKeyInfo.Span);

    internal static TrustAnchor Of(Certificate root) =>
        new(root.Subject.CommonName ?? root.Subject.ToString(), root.Fingerprint, root.SubjectPublicKeyInfo);
}
