using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>What a path is for, which decides its roots and its leaf's shape.</summary>
internal enum PathPurpose
{
    /// <summary>Never valid.</summary>
    None,

    /// <summary>A device identity chain: leaf key signs reports.</summary>
    Device,

    /// <summary>A RIM signer chain: leaf key signs RIMs.</summary>
    RimSigner,

    /// <summary>A PCK certificate, its Platform or Processor CA, Intel's root: leaf key signs reports of quoting enclaves.</summary>
    IntelPck,

    /// <summary>Intel's TCB signing certificate directly under its root: leaf key signs TCB information and enclave identities.</summary>
    IntelTcbSigning,

    /// <summary>VCEK or VLEK, its ASK or ASVK, an ARK: leaf key signs SNP reports.</summary>
    AmdEndorsement,
}

/// <summary>
/// A chain of certificates proven to end at an anchor of the trust set, leaf first, the anchor last. The only way to get one is
/// <see cref="TryCertify"/>. It says nothing about time or revocation: both are findings of their own, so that an expired chain is
/// still explained in full.
/// </summary>
internal sealed class CertificationPath
{
    private CertificationPath(ImmutableArray<Certificate> certificates, TrustAnchor anchor)
    {
        Certificates = certificates;
        Anchor = anchor;
        EarliestNotAfter = certificates.Min(certificate => certificate.NotAfter);
        LatestNotBefore = certificates.Max(certificate => certificate.NotBefore);
    }

    /// <summary>Leaf first, the anchor's own certificate last.</summary>
    public ImmutableArray<Certificate> Certificates { get; }

    /// <summary>Where it ends.</summary>
    public TrustAnchor Anchor { get; }

    /// <summary>The certificate whose key signs reports or RIMs.</summary>
    public Certificate Leaf => Certificates[0];

    /// <summary>The path is valid until the first of its certificates ends.</summary>
    public DateTimeOffset EarliestNotAfter { get; }

    /// <summary>The path is valid from when the last of its certificates begins.</summary>
    public DateTimeOffset LatestNotBefore { get; }

    /// <summary>
    /// Builds the path in the given order: each certificate issued by the next, by exact name and key; every issuer a CA that may sign
    /// certificates, within its path length; no critical extension without a rule; the leaf no CA and of no other purpose; the last
    /// the anchor itself.
    /// </summary>
    internal static bool TryCertify(
        ImmutableArray<Certificate> chain,
        TrustSet trust,
        PathPurpose purpose,
        VerifierCache cache,
        [NotNullWhen(true)] out CertificationPath? path,
        [NotNullWhen(false)] out string? whyNot)
    {
        path = null;
        var anchors = purpose switch
        {
            PathPurpose.Device => trust.DeviceAnchors,
            PathPurpose.RimSigner => trust.RimAnchors,
            PathPurpose.IntelPck or PathPurpose.IntelTcbSigning => trust.IntelAnchors,
            PathPurpose.AmdEndorsement => trust.AmdAnchors,
            _ => [],
        };
        var anchor = chain.IsDefaultOrEmpty ? null : anchors.FirstOrDefault(candidate => candidate.Is(chain[^1]));
        whyNot = WhyNoAnchor(chain, anchors, anchor, trust.Kind) ?? WhyNotLeaf(chain, purpose);
        for (var index = 0; whyNot is null && index < chain.Length; index++)
        {
            whyNot = WhyNotCertificate(chain, index, index, trust.Kind);
        }

        if (whyNot is not null)
        {
            return false;
        }

        chain = chain.SetItem(chain.Length - 1, anchor!.Own(chain[^1]));

        // Signatures last: they cost a thousand times more than everything above.
        for (var index = chain.Length - 2; whyNot is null && index >= 0; index--)
        {
            whyNot = cache.IsSignedBy(chain[index], chain[index + 1])
                ? null
                : $"the signature of certificate {index} ({Name(chain[index])}) was not made by the key of certificate {index + 1} ({Name(chain[index + 1])})";
        }

        path = whyNot is null ? new CertificationPath(chain, anchor) : null;
        return path is not null;
    }

    private static string? WhyNoAnchor(ImmutableArray<Certificate> chain, ImmutableArray<TrustAnchor> anchors, TrustAnchor? anchor, TrustSetKind kind) =>
        chain.IsDefaultOrEmpty || chain.Length < 2 ? "a chain of at least a leaf and its root is expected"
        : anchor is not null ? null
        : $"the last certificate ({Name(chain[^1])}, SHA-256 {chain[^1].Fingerprint}) is not a trusted root; expected {(anchors.IsEmpty ? "none, for the trust set has no root for this purpose" : string.Join(" or ", anchors.Select(candidate => $"{candidate.Label} ({candidate.Fingerprint})")))}{Foreign(chain, kind)}";

    /// <summary>What to do where a simulator's certificates meet real roots, or real ones a simulator's; empty otherwise. It is said of a chain that is refused anyway.</summary>
    internal static string Foreign(ImmutableArray<Certificate> chain, TrustSetKind kind) => (chain.Any(certificate => SimulatedMarker.IsIn(certificate.Extensions)), kind) switch
    {
        (true, not TrustSetKind.Simulated) => "; it is a simulator's, whose roots are given with --anchors, for tests alone",
        (false, TrustSetKind.Simulated) => "; the roots given with --anchors are a simulator's, and this is not from one: leave --anchors out for the manufacturers' own",
        _ => "",
    };

    private static string? WhyNotLeaf(ImmutableArray<Certificate> chain, PathPurpose purpose) =>
        chain[0].BasicConstraints is { CertificateAuthority: true } ? "the leaf is a CA certificate"
        // AMD's VCEKs carry no keyUsage at all.
        : chain[0].KeyUsage is not { DigitalSignature: true } && !(purpose is PathPurpose.AmdEndorsement && chain[0].KeyUsage is null) ? "the leaf's keyUsage does not allow digitalSignature"
        // An OCSP responder's certificate has the same issuer as a RIM signer's: its purpose must keep it from signing RIMs.
        : chain[0].Extensions.Find(Oids.ExtendedKeyUsage) is not null ? "the leaf has an extKeyUsage, which no device key or RIM signer has"
        : WhyNotShape(chain, purpose);

    // Below one root Intel certifies two kinds of keys, and AMD two as well: length, names and algorithm keep each to its own purpose.
    private static string? WhyNotShape(ImmutableArray<Certificate> chain, PathPurpose purpose)
    {
        var (length, leaf, algorithm) = purpose switch
        {
            PathPurpose.IntelPck => (3, "Intel SGX PCK Certificate", SignatureAlgorithm.EcdsaSha256),
            PathPurpose.IntelTcbSigning => (2, "Intel SGX TCB Signing", SignatureAlgorithm.EcdsaSha256),
            PathPurpose.AmdEndorsement => (3, null, SignatureAlgorithm.RsaPssSha384),
            _ => (0, null, SignatureAlgorithm.EcdsaSha384),
        };
        return length != 0 && chain.Length != length ? $"{length} certificates are expected, {chain.Length} are there"
            : leaf is not null && chain[0].Subject.CommonName != leaf ? $"the leaf is \"{chain[0].Subject.CommonName}\", where \"{leaf}\" is expected"
            : chain.Any(certificate => certificate.SignatureAlgorithm != algorithm) ? $"{purpose} chains are signed with {Name(algorithm)} alone"
            : null;
    }

    /// <param name="chain">The chain.</param>
    /// <param name="index">The certificate that is looked at, together with its issuer.</param>
    /// <param name="authoritiesBelow">CA certificates between the issuer and the leaf, which its path length must allow.</param>
    /// <param name="kind">Of the trust set.</param>
    internal static string? WhyNotCertificate(ImmutableArray<Certificate> chain, int index, int authoritiesBelow, TrustSetKind kind)
    {
        var certificate = chain[index];
        var marked = SimulatedMarker.IsIn(certificate.Extensions);
        if (marked != (kind is TrustSetKind.Simulated))
        {
            return marked
                ? $"certificate {index} ({Name(certificate)}) is of a simulator, and the trust set is not"
                : $"certificate {index} ({Name(certificate)}) lacks the simulator's marker, and the trust set is simulated";
        }

        if (certificate.Extensions.UnknownCritical.FirstOrDefault() is { } unknown)
        {
            return $"certificate {index} ({Name(certificate)}) has the critical extension {Oids.ToText(unknown)}, which is not supported";
        }

        if (index == chain.Length - 1)
        {
            return null;
        }

        var issuer = chain[index + 1];
        var authority = certificate.Extensions.AuthorityKeyIdentifier;
        var subject = issuer.Extensions.SubjectKeyIdentifier;
        return !certificate.Issuer.Equals(issuer.Subject) ? $"certificate {index} names the issuer \"{certificate.Issuer}\", certificate {index + 1} is \"{issuer.Subject}\""
            : authority is not null && subject is not null && !authority.AsSpan().SequenceEqual(subject) ? $"certificate {index}'s authorityKeyIdentifier is not certificate {index + 1}'s subjectKeyIdentifier"
            : issuer.BasicConstraints is not { CertificateAuthority: true } ? $"certificate {index + 1} ({Name(issuer)}) is not a CA"
            : issuer.KeyUsage is not { KeyCertSign: true } ? $"certificate {index + 1} ({Name(issuer)}) may not sign certificates (keyUsage)"
            : issuer.BasicConstraints?.PathLength < authoritiesBelow ? $"certificate {index + 1} ({Name(issuer)}) allows {issuer.BasicConstraints?.PathLength} CA certificates below it, and {authoritiesBelow} follow"
            : null;
    }

    private static string Name(SignatureAlgorithm algorithm) => algorithm switch
    {
        SignatureAlgorithm.EcdsaSha384 => "ecdsa-with-SHA384",
        SignatureAlgorithm.EcdsaSha256 => "ecdsa-with-SHA256",
        _ => "RSASSA-PSS and SHA-384",
    };

    private static string Name(Certificate certificate) => certificate.Subject.CommonName ?? certificate.Subject.ToString();
}
