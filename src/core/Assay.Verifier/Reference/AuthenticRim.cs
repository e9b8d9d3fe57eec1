using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>
/// A RIM whose signature verified under the leaf of a chain that ends at a RIM root. It says nothing about time or revocation.
/// The only way to get one is <see cref="Authenticate"/>.
/// </summary>
internal sealed class AuthenticRim
{
    private AuthenticRim(RimDocument document, CertificationPath path)
    {
        Document = document;
        Path = path;
    }

    /// <summary>What it says.</summary>
    public RimDocument Document { get; }

    /// <summary>Who signed it.</summary>
    internal CertificationPath Path { get; }

    /// <summary>The RIM that was authenticated before from these bytes under this trust set: one SHA-256, no parse.</summary>
    internal static bool TryFromCache(ReadOnlySpan<byte> xml, TrustSet trust, VerifierCache cache, [NotNullWhen(true)] out AuthenticRim? rim)
    {
        rim = null;
        return xml.Length <= Limits.RimBytes && cache.TryGetAuthentic(Digest.Sha256(xml), trust.Identity, out rim);
    }

    /// <summary>Asks both questions, so that one bad answer does not hide the other; the cheap parts first.</summary>
    internal static RimAuthentication Authenticate(RimDocument document, TrustSet trust, VerifierCache cache)
    {
        if (cache.TryGetAuthentic<AuthenticRim>(document.Content, trust.Identity, out var known))
        {
            return new RimAuthentication(known, known.Path, null, null, DocumentDigestDiffers: false);
        }

        var digestDiffers = document.ClaimedDigest != document.DocumentDigest;
        var chain = ReadChain(document, cache, out var leaf, out var chainFault);
        CertificationPath? path = null;
        if (chainFault is null)
        {
            CertificationPath.TryCertify(chain, trust, PathPurpose.RimSigner, cache, out path, out chainFault);
        }

        var signatureFault = digestDiffers
            ? $"the digest of the document differs: SHA-384 is {document.DocumentDigest}, ds:DigestValue says {document.ClaimedDigest}"
            : WhyNotSigned(document, leaf, cache.Meter);
        var rim = path is not null && signatureFault is null ? new AuthenticRim(document, path) : null;
        if (rim is not null)
        {
            cache.AddAuthentic(document.Content, trust.Identity, rim);
        }

        return new RimAuthentication(rim, path, chainFault, signatureFault, digestDiffers);
    }

    private static ImmutableArray<Certificate> ReadChain(RimDocument document, VerifierCache cache, out Certificate? leaf, out string? whyNot)
    {
        var chain = ImmutableArray.CreateBuilder<Certificate>(document.Certificates.Length);
        (leaf, whyNot) = (null, null);
        for (var index = 0; index < document.Certificates.Length; index++)
        {
            if (!cache.TryReadCertificate(document.Certificates[index].Span, out var certificate, out var fault))
            {
                whyNot ??= $"certificate {index} is unreadable: {fault}";
                continue;
            }

            leaf = index == 0 ? certificate : leaf;
            chain.Add(certificate);
        }

        return chain.ToImmutable();
    }

    // XML Signature §3.2.2, with the key of the first certificate and no other: KeyInfo may name many.
    private static string? WhyNotSigned(RimDocument document, Certificate? leaf, OperationMeter meter) =>
        leaf is null ? "ds:SignatureValue has no key: certificate 0 is unreadable"
        : leaf.Key.Verifies(document.SignedInfo.Span, document.SignatureValue.Span, SignatureAlgorithm.EcdsaSha384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, meter) ? null
        : $"ds:SignatureValue does not verify under the key of certificate 0 ({leaf.Subject.CommonName ?? leaf.Subject.ToString()})";
}

/// <summary>The outcome of <see cref="AuthenticRim.Authenticate"/>.</summary>
/// <param name="Rim">The proof; null unless both faults are.</param>
/// <param name="Path">The signer's chain, when it certifies, even where the signature does not verify.</param>
/// <param name="ChainFault">Why the chain does not certify.</param>
/// <param name="SignatureFault">Why the signature does not verify.</param>
/// <param name="DocumentDigestDiffers">Whether the signature failed because the document is not the one that was signed.</param>
internal sealed record RimAuthentication(AuthenticRim? Rim, CertificationPath? Path, string? ChainFault, string? SignatureFault, bool DocumentDigestDiffers);
