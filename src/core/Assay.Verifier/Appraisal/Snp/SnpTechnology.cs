using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Trust;

namespace Assay.Appraisal.Snp;

/// <summary>AMD SEV-SNP. What a report needs follows from its own words, and it is proven only when that is at hand.</summary>
internal sealed class SnpTechnology : TeeTechnology
{
    public override ProcessorEvidenceKind Kind => ProcessorEvidenceKind.SnpReport;

    public override string Word => "snp";

    public override string Name => "AMD SEV-SNP";

    public override string EvidenceName => "the SNP report";

    public override string Proven(TrustSetKind anchors) => $"{(anchors is TrustSetKind.Simulated ? "A simulated SEV-SNP platform" : "An AMD SEV-SNP platform")} signed the report of this confidential VM.";

    public override string ReportDataCheck => CheckIds.SnpReportDataMatch;

    public override string MeasurementCheck => CheckIds.SnpMeasurementMatch;

    public override string RevocationCheck => CheckIds.SnpChainNotRevoked;

    public override Weakening WithoutReferences => Weakening.SnpNoReferenceValues;

    public override Weakening WithoutRevocation => Weakening.SnpRevocationSkipped;

    public override string WhyNoRegisters => "an SNP report has no register that a boot log could explain: only a vTPM inside the TEE has some";

    public override ImmutableArray<CollateralKind> Lacks(string id) => id switch
    {
        CheckIds.SnpChainAvailable => [CollateralKind.AmdChain],
        CheckIds.SnpChainNotRevoked => [CollateralKind.AmdCrl],
        _ => [],
    };

    // A chain and the certificate below it are missing as one.
    public override string MissingName(CollateralKind kind) => kind is CollateralKind.AmdChain or CollateralKind.Vcek ? SnpResult.Certificates : base.MissingName(kind);

    public override TeeStep Authenticate(ReadOnlyMemory<byte> evidence, TeeQuestion question, VerifierCache cache)
    {
        // What is malformed is said where the report is judged.
        _ = SnpReport.TryParse(evidence.Span, out var report, out _);
        var expected = Expectations(question);
        return new TeeStep(
            report is null ? [] : ProcessorNeeds.Of(report, question.Leaf, expected.Basis.Revocation),
            (collateral, again) => SnpAppraisal.Appraise(evidence, report, WithChip(collateral.Snp, question.Leaf), expected, again));
    }

    private static SnpExpectations Expectations(TeeQuestion question) => new()
    {
        ReportData = question.ReportData,
        BesideVtpm = question.BesideVtpm,
        References = question.Expected.SnpReferences,
        MinimumTcb = question.Expected.SnpMinimumTcb,
        AcceptedSigningKeys = question.Expected.AcceptVlek ? [SnpSigningKey.Vcek, SnpSigningKey.Vlek] : [SnpSigningKey.Vcek],
        AcceptedVmpls = [0],
        RefuseMigrationAgent = true,
        Basis = question.Expected.Basis,
        DangerouslyAcceptDebug = question.Expected.DangerouslyAcceptDebug,
        DangerouslyAcceptMaskedChipId = question.Expected.DangerouslyAcceptMaskedChipId,
        // AMD dates no TCB: where a date is demanded of what is out of date, none can be shown.
        DangerouslyAcceptOutOfDateTcb = question.Expected is { DangerouslyAcceptedTcbFrom: null, DangerouslyAcceptedTcbGrace: null } && question.Expected.DangerouslyAcceptedTcbStatuses.Contains(TcbStatus.OutOfDate),
    };

    private static SnpCollateral WithChip(SnpCollateral collateral, ReadOnlyMemory<byte>? vcek) =>
        vcek is { } certificate && !collateral.Certificates.Any(known => known.Span.SequenceEqual(certificate.Span))
            ? collateral with { Certificates = [.. collateral.Certificates, certificate] }
            : collateral;
}
