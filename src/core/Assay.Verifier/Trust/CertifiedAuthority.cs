using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>Under whose roots an authority stands. Roots of one purpose certify nothing of another (S-12).</summary>
public enum AuthorityPurpose
{
    /// <summary>Not known.</summary>
    None,

    /// <summary>Certifies devices.</summary>
    Device,

    /// <summary>Certifies signers of RIMs.</summary>
    RimSigner,

    /// <summary>Certifies Intel's platforms and statements.</summary>
    Intel,

    /// <summary>Certifies AMD's processors.</summary>
    Amd,
}

/// <summary>
/// A certificate authority proven to stand under an anchor of a trust set: whoever holds answers and lists about certificates, and not the
/// certificates, judges them by it. It says nothing about time or revocation.
/// </summary>
public sealed class CertifiedAuthority
{
    private CertifiedAuthority(ImmutableArray<Certificate> certificates, TrustAnchor anchor, AuthorityPurpose purpose)
    {
        Certificates = certificates;
        Anchor = anchor;
        Purpose = purpose;
        EarliestNotAfter = certificates.Min(certificate => certificate.NotAfter);
        LatestNotBefore = certificates.Max(certificate => certificate.NotBefore);
    }

    /// <summary>The authority, then each issuer up to the anchor's own certificate; that alone for a root.</summary>
    public ImmutableArray<Certificate> Certificates { get; }

    /// <summary>Where it ends.</summary>
    internal TrustAnchor Anchor { get; }

    /// <summary>Which roots the anchor is of.</summary>
    public AuthorityPurpose Purpose { get; }

    /// <summary>The authority itself.</summary>
    public Certificate Certificate => Certificates[0];

    /// <summary>SHA-384 of its SubjectPublicKeyInfo.</summary>
    public Digest Key => Certificate.KeyIdentity;

    /// <summary>When the first certificate of the chain ends.</summary>
    public DateTimeOffset EarliestNotAfter { get; }

    /// <summary>When the last of them begins.</summary>
    public DateTimeOffset LatestNotBefore { get; }

    /// <summary>This one and every authority above it.</summary>
    internal ImmutableArray<CertifiedAuthority> WithThoseAbove() => [this, .. Enumerable.Range(0, Certificates.Length - 1).Select(Issuer)];

    /// <summary>Who issued the certificate of an index of this chain.</summary>
    internal CertifiedAuthority Issuer(int index) => new(Certificates[(index + 1)..], Anchor, Purpose);

    /// <summary>How CertIDs with this hash name it: the same text as <see cref="OcspCertId.IssuerName"/>. An entry of an index, not a proof.</summary>
    public string NameUnder(OcspHash hash) => $"{hash}:{OcspCertId.Hash(hash, Certificate.Subject.Der)}:{OcspCertId.Hash(hash, Certificate.PublicKeyBits.Span)}".ToLowerInvariant();

    /// <summary>The chain as PEM, authority first.</summary>
    public string ToPem()
    {
        var text = new StringBuilder();
        foreach (var certificate in Certificates)
        {
            text.Append(System.Security.Cryptography.PemEncoding.Write("CERTIFICATE", certificate.Raw.Span)).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>The authorities of a proven path: every certificate above its leaf.</summary>
    internal static IEnumerable<CertifiedAuthority> Above(CertificationPath path, AuthorityPurpose purpose) =>
        Enumerable.Range(1, path.Certificates.Length - 1).Select(index => new CertifiedAuthority(path.Certificates[index..], path.Anchor, purpose));

    /// <summary>
    /// Proves a chain of authorities, given first to last: each a CA that may sign certificates, issued by the next by exact name and key,
    /// within path lengths; the last the anchor itself.
    /// </summary>
    internal static bool TryCertify(
        ImmutableArray<Certificate> chain, TrustSet trust, VerifierCache cache, [NotNullWhen(true)] out CertifiedAuthority? authority, [NotNullWhen(false)] out string? whyNot)
    {
        authority = null;
        var (anchor, purpose) = AnchorOf(chain, trust);
        whyNot = anchor is null ? $"the last certificate is not a trusted root{CertificationPath.Foreign(chain, trust.Kind)}"
            : chain[0].BasicConstraints is not { CertificateAuthority: true } || chain[0].KeyUsage is not { KeyCertSign: true } ? $"certificate 0 ({chain[0].Subject.CommonName}) is not a certificate authority"
            : null;
        for (var index = 0; whyNot is null && index < chain.Length; index++)
        {
            // The first certificate is an authority too: one more than in a chain that begins with a leaf.
            whyNot = CertificationPath.WhyNotCertificate(chain, index, index + 1, trust.Kind);
        }

        if (whyNot is not null)
        {
            return false;
        }

        chain = chain.SetItem(chain.Length - 1, anchor!.Own(chain[^1]));
        for (var index = chain.Length - 2; whyNot is null && index >= 0; index--)
        {
            whyNot = cache.IsSignedBy(chain[index], chain[index + 1])
                ? null
                : $"the signature of certificate {index} ({chain[index].Subject.CommonName}) was not made by the key of certificate {index + 1}";
        }

        authority = whyNot is null ? new CertifiedAuthority(chain, anchor, purpose) : null;
        return authority is not null;
    }

    private static (TrustAnchor? Anchor, AuthorityPurpose Purpose) AnchorOf(ImmutableArray<Certificate> chain, TrustSet trust)
    {
        (ImmutableArray<TrustAnchor> Anchors, AuthorityPurpose Purpose)[] purposes =
        [
            (trust.DeviceAnchors, AuthorityPurpose.Device), (trust.RimAnchors, AuthorityPurpose.RimSigner),
            (trust.IntelAnchors, AuthorityPurpose.Intel), (trust.AmdAnchors, AuthorityPurpose.Amd),
        ];
        return chain.IsDefaultOrEmpty ? default
            : purposes.Select(item => (Anchor: item.Anchors.FirstOrDefault(anchor => anchor.Is(chain[^1])), item.Purpose)).FirstOrDefault(item => item.Anchor is not null);
    }
}
