using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>Whether an answer may be used at a time, whatever it says.</summary>
public enum RevocationCurrency
{
    /// <summary>Not judged.</summary>
    None,

    /// <summary>Within its times.</summary>
    Current,

    /// <summary>thisUpdate or producedAt lies in the future by more than the tolerance.</summary>
    NotYetValid,

    /// <summary>Past nextUpdate, or past an hour after thisUpdate where nextUpdate is absent (S-16).</summary>
    Expired,

    /// <summary>The delegated responder's certificate is not valid at the time, or was not when it signed.</summary>
    ResponderNotValid,

    /// <summary>thisUpdate is longer ago than the relying party allows.</summary>
    TooOld,

    /// <summary>producedAt lies before thisUpdate by more than the tolerance: signed before it could be known.</summary>
    Inconsistent,
}

/// <summary>The outcome of a revocation check. Only <see cref="Good"/> is good.</summary>
public enum RevocationState
{
    /// <summary>Not judged.</summary>
    None,

    /// <summary>Current, and not revoked.</summary>
    Good,

    /// <summary>Revoked for good.</summary>
    Revoked,

    /// <summary>certificateHold: revoked until further notice (S-19).</summary>
    Hold,

    /// <summary>The source does not know the certificate, or counts as one that does not.</summary>
    Unknown,

    /// <summary>As in <see cref="RevocationCurrency"/>.</summary>
    NotYetValid,

    /// <summary>As in <see cref="RevocationCurrency"/>.</summary>
    Expired,

    /// <summary>As in <see cref="RevocationCurrency"/>.</summary>
    ResponderNotValid,

    /// <summary>As in <see cref="RevocationCurrency"/>.</summary>
    TooOld,

    /// <summary>As in <see cref="RevocationCurrency"/>.</summary>
    Inconsistent,
}

/// <summary>
/// What an authentic answer or CRL means at a time. What was said outranks when it was said: a stale "revoked" is
/// <see cref="RevocationState.Revoked"/>, so that nobody who tolerates staleness (S-16) tolerates it.
/// Only answers that say good are <see cref="RevocationState.Expired"/>, <see cref="RevocationState.TooOld"/> and so on.
/// </summary>
/// <param name="State">The outcome.</param>
/// <param name="Currency">Whether the source was current, also when <paramref name="State"/> is revoked, hold or unknown.</param>
/// <param name="RevokedAt">Null unless revoked or on hold. It may lie in the future, and does not help then.</param>
/// <param name="Reason">Null unless revoked or on hold with a reason.</param>
/// <param name="WhyNot">Null exactly when good.</param>
public sealed record RevocationJudgement(
    RevocationState State, RevocationCurrency Currency, DateTimeOffset? RevokedAt, RevocationReason? Reason, string? WhyNot)
{
    /// <summary>
    /// How far a verifier's clock may be behind the responder's. It excuses times in the future alone: an answer past its end is expired
    /// to the second, for a clock that is ahead only makes us fetch again.
    /// </summary>
    public static readonly TimeSpan ClockSkewTolerance = TimeSpan.FromMinutes(5);

    /// <summary>Judges an OCSP answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="at">The evaluation time (S-13).</param>
    /// <param name="maximumAge">The relying party's bound on the time since thisUpdate; null for none.</param>
    internal static RevocationJudgement Of(AuthenticOcspAnswer answer, DateTimeOffset at, TimeSpan? maximumAge = null)
    {
        ArgumentNullException.ThrowIfNull(answer);
        var status = new RevocationStatus(answer.Status, answer.RevokedAt, answer.Reason);
        var end = answer.NextUpdate ?? RevocationTimes.Later(answer.ThisUpdate, AuthenticOcspAnswer.ValidityWithoutNextUpdate);
        var (currency, why) = CurrencyOf(answer.ThisUpdate, answer.ProducedAt, end, at, maximumAge);
        if (currency is RevocationCurrency.Current && WhyNotResponder(answer, at) is { } whyNot)
        {
            (currency, why) = (RevocationCurrency.ResponderNotValid, whyNot);
        }

        return Combine(status, currency, answer.Caveat, why);
    }

    /// <summary>Judges what a CRL says about a certificate. Its issuer's own validity is its path's matter.</summary>
    /// <param name="crl">The CRL.</param>
    /// <param name="subject">The certificate.</param>
    /// <param name="issuer">The next certificate of its path.</param>
    /// <param name="at">The evaluation time (S-13).</param>
    /// <param name="maximumAge">The relying party's bound on the time since thisUpdate; null for none.</param>
    internal static RevocationJudgement Of(AuthenticCrl crl, Certificate subject, Certificate issuer, DateTimeOffset at, TimeSpan? maximumAge = null)
    {
        ArgumentNullException.ThrowIfNull(crl);
        var list = crl.List;
        var (currency, why) = CurrencyOf(list.ThisUpdate, list.ThisUpdate, list.NextUpdate, at, maximumAge);
        return Combine(crl.StatusOf(subject, issuer), currency, null, why);
    }

    private static (RevocationCurrency Currency, string? Why) CurrencyOf(
        DateTimeOffset thisUpdate, DateTimeOffset producedAt, DateTimeOffset end, DateTimeOffset at, TimeSpan? maximumAge) =>
        thisUpdate - producedAt > ClockSkewTolerance ? (RevocationCurrency.Inconsistent, $"producedAt {Text(producedAt)} is before thisUpdate {Text(thisUpdate)}")
        : thisUpdate - at > ClockSkewTolerance ? (RevocationCurrency.NotYetValid, $"thisUpdate {Text(thisUpdate)} is after {Text(at)}")
        : producedAt - at > ClockSkewTolerance ? (RevocationCurrency.NotYetValid, $"producedAt {Text(producedAt)} is after {Text(at)}")
        : at > end ? (RevocationCurrency.Expired, $"valid until {Text(end)}, it is {Text(at)}")
        : maximumAge is { } most && at - thisUpdate > most ? (RevocationCurrency.TooOld, $"thisUpdate {Text(thisUpdate)} is more than {most} before {Text(at)}")
        : (RevocationCurrency.Current, null);

    // Both: the certificate must hold now, for an expired key may have leaked (S-16), and have held when it signed.
    private static string? WhyNotResponder(AuthenticOcspAnswer answer, DateTimeOffset at) =>
        answer is not { ResponderNotBefore: { } begin, ResponderNotAfter: { } end } ? null
        : begin - at > ClockSkewTolerance || at > end ? $"the delegated responder is valid from {Text(begin)} to {Text(end)}, it is {Text(at)}"
        : begin - answer.ProducedAt > ClockSkewTolerance || answer.ProducedAt > end ? $"the delegated responder is valid from {Text(begin)} to {Text(end)} and signed at {Text(answer.ProducedAt)}"
        : null;

    private static RevocationJudgement Combine(RevocationStatus status, RevocationCurrency currency, string? caveat, string? whyNotCurrent)
    {
        var state = status.Status switch
        {
            CertificateStatus.Revoked => IsHold(status) ? RevocationState.Hold : RevocationState.Revoked,
            CertificateStatus.Good => StateOf(currency),
            _ => RevocationState.Unknown,
        };
        var whyNot = state switch
        {
            RevocationState.Good => null,
            RevocationState.Hold => $"on hold since {Text(status.RevokedAt)}",
            RevocationState.Revoked when NeverIssued(status) => "never issued, says the responder (RFC 6960 §2.2)",
            RevocationState.Revoked => $"revoked at {Text(status.RevokedAt)}: {status.Reason?.ToString() ?? "no reason given"}",
            RevocationState.Unknown => caveat ?? "unknown to its issuer",
            _ => whyNotCurrent,
        };
        return new(state, currency, status.RevokedAt, status.Reason, whyNot);
    }

    private static RevocationState StateOf(RevocationCurrency currency) => currency switch
    {
        RevocationCurrency.Current => RevocationState.Good,
        RevocationCurrency.NotYetValid => RevocationState.NotYetValid,
        RevocationCurrency.Expired => RevocationState.Expired,
        RevocationCurrency.ResponderNotValid => RevocationState.ResponderNotValid,
        RevocationCurrency.TooOld => RevocationState.TooOld,
        RevocationCurrency.Inconsistent => RevocationState.Inconsistent,
        _ => RevocationState.None,
    };

    // RFC 6960 §2.2: a serial number that was never assigned is "on hold" since 1 January 1970. No policy may tolerate that hold.
    private static bool NeverIssued(RevocationStatus status) =>
        status.Reason is RevocationReason.CertificateHold && status.RevokedAt == DateTimeOffset.UnixEpoch;

    /// <summary>Whether a revoked certificate is on hold: revoked until further notice.</summary>
    internal static bool IsHold(RevocationStatus status) => status.Reason is RevocationReason.CertificateHold && !NeverIssued(status);

    private static string Text(DateTimeOffset? time) => time is { } known ? Utc.Text(known) : "an unknown time";
}

/// <summary>Arithmetic on foreign times, which reach to the end of year 9999.</summary>
internal static class RevocationTimes
{
    public static DateTimeOffset Later(DateTimeOffset time, TimeSpan by) =>
        DateTimeOffset.MaxValue - time < by ? DateTimeOffset.MaxValue : time + by;
}
