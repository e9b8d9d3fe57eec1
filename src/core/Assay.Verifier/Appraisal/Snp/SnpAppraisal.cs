using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tpm;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Snp;

/// <summary>
/// The verifier of SEV-SNP reports: bytes, collateral, expectations and time in, findings out. Which certificate a report needs its own
/// fields tell (<see cref="SnpReport"/>: product, chip id, reported TCB), so that fetching lies before the one call.
/// </summary>
internal static class SnpAppraisal
{
    private static readonly ImmutableArray<Check<Candidate>> s_checks =
    [
        new(Checks.CheckIds.SnpChainCurrent, candidate => candidate.Judge.Current(candidate.Authentic.Path)),
        new(Checks.CheckIds.SnpChainNotRevoked, candidate => candidate.Revocation.NotRevoked),
        new(Checks.CheckIds.SnpChainStatusCurrent, candidate => candidate.Revocation.StatusCurrent),
        new(Checks.CheckIds.SnpTcbConsistent, TcbIsConsistent),
        new(Checks.CheckIds.SnpTcbAccepted, TcbIsAccepted),
        new(Checks.CheckIds.SnpDebugOff, candidate => !candidate.Report.Policy.Debug ? Outcome.Held()
            : candidate.Expected.DangerouslyAcceptDebug ? Outcome.Waived("the guest is in debug mode and its host can read its memory; you accept that")
            : Outcome.Failed("the guest is in debug mode (POLICY.DEBUG): its host can read and write its memory", "DEBUG", "no DEBUG")),
        new(Checks.CheckIds.SnpPolicyKnown, candidate => candidate.Report.Policy is { Unknown: 0, MustBeOne: true } ? Outcome.Held($"{candidate.Report.Policy.Value:x}")
            : Outcome.Failed("POLICY has undefined bits, or lacks bit 17: what it permits the host is not known", $"{candidate.Report.Policy.Value:x}", "known bits, 17 among them")),
        new(Checks.CheckIds.SnpPolicyEnforced, PolicyIsEnforced),
        new(Checks.CheckIds.SnpPlatformKnown, candidate => candidate.Report.PlatformInfo.Unknown == 0 ? Outcome.Held($"{candidate.Report.PlatformInfo.Value:x}")
            // They inform, and permit the host nothing: genuine hardware that is newer than this program is not refused for them.
            : Outcome.Waived($"PLATFORM_INFO has undefined bits ({candidate.Report.PlatformInfo.Unknown:x}): try a newer Assay")),
        new(Checks.CheckIds.SnpMigrationAgentOff, MigrationAgentIsOff),
        new(Checks.CheckIds.SnpVmplAccepted, candidate => candidate.Expected.AcceptedVmpls.Contains(candidate.Report.Vmpl) ? Outcome.Held($"{candidate.Report.Vmpl}")
            : Outcome.Failed("the report was requested at another privilege level", $"VMPL {candidate.Report.Vmpl}", candidate.Expected.AcceptedVmpls.IsEmpty ? "nothing was chosen" : $"VMPL {string.Join(" or ", candidate.Expected.AcceptedVmpls)}")),
        new(Checks.CheckIds.SnpMeasurementMatch, MeasurementMatches),
    ];

    /// <summary>Every check id there is, in the order in which checks run.</summary>
    public static ImmutableArray<string> CheckIds { get; } =
        [.. AuthenticSnpReport.CheckIds, .. s_checks.Select(check => check.Id), .. TimeGround.Checks.Select(check => check.Id)];

    /// <summary>All questions.</summary>
    public static SnpResult Appraise(ReadOnlyMemory<byte> report, SnpCollateral collateral, SnpExpectations expected, VerifierCache cache) =>
        Appraise(report, null, collateral, expected, cache);

    /// <summary>The same, where the report was read before.</summary>
    internal static SnpResult Appraise(ReadOnlyMemory<byte> report, SnpReport? read, SnpCollateral collateral, SnpExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        var (authentic, findings, unparsable) = AuthenticSnpReport.Authenticate(report, read, collateral.Certificates, new ProcessorQuestion(expected.ReportData, expected.Basis.Trust, expected.AcceptedSigningKeys, expected.DangerouslyAcceptMaskedChipId), cache);
        var result = new SnpResult
        {
            Findings = findings,
            Unparsable = unparsable,
            Report = authentic,
            Missing = MissingItems(findings, collateral, expected),
            Basis = expected.Basis,
        };
        if (authentic is null)
        {
            // Nothing is asked about evidence that is not authentic, and the questions stay visible.
            var stopped = CheckIds.Skip(findings.Length).Select(id => Outcome.Stopped("the report is not authentic").Named(id));
            return result with { Findings = [.. findings, .. stopped] };
        }

        var candidate = new Candidate(authentic, expected, collateral, new CrlJudge(expected.Basis, cache));
        ImmutableArray<Finding> answers = [.. s_checks.Select(check => check.Ask(candidate))];
        var ground = new TimeGround(expected.Basis.Time, expected.Basis.Revocation, candidate.Revocation.LatestStatement);
        return result with
        {
            Findings = [.. findings, .. answers, .. TimeGround.Checks.Select(check => check.Ask(ground))],
            Image = candidate.Image,
            Claims = new SnpClaims { Authentic = authentic, TcbStatus = candidate.TcbStatus },
            Weakened = Weakenings(candidate),
            LatestStatement = ground.LatestStatement,
        };
    }

    private static ImmutableArray<string> MissingItems(ImmutableArray<Finding> findings, SnpCollateral collateral, SnpExpectations expected)
    {
        var chain = findings.Any(finding => finding is { Id: Checks.CheckIds.SnpChainAvailable, Cause: NotCheckedCause.Missing });
        var list = expected.Basis.Revocation is RevocationChecking.Required && collateral.Crl is null;
        return [.. new[] { list ? "amd-crl" : null, chain ? SnpResult.Certificates : null }.OfType<string>()];
    }

    // Only what was used weakens: an allowance that nothing needed does not.
    private static ImmutableArray<string> Weakenings(Candidate candidate)
    {
        var (report, expected) = (candidate.Report, candidate.Expected);
        (string Name, bool Used)[] items =
        [
            (Weakening.SnpDebugAccepted.Name, expected.DangerouslyAcceptDebug && report.Policy.Debug),
            (Weakening.SnpMaskedChipIdAccepted.Name, expected.DangerouslyAcceptMaskedChipId && candidate.Authentic.Endorsement.ChipId is not null && report.ChipId.IsMasked),
            (Weakening.SnpNoMinimumTcb.Name, expected.MinimumTcb is null),
            (Weakening.SnpNoReferenceValues.Name, expected.References is null),
            (Weakening.SnpNoReportData.Name, expected.ReportData is null),
            (Weakening.SnpPlatformBitsUnknown.Name, report.PlatformInfo.Unknown != 0),
            (Weakening.SnpRevocationSkipped.Name, expected.Basis.Revocation is RevocationChecking.DangerouslySkipped),
            (Weakening.SnpTcbStatusAccepted.Name, expected.DangerouslyAcceptOutOfDateTcb && candidate.TcbStatus is TcbStatus.OutOfDate),
            (Weakening.TimeStated.Name, expected.Basis.Time.Source is TimeSource.Stated),
        ];
        return [.. items.Where(item => item.Used).Select(item => item.Name)];
    }

    // The firmware keeps REPORTED ≤ COMMITTED ≤ CURRENT, and zeros where the layout reserves.
    private static Outcome TcbIsConsistent(Candidate candidate)
    {
        var (report, product) = (candidate.Report, candidate.Product);
        var reserved = new[] { report.ReportedTcb, report.CommittedTcb, report.LaunchTcb, report.CurrentTcb }.FirstOrDefault(tcb => tcb.Reserved(product) != 0);
        return reserved.Value != 0 ? Outcome.Failed($"a TCB has bytes that {product} reserves", $"{reserved}", "zero in them")
            : !report.CommittedTcb.Parts(product).Reaches(report.ReportedTcb.Parts(product)) ? Outcome.Failed("the report claims a higher TCB than the committed one", $"reported {report.ReportedTcb.Parts(product)}", $"at most {report.CommittedTcb.Parts(product)}")
            : !report.CurrentTcb.Parts(product).Reaches(report.CommittedTcb.Parts(product)) ? Outcome.Failed("the running TCB is below the committed one", $"current {report.CurrentTcb.Parts(product)}", $"at least {report.CommittedTcb.Parts(product)}")
            : Outcome.Held();
    }

    // With a minimum, each of the four must reach it. Without one, nobody says what is new enough; what can be told is whether the four
    // agree: a platform that reports less than it runs lets the older firmware's key speak, and one that committed less can go back.
    private static Outcome TcbIsAccepted(Candidate candidate)
    {
        var (report, product, expected) = (candidate.Report, candidate.Product, candidate.Expected);
        (string Name, SnpTcb Tcb)[] versions = [("reported", report.ReportedTcb), ("committed", report.CommittedTcb), ("launch", report.LaunchTcb), ("current", report.CurrentTcb)];
        if (expected.MinimumTcb is { } minimums)
        {
            if (!minimums.TryGetValue(product, out var minimum))
            {
                return Outcome.Failed("no minimum TCB is stated for this product", $"{product}", string.Join(", ", minimums.Keys));
            }

            var below = versions.Where(version => !version.Tcb.Parts(product).Reaches(minimum)).ToArray();
            return candidate.Judged(below.Length == 0, $"{string.Join(" and ", below.Select(version => version.Name))} TCB below the minimum", string.Join(", ", below.Select(version => $"{version.Name} {version.Tcb.Parts(product)}")), $"at least {minimum}");
        }

        var differing = versions.Where(version => version.Tcb != report.ReportedTcb).ToArray();
        return candidate.Judged(
            differing.Length == 0, $"the {string.Join(" and ", differing.Select(version => version.Name))} TCB differs from the reported one, and no minimum is stated to compare them with",
            string.Join(", ", differing.Select(version => $"{version.Name} {version.Tcb.Parts(product)}")), $"{report.ReportedTcb.Parts(product)}");
    }

    // The firmware refuses to run a guest whose policy the platform does not meet: a report that says otherwise is no firmware's.
    private static Outcome PolicyIsEnforced(Candidate candidate)
    {
        var (policy, platform) = (candidate.Report.Policy, candidate.Report.PlatformInfo);
        return !policy.SmtAllowed && platform.SmtEnabled ? Outcome.Failed("SMT is on, and the guest's policy forbids it", "SMT_EN", "off")
            : policy.RaplDisabledRequired && !platform.RaplDisabled ? Outcome.Failed("power measurement is on, and the guest's policy wants it off", "no RAPL_DIS", "RAPL_DIS")
            : policy.CiphertextHidingRequired && !platform.CiphertextHidingEnabled ? Outcome.Failed("ciphertext hiding is off, and the guest's policy wants it", "no CIPHERTEXT_HIDING_DRAM_EN", "CIPHERTEXT_HIDING_DRAM_EN")
            : Outcome.Held();
    }

    private static Outcome MigrationAgentIsOff(Candidate candidate)
    {
        var report = candidate.Report;
        var bound = report.ReportIdMigrationAgent.Bytes.ContainsAnyExcept((byte)0xFF);
        return !report.Policy.MigrationAgentAllowed && !bound ? Outcome.Held()
            : !report.Policy.MigrationAgentAllowed ? Outcome.Failed("a migration agent is bound, and the guest's policy forbids it", $"{report.ReportIdMigrationAgent}", "all ones")
            : candidate.Expected.RefuseMigrationAgent ? Outcome.Failed("the guest may move to another platform (POLICY.MIGRATE_MA)", bound ? $"agent {report.ReportIdMigrationAgent}" : "MIGRATE_MA", "no MIGRATE_MA")
            : Outcome.NotApplicable("the guest may have a migration agent; you do not refuse that");
    }

    private static Outcome MeasurementMatches(Candidate candidate)
    {
        if (candidate.References is not { } references)
        {
            return Outcome.Waived("no reference values were given: any guest image passes");
        }

        var report = candidate.Report;
        return candidate.Image is { } matching ? Outcome.Held(matching.Name)
            : references.IsEmpty ? Outcome.Failed(ParavisorMatch.WhyNone(candidate.Expected.BesideVtpm, candidate.Expected.References!.Value.IsEmpty), $"MEASUREMENT {report.Measurement}", "at least one image")
            : Outcome.Failed(
                "the guest does not match any known-good image: " + string.Join("; ", references.Take(4).Select(reference => $"{reference.Name}: {WhyNot(report, reference)}")),
                $"MEASUREMENT {report.Measurement}", string.Join(" or ", references.Take(4).Select(reference => reference.Measurement is { } golden ? $"{golden}" : $"the ID block of {reference.Name}")));
    }

    private static string? WhyNot(SnpReport report, SnpReference reference) =>
        reference.Measurement is null && !IsKnownByItsIdBlock(reference) ? "it states no measurement"
        : reference.Measurement is { } golden && golden != report.Measurement ? "MEASUREMENT differs"
        : reference.HostData is { } hostData && hostData != report.HostData ? "HOST_DATA differs"
        : reference.IdKeyDigest is { } idKey && idKey != report.IdKeyDigest ? "ID_KEY_DIGEST differs"
        : reference.AuthorKeyDigest is { } author && author != report.AuthorKeyDigest ? "AUTHOR_KEY_DIGEST differs"
        : reference.MinimumGuestSvn is { } svn && report.GuestSvn < svn ? $"GUEST_SVN {report.GuestSvn} is below {svn}"
        : reference.FamilyId is { } family && !family.Bytes.SequenceEqual(report.FamilyId.Span) ? "FAMILY_ID differs"
        : reference.ImageId is { } image && !image.Bytes.SequenceEqual(report.ImageId.Span) ? "IMAGE_ID differs"
        : reference.RequireAliasCheck && !report.PlatformInfo.AliasCheckComplete ? "ALIAS_CHECK_COMPLETE is clear: the firmware did not check the memory modules for aliased addresses"
        // Who runs below the paravisor asks for reports with REPORT_DATA of his choice too.
        : reference.IsParavisor && report.Vmpl != 0 ? $"a paravisor runs at VMPL 0, but the report is from VMPL {report.Vmpl}"
        : null;

    // Zeros say that no ID block was given: every guest without one has them. Without a least SVN an old, signed paravisor counts for ever.
    private static bool IsKnownByItsIdBlock(SnpReference reference) =>
        reference is { IsParavisor: true, MinimumGuestSvn: not null }
        && new[] { reference.IdKeyDigest, reference.AuthorKeyDigest }.OfType<Digest>().ToArray() is { Length: > 0 } keys && keys.All(key => key.Bytes.ContainsAnyExcept((byte)0));

    /// <summary>A report on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(AuthenticSnpReport authentic, SnpExpectations expected, SnpCollateral collateral, CrlJudge judge)
    {
        private CrlOutcomes? _revocation;

        public AuthenticSnpReport Authentic => authentic;
        public SnpReport Report => authentic.Report;
        public SnpProduct Product => authentic.Endorsement.Product;
        public SnpExpectations Expected => expected;

        /// <summary>Those that may match evidence of this shape; null where none were given.</summary>
        public ImmutableArray<SnpReference>? References { get; } = expected.References is { } all ? [.. all.Where(reference => reference.IsParavisor == expected.BesideVtpm)] : null;

        public SnpReference? Image => field ??= References?.FirstOrDefault(reference => WhyNot(Report, reference) is null);

        public CrlJudge Judge => judge;
        public TcbStatus TcbStatus { get; private set; }

        // AMD's list is the ARK's own: it can name the ASK or ASVK, and no leaf, for those end with their TCB.
        public CrlOutcomes Revocation => _revocation ??= judge.Revocation(
            [new CrlQuery(authentic.Path.Certificates[1], authentic.Path.Certificates[2], collateral.Crl, "the revocation list of AMD's root", collateral.OtherCrls)]);

        // AMD states no status: without a minimum of the relying party's nobody says what is up to date.
        public Outcome Judged(bool accepted, string problem, string found, string wanted)
        {
            TcbStatus = !accepted ? TcbStatus.OutOfDate : expected.MinimumTcb is null ? TcbStatus.None : TcbStatus.UpToDate;
            return accepted ? Outcome.Held($"{Report.ReportedTcb.Parts(Product)}{(expected.MinimumTcb is null ? "; not judged: AMD states no status, and you stated no minimum TCB" : "")}")
                : expected.DangerouslyAcceptOutOfDateTcb ? Outcome.Waived($"{problem} ({found}); you accept that")
                : Outcome.Failed(problem, found, wanted);
        }
    }
}
