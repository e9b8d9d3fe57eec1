using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Appraisal.Tdx;

/// <summary>Intel TDX. A quote brings all that proves it, so one that is not authentic is worth no fetching.</summary>
internal sealed class TdxTechnology : TeeTechnology
{
    public override ProcessorEvidenceKind Kind => ProcessorEvidenceKind.TdxQuote;

    public override string Word => "tdx";

    public override string Name => "Intel TDX";

    public override string EvidenceName => "the TDX quote";

    public override string Proven(TrustSetKind anchors) => $"{(anchors is TrustSetKind.Simulated ? "A simulated TDX platform" : "An Intel TDX platform")} signed the quote of this confidential VM.";

    public override string ReportDataCheck => CheckIds.TdxReportDataMatch;

    public override string MeasurementCheck => CheckIds.TdxMeasurementsMatch;

    public override string RevocationCheck => CheckIds.TdxChainNotRevoked;

    public override Weakening WithoutReferences => Weakening.TdxNoReferenceValues;

    public override Weakening WithoutRevocation => Weakening.TdxRevocationSkipped;

    public override ImmutableArray<CollateralKind> Lacks(string id) => id switch
    {
        TdxAppraisal.TcbInfoAvailable => [CollateralKind.TcbInfo],
        TdxAppraisal.QeIdentityAvailable => [CollateralKind.QeIdentity],
        TdxAppraisal.TcbInfoNotRevoked or TdxAppraisal.QeIdentityNotRevoked => [CollateralKind.RootCrl],
        CheckIds.TdxChainNotRevoked => [CollateralKind.PckCrl, CollateralKind.RootCrl],
        _ => [],
    };

    public override TeeStep Authenticate(ReadOnlyMemory<byte> evidence, TeeQuestion question, VerifierCache cache)
    {
        var expected = Expectations(question);
        var first = TdxAppraisal.Authenticate(evidence, expected, cache);
        return new TeeStep(
            first.Quote is { } quote ? ProcessorNeeds.Of(quote, ProcessorNeeds.StandardChannel, expected.Basis.Revocation) : [],
            (collateral, again) => TdxAppraisal.Appraise(first, collateral.Tdx, expected, again));
    }

    private static TdxExpectations Expectations(TeeQuestion question) => new()
    {
        ReportData = question.ReportData,
        BesideVtpm = question.BesideVtpm,
        References = question.Expected.TdxReferences,
        Basis = question.Expected.Basis,
        RequireSeptVeDisable = !question.Expected.DangerouslyAcceptSeptVe,
        RefuseMigratable = true,
        AcceptedServiceTds = [],
        MinimumEvaluationDataNumber = question.Expected.MinimumEvaluationDataNumber,
        RefusedAdvisories = question.Expected.RefusedAdvisories,
        DangerouslyAcceptDebug = question.Expected.DangerouslyAcceptDebug,
        DangerouslyAcceptTextAfter = question.Expected.DangerouslyAcceptTextAfterQuote && question.Expected.Basis.Time.Source is TimeSource.Stated,
        DangerouslyAcceptedTcbStatuses = question.Expected.DangerouslyAcceptedTcbStatuses,
        DangerouslyAcceptedTcbFrom = question.Expected.DangerouslyAcceptedTcbFrom,
        DangerouslyAcceptedTcbGrace = question.Expected.DangerouslyAcceptedTcbGrace,
    };
}
