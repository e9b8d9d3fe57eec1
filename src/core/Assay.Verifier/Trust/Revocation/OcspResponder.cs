using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>
/// Finds who signed an OCSP response and whether he may (RFC 6960 §4.2.2.2): the issuer of the certificate asked about, or a delegate
/// that the same issuer certified for this purpose. A locally trusted third responder, the standard's other case, does not exist here.
/// </summary>
internal static class OcspResponder
{
    /// <summary>The signer, who is <paramref name="issuer"/> itself or a delegate; null with a reason.</summary>
    /// <remarks>
    /// keyUsage of an issuer that signs answers itself is not asked for: CAs that do so often have keyCertSign and cRLSign alone, and
    /// whoever may sign a CRL may say the same in an answer.
    /// </remarks>
    public static Certificate? Find(OcspBasicResponse basic, Certificate issuer, TrustSetKind kind, VerifierCache cache, out string? whyNot)
    {
        whyNot = null;
        if (basic.ResponderId.Names(issuer))
        {
            whyNot = WhyNotMarked(issuer, kind);
            if (whyNot is null && basic.IsSignedBy(issuer, cache.Meter))
            {
                return issuer;
            }

            whyNot ??= "the response names the certificate's issuer as its signer and was not signed by the issuer's key";
        }

        string? whyNotDelegate = null;
        foreach (var brought in basic.Certificates)
        {
            if (!basic.ResponderId.Names(brought) || brought.SubjectPublicKeyInfo.Span.SequenceEqual(issuer.SubjectPublicKeyInfo.Span))
            {
                continue;
            }

            // Each answer brings the same delegate along: the one that is known has its key imported already.
            var candidate = cache.TryReadCertificate(brought.Raw.Span, out var known, out _) ? known : brought;

            var why = WhyNotDelegate(candidate, basic, issuer, kind, cache);
            if (why is null)
            {
                whyNot = null;
                return candidate;
            }

            whyNotDelegate ??= why;
        }

        whyNot = whyNotDelegate ?? whyNot ?? $"responderID names {basic.ResponderId}, which is neither the certificate's issuer nor a certificate of the response";
        return null;
    }

    private static string? WhyNotDelegate(Certificate delegated, OcspBasicResponse basic, Certificate issuer, TrustSetKind kind, VerifierCache cache)
    {
        var authority = delegated.Extensions.AuthorityKeyIdentifier;
        var issuerKey = issuer.Extensions.SubjectKeyIdentifier;
        return !delegated.Issuer.Equals(issuer.Subject) ? $"the delegated responder names the issuer \"{delegated.Issuer}\", the certificate's issuer is \"{issuer.Subject}\""
            : authority is not null && issuerKey is not null && !CryptographicOperations.FixedTimeEquals(authority, issuerKey) ? "the delegated responder's authorityKeyIdentifier is not the subjectKeyIdentifier of the certificate's issuer"
            : WhyNotMarked(delegated, kind) is { } marker ? marker
            : delegated.Extensions.UnknownCritical.FirstOrDefault(oid => !oid.AsSpan().SequenceEqual(Oids.OcspNoCheck)) is { } unknown ? $"the delegated responder has the critical extension {ExtensionName.Of(unknown)}, which is not supported"
            : delegated.BasicConstraints is { CertificateAuthority: true } ? "the delegated responder is a CA"
            : !delegated.Extensions.OcspSigning ? "the delegated responder's extKeyUsage does not name OCSPSigning"
            : delegated.KeyUsage is { DigitalSignature: false } ? "the delegated responder's keyUsage does not allow digitalSignature"
            // Signatures last: they cost a thousand times more than everything above.
            : !cache.IsSignedBy(delegated, issuer) ? "the delegated responder's certificate was not signed by the key of the certificate's issuer"
            : !basic.IsSignedBy(delegated, cache.Meter) ? "the response was not signed by the delegated responder that it names"
            : null;
    }

    private static string? WhyNotMarked(Certificate signer, TrustSetKind kind)
    {
        var marked = SimulatedMarker.IsIn(signer.Extensions);
        return marked == (kind is TrustSetKind.Simulated) ? null
            : marked ? "the responder is of a simulator, and the trust set is not"
            : "the responder lacks the simulator's marker, and the trust set is simulated";
    }
}
