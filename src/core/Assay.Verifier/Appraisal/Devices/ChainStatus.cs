using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Devices;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Devices;

/// <summary>
/// What is known about a path at the evaluation time, in NVIDIA's words for the claim <c>…-cert-chain</c>, and in ours for the findings.
/// </summary>
internal sealed record ChainStatus
{
    /// <summary>Earliest notAfter of the path.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Whether the evaluation time is past it. NVIDIA asks no more: notBefore does not count here.</summary>
    public required bool IsExpired { get; init; }

    /// <summary><c>good</c>, <c>revoked</c>, <c>unknown</c>, or <c>undefined</c> when nobody was asked.</summary>
    public required string OcspStatus { get; init; }

    /// <summary>OpenSSL's word for the reason; null without one.</summary>
    public required string? RevocationReason { get; init; }

    /// <summary>Whether every answer carries the nonce that was sent for it.</summary>
    public required bool NonceMatches { get; init; }

    /// <summary>Whether every answer is authentic.</summary>
    public required bool ResponseValid { get; init; }

    /// <summary>thisUpdate and producedAt of the authentic answers: no honest clock is earlier (S-13).</summary>
    public required DateTimeOffset LatestStatement { get; init; }

    /// <summary>
    /// Whether certificates of the chain are bad in different ways, of which <see cref="OcspStatus"/> and <see cref="RevocationReason"/> tell
    /// one: NVIDIA's formula takes the first from the root down, so that a hold above hides a stolen key below.
    /// </summary>
    internal bool HidesAnother { get; init; }

    /// <summary>The worst of the answers, as <c>…chain.not-revoked</c> tells it; null where all are good, and where none was asked for.</summary>
    internal string? Fault { get; init; }

    /// <summary>The status of the chain that nobody looked at.</summary>
    internal static ChainStatus Unasked(CertificationPath path, DateTimeOffset at) => new()
    {
        ExpiresAt = path.EarliestNotAfter,
        IsExpired = path.EarliestNotAfter < at,
        OcspStatus = "undefined",
        RevocationReason = null,
        NonceMatches = false,
        ResponseValid = false,
        LatestStatement = DateTimeOffset.MinValue,
    };
}

/// <summary>The answers about a path's revocation.</summary>
/// <param name="Status">For the claims.</param>
/// <param name="NotRevoked">Whether every certificate is good.</param>
/// <param name="StatusCurrent">Whether every answer is within its times.</param>
/// <param name="NotHeld">Whether the signer is free of certificateHold.</param>
internal sealed record RevocationOutcomes(ChainStatus Status, Outcome NotRevoked, Outcome StatusCurrent, Outcome NotHeld);

/// <summary>Judges a path at a time: validity of its certificates, and the revocation status of those that NVIDIA's responder knows.</summary>
internal sealed class ChainJudge(DeviceExpectations expected, MachineCollateral collateral, VerifierCache cache)
{
    /// <summary>A device's own leaf is made by its firmware and known to no responder; RIM signers are asked about from the leaf up.</summary>
    public static int FirstAsked(DeviceModel? device) => device?.FirstAskedOfOcsp ?? 0;

    /// <summary>The certificates of a path that need an answer: all below the root, from <see cref="FirstAsked"/> on.</summary>
    public static IEnumerable<RevocationQuery> Queries(CertificationPath path, DeviceModel? device) =>
        Enumerable.Range(FirstAsked(device), path.Certificates.Length - 1 - FirstAsked(device))
            .Select(index => new RevocationQuery(path.Certificates[index], path.Certificates[index + 1]));

    public Outcome Current(CertificationPath path, bool isRim) =>
        PathValidity.Judge(path, expected.Basis.Time.Instant, isRim
            ? "fetch the RIM again: NVIDIA re-signs the same id before its signer expires"
            : "device certificates cannot be renewed in the field: ask the manufacturer");

    /// <summary>Asks about every certificate of the path, from the root down as NVIDIA does.</summary>
    /// <param name="path">The path.</param>
    /// <param name="device">Of which model's device; null for a RIM's signers.</param>
    public RevocationOutcomes Revocation(CertificationPath path, DeviceModel? device)
    {
        var isDevice = device is not null;
        var status = ChainStatus.Unasked(path, expected.Basis.Time.Instant);
        if (expected.Basis.Revocation is not RevocationChecking.Required)
        {
            var waived = Outcome.Waived("revocation was not checked: a revoked certificate would pass");
            return new RevocationOutcomes(status, waived, waived, waived);
        }

        var answers = Queries(path, device).Reverse()
            .Select(query => Ask(query) with { MayBeHeld = !isDevice && query.Certificate == path.Leaf }).ToImmutableArray();
        status = status with
        {
            OcspStatus = answers.Select(answer => answer.Status).FirstOrDefault(word => word is not "good") ?? "good",
            RevocationReason = answers.Select(answer => answer.Judgement?.Reason).FirstOrDefault(reason => reason is not null) is { } reason ? OpenSslWord(reason) : null,
            HidesAnother = answers.Where(answer => answer.Status is not "good").Select(answer => (answer.Status, answer.Judgement?.Reason)).Distinct().Count() > 1,
            Fault = Worst(answers).Fault,
            NonceMatches = answers.All(answer => answer.NonceMatches),
            ResponseValid = answers.All(answer => answer.Judgement is not null),
            LatestStatement = answers.Select(answer => answer.LatestStatement).DefaultIfEmpty(DateTimeOffset.MinValue).Max(),
        };
        return new RevocationOutcomes(status, NotRevoked(answers), StatusIsCurrent(answers), NotHeld(answers, isDevice));
    }

    // The worst answer speaks: a revocation outranks an unknown status, that an invalid answer, and all of them a missing one.
    private static Outcome NotRevoked(ImmutableArray<Answer> answers)
    {
        if (Worst(answers) is { Answer: { WhyMissing: null } bad })
        {
            return Outcome.Failed($"{bad.Name}: {bad.Judgement?.WhyNot ?? bad.WhyInvalid}");
        }

        var missing = answers.Where(answer => answer.WhyMissing is not null).ToArray();
        return missing.Length > 0 ? Outcome.Missing($"{missing[0].Name}: {missing[0].WhyMissing}{Others(missing)}")
            : answers.Any(IsStale) ? Outcome.Stopped("the answers are not current")
            : Outcome.Held(answers.All(answer => answer.NonceMatches) ? $"{answers.Length} answers with our nonces" : $"{answers.Length} current signed answers");
    }

    private static (Answer? Answer, string? Fault) Worst(ImmutableArray<Answer> answers)
    {
        (Func<Answer, bool> Is, string Fault)[] worse =
        [
            (answer => answer.Judgement?.State is RevocationState.Revoked || (!answer.MayBeHeld && answer.Judgement?.State is RevocationState.Hold), "revoked"),
            (answer => answer.Judgement?.State is RevocationState.Unknown or RevocationState.None, "unknown"),
            (answer => answer.WhyInvalid is not null, "not-authentic"),
            (answer => answer.WhyMissing is not null, "no-answer"),
        ];
        return worse.Select(kind => (answers.FirstOrDefault(kind.Is), (string?)kind.Fault)).FirstOrDefault(found => found.Item1 is not null);
    }

    // A hold may be tolerated, an answer past its time may not: the hold may have become a revocation since.
    private static Outcome StatusIsCurrent(ImmutableArray<Answer> answers) =>
        answers.FirstOrDefault(IsStale) is { } stale ? Outcome.Failed($"{stale.Name}: {stale.Judgement!.WhyNot ?? "the answer is not current"}")
        : answers.Any(answer => answer.Judgement is null) ? Outcome.Stopped("some certificates have no authentic answer")
        : Outcome.Held();

    // Revoked and unknown are said elsewhere, however old the answer is.
    private static bool IsStale(Answer answer) =>
        answer.Judgement is { State: not (RevocationState.None or RevocationState.Revoked or RevocationState.Unknown), Currency: not RevocationCurrency.Current };

    private static string Others(Answer[] missing) =>
        missing.Length == 1 ? "" : $"; nor for {string.Join(", ", missing[1..].Select(answer => answer.Name))}";

    private Outcome NotHeld(ImmutableArray<Answer> answers, bool isDevice)
    {
        if (isDevice)
        {
            return Outcome.NotApplicable("a hold on a device chain counts as revoked");
        }

        var held = answers.FirstOrDefault(answer => answer.MayBeHeld && answer.Judgement?.State is RevocationState.Hold);
        return held is null
            ? answers.Any(answer => answer.Judgement is null) ? Outcome.Stopped("some certificates have no answer") : Outcome.Held()
            : expected.DangerouslyAcceptHeldRimSigner ? Outcome.Waived($"{held.Name}: {held.Judgement!.WhyNot}, and holds are tolerated")
            : Outcome.Failed($"{held.Name}: {held.Judgement!.WhyNot} (certificateHold; NVIDIA holds the signers of drivers that are not released)");
    }

    private Answer Ask(RevocationQuery query)
    {
        var name = query.Certificate.Subject.CommonName ?? query.Certificate.Subject.ToString();
        if (!collateral.Ocsp.TryGetValue(query.Subject, out var items) || items.IsDefaultOrEmpty)
        {
            var why = collateral.OcspFaults.GetValueOrDefault(query.Subject) ?? $"no OCSP answer for serial number {query.Subject.SerialNumber}";
            return new Answer(name, "undefined", null, null, why, false, DateTimeOffset.MinValue);
        }

        AuthenticOcspAnswer? newest = null;
        CollateralItem? newestItem = null;
        string? whyInvalid = null;
        foreach (var item in items.AsSpan()[..Math.Min(items.Length, Limits.CollateralCandidates)])
        {
            if (!TryAuthenticate(query, item, out var answer, out var whyNot))
            {
                whyInvalid = whyNot;
            }
            else if (newest is null || newest.IsOlderThan(answer))
            {
                // Of several authentic answers the newest counts (S-17): an older "good" never hides a newer "revoked".
                (newest, newestItem) = (answer, item);
            }
        }

        if (newest is null)
        {
            return new Answer(name, "undefined", null, whyInvalid, null, false, DateTimeOffset.MinValue);
        }

        var judgement = RevocationJudgement.Of(newest, expected.Basis.Time.Instant, expected.MaximumOcspAge);
        var nonceMatches = !newestItem!.NonceSent.IsEmpty && newest.CompareNonce(newestItem.NonceSent.Span) is NonceMatch.Matches;
        var statement = newest.ProducedAt > newest.ThisUpdate ? newest.ProducedAt : newest.ThisUpdate;
        return new Answer(name, Word(newest.Status), judgement, null, null, nonceMatches, statement);
    }

    private bool TryAuthenticate(RevocationQuery query, CollateralItem item, [NotNullWhen(true)] out AuthenticOcspAnswer? answer, [NotNullWhen(false)] out string? whyNot)
    {
        var (certificate, issuer, kind) = (query.Certificate, query.Issuer, expected.Basis.Trust.Kind);
        whyNot = null;
        if (AuthenticOcspAnswer.TryFromCache(item.Body.Span, certificate, issuer, kind, cache, out answer))
        {
            return true;
        }

        if (!OcspResponse.TryParse(item.Body.Span, out var response, out var fault))
        {
            whyNot = $"the OCSP answer is malformed: {fault}";
            return false;
        }

        if (!AuthenticOcspAnswer.TryAuthenticate(response, certificate, issuer, kind, cache, out answer, out whyNot))
        {
            whyNot = $"the OCSP answer is not authentic: {whyNot}";
            return false;
        }

        return true;
    }

    private static string Word(CertificateStatus status) => status switch
    {
        CertificateStatus.Good => "good",
        CertificateStatus.Revoked => "revoked",
        _ => "unknown",
    };

    private static string OpenSslWord(RevocationReason reason) => reason switch
    {
        RevocationReason.Unspecified => "unspecified",
        RevocationReason.KeyCompromise => "keyCompromise",
        RevocationReason.CaCompromise => "cACompromise",
        RevocationReason.AffiliationChanged => "affiliationChanged",
        RevocationReason.Superseded => "superseded",
        RevocationReason.CessationOfOperation => "cessationOfOperation",
        RevocationReason.CertificateHold => "certificateHold",
        RevocationReason.RemoveFromCrl => "removeFromCRL",
        RevocationReason.PrivilegeWithdrawn => "privilegeWithdrawn",
        RevocationReason.AaCompromise => "aACompromise",
        _ => "unspecified",
    };

    private sealed record Answer(
        string Name, string Status, RevocationJudgement? Judgement, string? WhyInvalid, string? WhyMissing, bool NonceMatches, DateTimeOffset LatestStatement)
    {
        /// <summary>Whether a hold is a question of its own (S-19): of the signer of a RIM, not of an authority above it, nor of a device.</summary>
        public bool MayBeHeld { get; init; }
    }
}
