using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>How an answer's nonce compares with the one that was sent (S-14, S-15).</summary>
internal enum NonceMatch
{
    /// <summary>Not compared.</summary>
    None,

    /// <summary>The answer was made for this request.</summary>
    Matches,

    /// <summary>A prepared or cached answer: fresh only by its times.</summary>
    Absent,

    /// <summary>An answer to another request, as caches replay it.</summary>
    Differs,
}

/// <summary>
/// What a certificate's issuer, or its delegate, says about that certificate's revocation. The only way to get one is
/// <see cref="TryAuthenticate(OcspResponse, Certificate, Certificate, TrustSetKind, VerifierCache, out AuthenticOcspAnswer?, out string?)"/>. It says nothing about time: <see cref="RevocationJudgement"/> does.
/// </summary>
internal sealed class AuthenticOcspAnswer
{
    /// <summary>Why an answer of a delegate without ocsp-nocheck counts as unknown (S-18).</summary>
    public const string UncheckedDelegate = "delegated responder without ocsp-nocheck: its own status is unknown";

    /// <summary>How long an answer without nextUpdate holds (S-16): what NVAT's cache allows it.</summary>
    public static readonly TimeSpan ValidityWithoutNextUpdate = TimeSpan.FromHours(1);

    private AuthenticOcspAnswer(OcspResponse response, OcspBasicResponse basic, OcspSingleResponse single, RevocationSubject about, Certificate? delegated)
    {
        About = about;
        SignedStatus = single.Status;
        Caveat = delegated is { Extensions.OcspNoCheck: false } ? UncheckedDelegate : null;
        Status = Caveat is null ? SignedStatus.Status : CertificateStatus.Unknown;
        ThisUpdate = single.ThisUpdate;
        NextUpdate = single.NextUpdate;
        ProducedAt = basic.ProducedAt;
        Nonce = basic.Nonce;
        ResponderNotBefore = delegated?.NotBefore;
        ResponderNotAfter = delegated?.NotAfter;
        ContentDigest = response.ContentDigest;
    }

    /// <summary>Whom it is about.</summary>
    public RevocationSubject About { get; }

    /// <summary>What the answer counts as: unknown, whatever was signed, when there is a <see cref="Caveat"/>.</summary>
    public CertificateStatus Status { get; }

    /// <summary>What the responder signed.</summary>
    public RevocationStatus SignedStatus { get; }

    /// <summary>Why <see cref="Status"/> is unknown although something else may have been signed; null when it counts as it stands.</summary>
    public string? Caveat { get; }

    /// <summary>revocationTime; null unless <see cref="Status"/> is revoked.</summary>
    public DateTimeOffset? RevokedAt => Status is CertificateStatus.Revoked ? SignedStatus.RevokedAt : null;

    /// <summary>revocationReason; null unless <see cref="Status"/> is revoked and a reason was given.</summary>
    public RevocationReason? Reason => Status is CertificateStatus.Revoked ? SignedStatus.Reason : null;

    /// <summary>thisUpdate.</summary>
    public DateTimeOffset ThisUpdate { get; }

    /// <summary>nextUpdate; null when absent.</summary>
    public DateTimeOffset? NextUpdate { get; }

    /// <summary>producedAt.</summary>
    public DateTimeOffset ProducedAt { get; }

    /// <summary>The nonce in the answer; null when there is none.</summary>
    public ReadOnlyMemory<byte>? Nonce { get; }

    /// <summary>notBefore of the delegated responder; null when the issuer signed itself, whose validity is its path's matter.</summary>
    public DateTimeOffset? ResponderNotBefore { get; }

    /// <summary>notAfter of the delegated responder; null when the issuer signed itself.</summary>
    public DateTimeOffset? ResponderNotAfter { get; }

    /// <summary>SHA-256 of the whole response.</summary>
    public Digest ContentDigest { get; }

    /// <summary>The last moment at which this can be judged current (S-16): nextUpdate, or an hour after thisUpdate, or the responder's end.</summary>
    public DateTimeOffset ValidUntil
    {
        get
        {
            var end = NextUpdate ?? RevocationTimes.Later(ThisUpdate, ValidityWithoutNextUpdate);
            return ResponderNotAfter < end ? ResponderNotAfter.Value : end;
        }
    }

    /// <summary>
    /// Proves that <paramref name="response"/> has exactly one answer about <paramref name="subject"/> and that it was signed by
    /// <paramref name="issuer"/> or its delegate (RFC 6960 §3.2 points 1 to 4).
    /// </summary>
    /// <param name="response">What came from anywhere.</param>
    /// <param name="subject">The certificate asked about.</param>
    /// <param name="issuer">The next certificate of its <see cref="CertificationPath"/>: its right to issue was proven there.</param>
    /// <param name="kind">Of the trust set that the path ends in.</param>
    /// <param name="cache">Remembers authentic answers, so that a second use costs no signature.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="whyNot">Why there is none.</param>
    internal static bool TryAuthenticate(
        OcspResponse response,
        Certificate subject,
        Certificate issuer,
        TrustSetKind kind,
        VerifierCache cache,
        [NotNullWhen(true)] out AuthenticOcspAnswer? answer,
        [NotNullWhen(false)] out string? whyNot)
    {
        if (!subject.Issuer.Equals(issuer.Subject))
        {
            answer = null;
            whyNot = $"the certificate names the issuer \"{subject.Issuer}\", not \"{issuer.Subject}\"";
            return false;
        }

        return TryAuthenticate(response, new Question(RevocationSubject.Of(subject, issuer), subject.Fingerprint, id => id.Matches(subject, issuer)), issuer, kind, cache, out answer, out whyNot);
    }

    /// <summary>
    /// The same where the certificate itself is not at hand, as in a cache that is asked by CertID: one of <paramref name="issuer"/>'s, by
    /// its serial number.
    /// </summary>
    internal static bool TryAuthenticate(
        OcspResponse response,
        OcspCertId asked,
        Certificate issuer,
        TrustSetKind kind,
        VerifierCache cache,
        [NotNullWhen(true)] out AuthenticOcspAnswer? answer,
        [NotNullWhen(false)] out string? whyNot)
    {
        if (!asked.IsIssuedBy(issuer))
        {
            answer = null;
            whyNot = $"the CertID does not name \"{issuer.Subject}\" as the issuer";
            return false;
        }

        var about = new RevocationSubject(issuer.KeyIdentity, Convert.ToHexStringLower(asked.SerialNumber.Span));
        var question = new Question(about, Digest.Sha256([(byte)asked.HashAlgorithm, .. asked.SerialNumber.Span]), asked.Equals);
        return TryAuthenticate(response, question, issuer, kind, cache, out answer, out whyNot);
    }

    private static bool TryAuthenticate(
        OcspResponse response, Question question, Certificate issuer, TrustSetKind kind, VerifierCache cache,
        [NotNullWhen(true)] out AuthenticOcspAnswer? answer, [NotNullWhen(false)] out string? whyNot)
    {
        var scope = RevocationScope.Of(question.Scope, issuer, kind);
        if (cache.TryGetAuthentic(response.ContentDigest, scope, out answer))
        {
            whyNot = null;
            return true;
        }

        if (response.Basic is not { } basic || kind is TrustSetKind.None)
        {
            whyNot = kind is TrustSetKind.None ? "no trust set was chosen" : $"responseStatus is {response.Status}: there is no answer";
            return false;
        }

        whyNot = WhyNotSingle(basic, question, out var single);
        var signer = whyNot is null ? OcspResponder.Find(basic, issuer, kind, cache, out whyNot) : null;
        if (signer is null || single is null)
        {
            whyNot ??= "no signer";
            return false;
        }

        var delegated = ReferenceEquals(signer, issuer) ? null : signer;
        answer = new AuthenticOcspAnswer(response, basic, single, question.About, delegated);
        cache.AddAuthentic(response.ContentDigest, scope, answer);
        whyNot = null;
        return true;
    }

    /// <summary>The answer that was proven before from these bytes about this certificate: two hashes, no parse.</summary>
    internal static bool TryFromCache(
        ReadOnlySpan<byte> der, Certificate subject, Certificate issuer, TrustSetKind kind, VerifierCache cache, [NotNullWhen(true)] out AuthenticOcspAnswer? answer)
    {
        answer = null;
        return der.Length <= Limits.OcspResponseBytes
            && cache.TryGetAuthentic(Digest.Sha256(der), RevocationScope.Of(subject.Fingerprint, issuer, kind), out answer);
    }

    /// <summary>Compares the nonce with the one that was sent.</summary>
    public NonceMatch CompareNonce(ReadOnlySpan<byte> sent) =>
        Nonce is not { } nonce ? NonceMatch.Absent
        : CryptographicOperations.FixedTimeEquals(nonce.Span, sent) ? NonceMatch.Matches
        : NonceMatch.Differs;

    /// <summary>
    /// Whether <paramref name="other"/>, about the same certificate, is newer by thisUpdate (S-17). Of two with one thisUpdate that
    /// contradict each other the worse counts, in whatever order they come: revoked before unknown, unknown before a hold, a hold before good.
    /// </summary>
    /// <exception cref="ArgumentException">The two are about different certificates: a mistake of the caller.</exception>
    public bool IsOlderThan(AuthenticOcspAnswer other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (About != other.About)
        {
            throw new ArgumentException("the answers are about different certificates", nameof(other));
        }

        return ThisUpdate != other.ThisUpdate
            ? ThisUpdate < other.ThisUpdate
            : Severity(this) < Severity(other);
    }

    // A hold may be tolerated, and is the least of what is not good.
    private static int Severity(AuthenticOcspAnswer answer) => answer.Status switch
    {
        CertificateStatus.Good => 0,
        CertificateStatus.Revoked when RevocationJudgement.IsHold(new RevocationStatus(answer.Status, answer.RevokedAt, answer.Reason)) => 1,
        CertificateStatus.Revoked => 3,
        _ => 2,
    };

    /// <summary>What was asked: about whom, by which CertIDs, and the scope under which the proof may be remembered.</summary>
    private readonly record struct Question(RevocationSubject About, Digest Scope, Func<OcspCertId, bool> IsAbout);

    private static string? WhyNotSingle(OcspBasicResponse basic, Question question, out OcspSingleResponse? single)
    {
        single = null;
        foreach (var candidate in basic.Responses)
        {
            if (!question.IsAbout(candidate.CertId))
            {
                continue;
            }

            if (single is not null)
            {
                return "more than one SingleResponse is about the certificate";
            }

            single = candidate;
        }

        return single is null ? "no SingleResponse is about the certificate" : null;
    }
}

/// <summary>Cache scopes of revocation proofs: what else, besides the bytes, decided that they are authentic.</summary>
internal static class RevocationScope
{
    public static Digest Of(Digest subject, Certificate issuer, TrustSetKind kind) =>
        Digest.Sha256([(byte)kind, .. issuer.Fingerprint.Bytes, .. subject.Bytes]);
}
