using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tpm;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Tdx;

/// <summary>
/// The verifier of TDX quotes: bytes, collateral, expectations and time in, findings out. <see cref="Authenticate"/> needs no collateral;
/// between it and <see cref="Appraise"/> lies fetching.
/// </summary>
internal static class TdxAppraisal
{
    private const string TcbInfoPrefix = "tdx.tcb-info";
    private const string QeIdentityPrefix = "tdx.qe-identity";

    internal const string TcbInfoAvailable = TcbInfoPrefix + ".available";
    internal const string QeIdentityAvailable = QeIdentityPrefix + ".available";
    internal const string TcbInfoNotRevoked = TcbInfoPrefix + ".chain.not-revoked";
    internal const string QeIdentityNotRevoked = QeIdentityPrefix + ".chain.not-revoked";

    private static readonly ImmutableArray<Check<Candidate>> s_chain =
    [
        new(Checks.CheckIds.TdxChainCurrent, candidate => candidate.Judge.Current(candidate.Quote.Path)),
        new(Checks.CheckIds.TdxChainNotRevoked, candidate => candidate.Revocation.NotRevoked),
        new(Checks.CheckIds.TdxChainStatusCurrent, candidate => candidate.Revocation.StatusCurrent),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_platform =
    [
        new(Checks.CheckIds.TdxTcbInfoPlatformMatch, TcbInfoIsOfThePlatform),
        new(Checks.CheckIds.TdxTcbPlatformAccepted, PlatformIsAccepted),
        new(Checks.CheckIds.TdxModuleGenuine, ModuleIsGenuine),
        new(Checks.CheckIds.TdxTcbModuleAccepted, ModuleIsAccepted),
        new(Checks.CheckIds.TdxQeGenuine, QuotingEnclaveIsGenuine),
        new(Checks.CheckIds.TdxTcbQeAccepted, QuotingEnclaveIsAccepted),
        new(Checks.CheckIds.TdxTcbAdvisoriesAccepted, AdvisoriesAreAccepted),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_domain =
    [
        new(Checks.CheckIds.TdxDebugOff, candidate => !candidate.Body.Attributes.Debug ? Outcome.Held()
            : candidate.Expected.DangerouslyAcceptDebug ? Outcome.Waived("the TD is in debug mode and its host can read its memory; you accept that")
            : Outcome.Failed("the TD is in debug mode (TDATTRIBUTES.DEBUG): its host can read and write its memory", "DEBUG", "no DEBUG")),
        new(Checks.CheckIds.TdxAttributesKnown, candidate => candidate.Body.Attributes.Unknown == 0 ? Outcome.Held($"{candidate.Body.Attributes.Value:x16}")
            : Outcome.Failed("TDATTRIBUTES has undefined bits, which may give the host more rights", $"{candidate.Body.Attributes.Unknown:x16}", "none of them")),
        new(Checks.CheckIds.TdxXfamKnown, candidate => candidate.Body.Xfam is { Unknown: 0, X87AndSse: true } ? Outcome.Held($"{candidate.Body.Xfam.Value:x16}")
            : Outcome.Failed("XFAM has undefined bits, or lacks x87 and SSE", $"{candidate.Body.Xfam.Value:x16}", "known bits, 0 and 1 among them")),
        new(Checks.CheckIds.TdxSeptVeDisabled, SeptVeIsDisabled),
        new(Checks.CheckIds.TdxMigrationOff, candidate => !candidate.Body.Attributes.Migratable ? Outcome.Held()
            : candidate.Expected.RefuseMigratable ? Outcome.Failed("the TD may move to another platform (TDATTRIBUTES.MIGRATABLE)", "MIGRATABLE", "not MIGRATABLE")
            : Outcome.NotApplicable("the TD may migrate; you do not refuse that")),
        new(Checks.CheckIds.TdxServiceTdAccepted, ServiceTdIsAccepted),
        new(Checks.CheckIds.TdxMeasurementsMatch, MeasurementsMatch),
    ];

    /// <summary>Every check id there is, in the order in which checks run.</summary>
    public static ImmutableArray<string> CheckIds { get; } =
    [
        .. AuthenticTdxQuote.CheckIds,
        .. s_chain.Select(check => check.Id),
        .. StatementAppraisal.CheckIds(TcbInfoPrefix),
        .. StatementAppraisal.CheckIds(QeIdentityPrefix),
        .. s_platform.Select(check => check.Id),
        .. s_domain.Select(check => check.Id),
        .. TimeGround.Checks.Select(check => check.Id),
    ];

    /// <summary>First: who speaks. Needs no collateral. A quote that is not authentic is worth no fetching.</summary>
    public static TdxResult Authenticate(ReadOnlyMemory<byte> quote, TdxExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        var (authentic, findings, unparsable) = AuthenticTdxQuote.Authenticate(quote, new ProcessorQuestion(expected.ReportData, expected.Basis.Trust, [], AcceptTextAfter: expected.DangerouslyAcceptTextAfter), cache);
        return new TdxResult
        {
            Findings = findings,
            Unparsable = unparsable,
            Quote = authentic,
            Basis = expected.Basis,
            Asked = expected,
        };
    }

    /// <summary>Second: all questions that remain.</summary>
    /// <exception cref="ArgumentException">The quote was authenticated with other report data or another trust set. A mistake of the caller.</exception>
    public static TdxResult Appraise(TdxResult authenticated, TdxCollateral collateral, TdxExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(authenticated);
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        if (authenticated.Asked is not { } asked || !Equals(asked.ReportData, expected.ReportData) || asked.Basis.Trust.Identity != expected.Basis.Trust.Identity)
        {
            throw new ArgumentException("the quote was authenticated under other expectations", nameof(expected));
        }

        if (authenticated.Quote is not { } quote)
        {
            // Nothing is asked about evidence that is not authentic, and the questions stay visible.
            var stopped = CheckIds.Skip(AuthenticTdxQuote.CheckIds.Count()).Select(id => Outcome.Stopped("the quote is not authentic").Named(id));
            return authenticated with { Findings = [.. authenticated.Findings, .. stopped] };
        }

        var candidate = new Candidate(quote, expected, collateral, new CrlJudge(expected.Basis, cache));
        ImmutableArray<Finding> chain = [.. s_chain.Select(check => check.Ask(candidate))];
        var info = StatementAppraisal.AppraiseLatest<TcbInfo>(
            TcbInfoPrefix, "TCB information", collateral.TcbInfo, collateral.OtherTcbInfo, candidate.IsOfThePlatform, TcbInfo.TryParse,
            value => (value.IssueDate, value.NextUpdate, value.EvaluationDataNumber), collateral, expected, candidate.Judge, cache);
        var identity = StatementAppraisal.AppraiseLatest<QeIdentity>(
            QeIdentityPrefix, "quoting enclave's identity", collateral.QeIdentity, collateral.OtherQeIdentities, _ => true, QeIdentity.TryParse,
            value => (value.IssueDate, value.NextUpdate, value.EvaluationDataNumber), collateral, expected, candidate.Judge, cache);
        (candidate.Info, candidate.Identity) = (info.Value, identity.Value);
        ImmutableArray<Finding> answers = [.. s_platform.Concat(s_domain).Select(check => check.Ask(candidate))];
        DateTimeOffset[] dates = [candidate.Revocation.LatestStatement, info.LatestStatement, identity.LatestStatement];
        var ground = new TimeGround(expected.Basis.Time, expected.Basis.Revocation, dates.Max());
        var tcb = candidate.ToTcb();
        return authenticated with
        {
            Findings = [.. authenticated.Findings, .. chain, .. info.Findings, .. identity.Findings, .. answers, .. TimeGround.Checks.Select(check => check.Ask(ground))],
            Tcb = tcb,
            Image = candidate.Image,
            Claims = TdxClaims.Of(quote, tcb),
            Missing = MissingItems(collateral, expected),
            Weakened = Weakenings(candidate, tcb),
            LatestStatement = ground.LatestStatement,
        };
    }

    private static ImmutableArray<string> MissingItems(TdxCollateral collateral, TdxExpectations expected)
    {
        var asked = expected.Basis.Revocation is RevocationChecking.Required;
        (string Name, bool Missing)[] items =
        [
            ("pck-crl", asked && collateral.PckCrl is null), ("qe-identity", collateral.QeIdentity is null),
            ("root-crl", asked && collateral.RootCrl is null), ("tcb-info", collateral.TcbInfo is null),
        ];
        return [.. items.Where(item => item.Missing).Select(item => item.Name)];
    }

    // Only what was used weakens: an allowance that nothing needed does not.
    private static ImmutableArray<string> Weakenings(Candidate candidate, TdxTcb tcb)
    {
        var expected = candidate.Expected;
        (string Name, bool Used)[] items =
        [
            (Weakening.SeptVe.Name, !candidate.Body.Attributes.SeptVeDisable && candidate.Image is { IsParavisor: true }),
            (Weakening.TdxDebugAccepted.Name, expected.DangerouslyAcceptDebug && candidate.Body.Attributes.Debug),
            (Weakening.TdxNoReferenceValues.Name, expected.References is null),
            (Weakening.TdxNoReportData.Name, expected.ReportData is null),
            (Weakening.TdxRevocationSkipped.Name, expected.Basis.Revocation is RevocationChecking.DangerouslySkipped),
            (Weakening.TdxSeptVeAccepted.Name, !expected.RequireSeptVeDisable && !candidate.Body.Attributes.SeptVeDisable && candidate.Image is not { IsParavisor: true }),
            (Weakening.TdxTcbStatusAccepted.Name, tcb.Status is not (TcbStatus.None or TcbStatus.UpToDate) && expected.DangerouslyAcceptedTcbStatuses.Contains(tcb.Status)),
            (Weakening.TdxTextAfterQuoteAccepted.Name, !candidate.Quote.Quote.TextAfter.IsEmpty),
            (Weakening.TimeStated.Name, expected.Basis.Time.Source is TimeSource.Stated),
        ];
        return [.. items.Where(item => item.Used).Select(item => item.Name)];
    }

    private static Outcome TcbInfoIsOfThePlatform(Candidate candidate)
    {
        var platform = candidate.Quote.Platform;
        return candidate.Info is not { } info ? Outcome.Stopped("no authentic TCB information is available")
            : info.Fmspc != platform.Fmspc ? Outcome.Failed("the TCB information is for another platform family (FMSPC): fetch the one for this platform", $"{info.Fmspc}", $"{platform.Fmspc}")
            : info.PceId != platform.PceId ? Outcome.Failed("the TCB information is for another PCE (pceId)", $"{info.PceId}", $"{platform.PceId}")
            : Outcome.Held($"{info.Fmspc}");
    }

    private static Outcome PlatformIsAccepted(Candidate candidate)
    {
        if (candidate.UsableInfo is not { } info)
        {
            return Outcome.Stopped("no authentic TCB information for this platform is available");
        }

        var platform = candidate.Quote.Platform;
        candidate.PlatformTcb = info.Match(platform.TcbComponents, platform.PceSvn, candidate.Body.TeeTcbSvn);
        return candidate.PlatformTcb is { } judgement
            ? candidate.Accept(judgement, "platform")
            : Outcome.Failed(
                "the platform meets no TCB level: it is older than every level Intel lists",
                $"SGX {Convert.ToHexStringLower(platform.TcbComponents.AsSpan())}, PCESVN {platform.PceSvn}, TDX {Convert.ToHexStringLower(candidate.Body.TeeTcbSvn.AsSpan())}",
                $"at least SGX {Convert.ToHexStringLower(info.Levels[^1].SgxComponents.AsSpan())}, PCESVN {info.Levels[^1].PceSvn}, TDX {Convert.ToHexStringLower(info.Levels[^1].TdxComponents.AsSpan())}");
    }

    private static Outcome ModuleIsGenuine(Candidate candidate)
    {
        var body = candidate.Body;
        if (candidate.UsableInfo is not { } info)
        {
            return Outcome.Stopped("no authentic TCB information for this platform is available");
        }

        if (info.ModuleOf(body.TeeTcbSvn) is not { } module)
        {
            return Outcome.Failed("Intel lists no TDX module with this major version", $"TDX_{body.TeeTcbSvn[1]:X2}", string.Join(", ", info.ModuleIdentities.Select(known => known.Id)));
        }

        var whyNot = body.MrSignerSeam != module.MrSigner ? Outcome.Failed("the TDX module was not signed by Intel (MRSIGNERSEAM)", $"{body.MrSignerSeam}", $"{module.MrSigner}")
            : (body.SeamAttributes & module.AttributesMask) != module.Attributes ? Outcome.Failed("the TDX module's SEAMATTRIBUTES are not those of a genuine module", $"{body.SeamAttributes:x16}", $"{module.Attributes:x16}")
            : (body.SeamAttributes & ~module.AttributesMask) != 0 ? Outcome.Failed("SEAMATTRIBUTES has bits that Intel's mask does not cover", $"{body.SeamAttributes:x16}", $"none outside {module.AttributesMask:x16}")
            : (Outcome?)null;
        candidate.Module = whyNot is null ? module : null;
        return whyNot ?? Outcome.Held(module.Id.Length > 0 ? module.Id : "TDX 1.0");
    }

    private static Outcome ModuleIsAccepted(Candidate candidate)
    {
        if (candidate.Module is not { } module)
        {
            return Outcome.Stopped("the TDX module is not known to be genuine");
        }

        if (candidate.Body.TeeTcbSvn[1] == 0)
        {
            return Outcome.NotApplicable("the module of TDX 1.0 is judged with its platform");
        }

        candidate.ModuleTcb = IsvTcbLevel.Match(module.Levels, candidate.Body.TeeTcbSvn[0]);
        return candidate.ModuleTcb is { } judgement
            ? candidate.Accept(judgement, "TDX module")
            : Outcome.Failed("the TDX module is older than every version Intel lists", $"ISVSVN {candidate.Body.TeeTcbSvn[0]}", $"at least {module.Levels[^1].IsvSvn}");
    }

    private static Outcome QuotingEnclaveIsGenuine(Candidate candidate)
    {
        if (candidate.Identity is not { } identity)
        {
            return Outcome.Stopped("no authentic quoting enclave identity is available");
        }

        var whyNot = identity.WhyNot(candidate.Quote.Quote.QeReport);
        candidate.QeIsGenuine = whyNot is null;
        return whyNot is null ? Outcome.Held($"{identity.MrSigner}") : Outcome.Failed($"the quote was not made by Intel's quoting enclave: {whyNot}");
    }

    private static Outcome QuotingEnclaveIsAccepted(Candidate candidate)
    {
        if (!candidate.QeIsGenuine)
        {
            return Outcome.Stopped("the quoting enclave is not known to be genuine");
        }

        var found = candidate.Quote.Quote.QeReport.IsvSvn;
        candidate.QeTcb = IsvTcbLevel.Match(candidate.Identity!.Levels, found);
        return candidate.QeTcb is { } judgement
            ? candidate.Accept(judgement, "quoting enclave")
            : Outcome.Failed("the quoting enclave is older than every version Intel lists", $"ISVSVN {found}", $"at least {candidate.Identity.Levels[^1].IsvSvn}");
    }

    private static Outcome AdvisoriesAreAccepted(Candidate candidate)
    {
        var (refused, tcb) = (candidate.Expected.RefusedAdvisories, candidate.ToTcb());
        string[] found = [.. tcb.AdvisoryIds.Where(advisory => refused.Contains(advisory, StringComparer.OrdinalIgnoreCase))];
        return refused.IsEmpty ? Outcome.NotApplicable("no advisory is refused")
            : found.Length > 0 ? Outcome.Failed("the platform's TCB has advisories that you refuse: update it", string.Join(", ", found), "none of them")
            : tcb.Status is TcbStatus.None ? Outcome.Stopped("the TCB level of a part, and so its advisories, are not known")
            : Outcome.Held(tcb.AdvisoryIds.IsEmpty ? "no advisory" : string.Join(", ", tcb.AdvisoryIds));
    }

    // A paravisor takes #VE for its guest by design (Azure's TDs have the attribute clear); of any other TD it is the host's lever.
    private static Outcome SeptVeIsDisabled(Candidate candidate) => candidate.Body.Attributes.SeptVeDisable ? Outcome.Held()
        : candidate.Image is { IsParavisor: true } paravisor ? Outcome.Waived($"TDATTRIBUTES.SEPT_VE_DISABLE is clear: {paravisor.Name} is a paravisor you named, and handles these exceptions")
        : candidate.Expected.RequireSeptVeDisable ? Outcome.Failed("the host can make the TD take #VE on its own pages (TDATTRIBUTES.SEPT_VE_DISABLE is clear)", "clear", "set")
        : Outcome.Waived("TDATTRIBUTES.SEPT_VE_DISABLE is clear; you accept that");

    private static Outcome ServiceTdIsAccepted(Candidate candidate)
    {
        var service = candidate.Body.MrServiceTd;
        return candidate.Body.TeeTcbSvn2.IsEmpty ? Outcome.NotApplicable("reports of TDX 1.0 name no service TD")
            : !candidate.Body.HasServiceTd ? Outcome.Held("none is bound")
            : candidate.Expected.AcceptedServiceTds.Contains(service) ? Outcome.Held($"{service}")
            : Outcome.Failed("a service TD that you do not accept may act on this TD (MRSERVICETD)", $"{service}", candidate.Expected.AcceptedServiceTds.IsEmpty ? "none" : string.Join(", ", candidate.Expected.AcceptedServiceTds));
    }

    private static Outcome MeasurementsMatch(Candidate candidate)
    {
        if (candidate.References is not { } references)
        {
            return Outcome.Waived("no reference values were given: any TD image passes");
        }

        var body = candidate.Body;
        return candidate.Image is { } matching ? Outcome.Held(matching.Name)
            : references.IsEmpty ? Outcome.Failed(ParavisorMatch.WhyNone(candidate.Expected.BesideVtpm, candidate.Expected.References!.Value.IsEmpty), $"MRTD {body.MrTd}", "at least one image")
            : Outcome.Failed(
                "the TD does not match any known-good image: " + string.Join("; ", references.Take(4).Select(reference => $"{reference.Name}: {WhyNot(body, reference)}")),
                $"MRTD {body.MrTd}", string.Join(" or ", references.Take(4).Select(reference => $"{reference.MrTd}")));
    }

    private static string? WhyNot(Evidence.Tdx.TdReportBody body, TdxReference reference)
    {
        var register = Enumerable.Range(0, Math.Min(body.Rtmr.Length, reference.Rtmr.Length)).FirstOrDefault(index => reference.Rtmr[index] is { } golden && golden != body.Rtmr[index], -1);
        return reference.MrTd != body.MrTd ? "MRTD differs"
            : register >= 0 ? $"RTMR{register} differs"
            : reference.MrConfigId is { } configuration && configuration != body.MrConfigId ? "MRCONFIGID differs"
            : reference.HasPins ? WhyNotPinned(body, reference)
            : null;
    }

    private static string? WhyNotPinned(Evidence.Tdx.TdReportBody body, TdxReference reference)
    {
        (string Field, bool Differs, string Found, string Expected)[] pins =
        [
            ("MROWNER", reference.MrOwner is { } owner && owner != body.MrOwner, $"{body.MrOwner}", $"{reference.MrOwner}"),
            ("MROWNERCONFIG", reference.MrOwnerConfig is { } configuration && configuration != body.MrOwnerConfig, $"{body.MrOwnerConfig}", $"{reference.MrOwnerConfig}"),
            ("MRSEAM", !reference.MrSeam.IsEmpty && !reference.MrSeam.Contains(body.MrSeam), $"{body.MrSeam}", string.Join(" or ", reference.MrSeam)),
            ("MRSIGNERSEAM", reference.MrSignerSeam is { } signer && signer != body.MrSignerSeam, $"{body.MrSignerSeam}", $"{reference.MrSignerSeam}"),
            ("SEAMATTRIBUTES", reference.SeamAttributes is { } seam && seam != body.SeamAttributes, $"{body.SeamAttributes:x16}", $"{reference.SeamAttributes:x16}"),
            ("TDATTRIBUTES", reference.TdAttributes is { } attributes && attributes != body.Attributes.Value, $"{body.Attributes.Value:x16}", $"{reference.TdAttributes:x16}"),
            ("XFAM", reference.Xfam is { } xfam && xfam != body.Xfam.Value, $"{body.Xfam.Value:x16}", $"{reference.Xfam:x16}"),
            ("TEE_TCB_SVN", reference.MinimumTeeTcbSvn.Where((least, index) => body.TeeTcbSvn[index] < least).Any(), Convert.ToHexStringLower(body.TeeTcbSvn.AsSpan()), $"at least {Convert.ToHexStringLower(reference.MinimumTeeTcbSvn.AsSpan())} in each byte"),
        ];
        return pins.FirstOrDefault(pin => pin.Differs) is { Field: { } field } differing ? $"{field} is {differing.Found}, {differing.Expected} is expected" : null;
    }

    /// <summary>A quote on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(AuthenticTdxQuote quote, TdxExpectations expected, TdxCollateral collateral, CrlJudge judge)
    {
        private CrlOutcomes? _revocation;

        public AuthenticTdxQuote Quote => quote;
        public Evidence.Tdx.TdReportBody Body => quote.Quote.Body;
        public TdxExpectations Expected => expected;
        public CrlJudge Judge => judge;
        public TcbInfo? Info { get; set; }
        public QeIdentity? Identity { get; set; }
        public TdxModuleIdentity? Module { get; set; }
        public bool QeIsGenuine { get; set; }

        /// <summary>Those that may match evidence of this shape; null where none were given.</summary>
        public ImmutableArray<TdxReference>? References { get; } = expected.References is { } all ? [.. all.Where(reference => reference.IsParavisor == expected.BesideVtpm)] : null;

        public TdxReference? Image => field ??= References?.FirstOrDefault(reference => WhyNot(Body, reference) is null);

        public TcbJudgement? PlatformTcb { get; set; }
        public TcbJudgement? ModuleTcb { get; set; }
        public TcbJudgement? QeTcb { get; set; }

        /// <summary>The TCB information, where it is of this platform.</summary>
        public TcbInfo? UsableInfo => Info is { } info && IsOfThePlatform(info) ? info : null;

        public bool IsOfThePlatform(TcbInfo info) => info.Fmspc == quote.Platform.Fmspc && info.PceId == quote.Platform.PceId;

        public CrlOutcomes Revocation => _revocation ??= judge.Revocation(
        [
            new CrlQuery(quote.Path.Certificates[0], quote.Path.Certificates[1], collateral.PckCrl, "the revocation list of the PCK CA", collateral.OtherPckCrls),
            new CrlQuery(quote.Path.Certificates[1], quote.Path.Certificates[2], collateral.RootCrl, "the revocation list of Intel's root", collateral.OtherRootCrls),
        ]);

        public TdxTcb ToTcb() => new(PlatformTcb, ModuleTcb, QeTcb, Module is not null && Body.TeeTcbSvn[1] == 0, UsableInfo?.EvaluationDataNumber);

        public Outcome Accept(TcbJudgement judgement, string what)
        {
            var words = judgement.AdvisoryIds.IsEmpty ? $"{judgement.Status}" : $"{judgement.Status}: {string.Join(", ", judgement.AdvisoryIds)}";
            return judgement.Status is TcbStatus.UpToDate ? Outcome.Held($"UpToDate as of {Utc.Text(judgement.Date)}")
                : judgement.Status is not TcbStatus.Revoked && expected.DangerouslyAcceptedTcbStatuses.Contains(judgement.Status) ? AcceptSince(judgement, what, words)
                : Outcome.Failed($"the {what}'s TCB is not up to date: {(judgement.Status is TcbStatus.Revoked ? "Intel trusts it no longer" : "update it, or accept the status by name")}", $"{words}, level of {Utc.Text(judgement.Date)}", "UpToDate");
        }

        // Only what is out of date ages: what needs hardening or another configuration may be of the newest level.
        private Outcome AcceptSince(TcbJudgement judgement, string what, string words)
        {
            var ages = judgement.Status is TcbStatus.OutOfDate or TcbStatus.OutOfDateConfigurationNeeded;
            var (date, now) = (judgement.Date, expected.Basis.Time.Instant);
            var from = ages ? expected.DangerouslyAcceptedTcbFrom : null;
            var until = ages && expected.DangerouslyAcceptedTcbGrace is { } grace ? Later(date, grace) : (DateTimeOffset?)null;
            return from is { } least && date < least ? Outcome.Failed($"the {what}'s TCB is {words}, at an older level than you accept", $"level of {Utc.Text(date)}", $"of {Utc.Text(least)} or later")
                : until is { } end && now > end ? Outcome.Failed($"the {what}'s TCB is {words}, and your grace period is over", $"level of {Utc.Text(date)}, now {Utc.Text(now)}", $"until {Utc.Text(end)}")
                : Outcome.Waived($"the {what}'s TCB is {words}, level of {Utc.Text(date)}, and that is accepted{(from is { } lowest ? $" from {Utc.Text(lowest)} on" : "")}{(until is { } last ? $" until {Utc.Text(last)}" : "")}");
        }

        private static DateTimeOffset Later(DateTimeOffset date, TimeSpan grace) => DateTimeOffset.MaxValue - date > grace ? date + grace : DateTimeOffset.MaxValue;
    }
}
