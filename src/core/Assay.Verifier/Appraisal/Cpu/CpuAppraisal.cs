using System.Collections.Immutable;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Cpu;

/// <summary>The verifier of processors: chooses by the evidence's kind, and puts the questions of each technology with the same expectations.</summary>
public static class CpuAppraisal
{
    /// <summary>Azure's container could not be read: no other question has been put.</summary>
    internal const string AzureIsWellFormed = "cpu.evidence.wellformed";

    /// <summary>Every id of its own; the rest are those of <see cref="TdxAppraisal"/>, <see cref="SnpAppraisal"/> and <see cref="TpmAppraisal"/>.</summary>
    public static IEnumerable<string> CheckIds => [AzureIsWellFormed];

    /// <summary>Judges the evidence.</summary>
    public static CpuResult Appraise(CpuEvidence evidence, CpuCollateral collateral, CpuExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        var result = new CpuResult { Evidence = evidence };
        return evidence.Kind switch
        {
            CpuEvidenceKind.TdxQuote => result with { Tdx = Tdx(evidence.Bytes, collateral.Tdx, expected, expected.ExpectedReportData, besideVtpm: false, cache) },
            CpuEvidenceKind.SnpReport => result with { Snp = Snp(evidence.Bytes, collateral.Snp, expected, expected.ExpectedReportData, besideVtpm: false, cache) },
            CpuEvidenceKind.AzureVtpm => Azure(result, collateral, expected, cache),
            _ => throw new ArgumentException("the evidence is of no kind", nameof(evidence)),
        };
    }

    private static TdxResult Tdx(ReadOnlyMemory<byte> quote, TdxCollateral collateral, CpuExpectations expected, ReportData? data, bool besideVtpm, VerifierCache cache)
    {
        var tdx = new TdxExpectations
        {
            ReportData = data,
            BesideVtpm = besideVtpm,
            References = expected.TdxReferences,
            Time = expected.Time,
            Trust = expected.Trust,
            Revocation = expected.Revocation,
            RequireSeptVeDisable = !expected.DangerouslyAcceptSeptVe,
            RefuseMigratable = true,
            AcceptedServiceTds = [],
            DangerouslyAcceptDebug = expected.DangerouslyAcceptDebug,
            DangerouslyAcceptedTcbStatuses = expected.DangerouslyAcceptedTcbStatuses,
        };
        return TdxAppraisal.Appraise(TdxAppraisal.Authenticate(quote, tdx, cache), collateral, tdx, cache);
    }

    private static SnpResult Snp(ReadOnlyMemory<byte> report, SnpCollateral collateral, CpuExpectations expected, ReportData? data, bool besideVtpm, VerifierCache cache) =>
        SnpAppraisal.Appraise(report, collateral, new SnpExpectations
        {
            ReportData = data,
            BesideVtpm = besideVtpm,
            References = expected.SnpReferences,
            MinimumTcb = expected.SnpMinimumTcb,
            AcceptedSigningKeys = expected.AcceptVlek ? [SnpSigningKey.Vcek, SnpSigningKey.Vlek] : [SnpSigningKey.Vcek],
            AcceptedVmpls = [0],
            RefuseMigrationAgent = true,
            Time = expected.Time,
            Trust = expected.Trust,
            Revocation = expected.Revocation,
            DangerouslyAcceptDebug = expected.DangerouslyAcceptDebug,
            DangerouslyAcceptOutOfDateTcb = expected.DangerouslyAcceptedTcbStatuses.Contains(TcbStatus.OutOfDate),
        }, cache);

    // The paravisor's hardware report names the vTPM's key; the challenge is in the vTPM's quote. Each is worth nothing without the other.
    private static CpuResult Azure(CpuResult result, CpuCollateral collateral, CpuExpectations expected, VerifierCache cache)
    {
        if (!AzureVtpmEvidence.TryParse(result.Evidence.Bytes.Span, out var azure, out var fault))
        {
            return result with { ContainerFindings = [Outcome.Failed(fault.ToString()).Named(AzureIsWellFormed)] };
        }

        if (!HclReport.TryParse(azure.HclReport.Span, out var hcl, out fault) || (hcl.Tee is HclTee.Tdx) != azure.TdQuote.HasValue)
        {
            return result with { ContainerFindings = [Outcome.Failed(fault?.ToString() ?? $"the HCL report is of {hcl!.Tee}, another TEE than what stands beside it").Named(AzureIsWellFormed)] };
        }

        var data = ReportData.OfExactly(hcl.ExpectedReportData());
        result = azure.TdQuote is { } quote
            ? result with { Tdx = Tdx(quote, collateral.Tdx, expected, data, besideVtpm: true, cache) }
            : result with { Snp = Snp(hcl.HardwareReport, WithChip(collateral.Snp, azure.Vcek), expected, data, besideVtpm: true, cache) };
        if (result.Snp is { LacksCertificates: true })
        {
            return result with { Tpm = TpmAppraisal.Stop("the hardware report that names the vTPM's key could not be judged: certificates are missing") };
        }

        var hardware = result.Tdx is { } td ? ParavisorMatch.Of(td) : ParavisorMatch.Of(result.Snp!);
        var tpm = new TpmExpectations
        {
            QualifyingData = expected.ExpectedQualifyingData,
            Bank = TcgHash.Sha256,
            Registers = expected.Registers.IsDefaultOrEmpty ? [0] : expected.Registers,
            References = expected.TpmReferences,
        };
        return result with { Tpm = TpmAppraisal.AppraiseAzure(azure, hardware, tpm, cache.Meter) };
    }

    private static SnpCollateral WithChip(SnpCollateral collateral, ReadOnlyMemory<byte>? vcek) =>
        vcek is { } certificate && !collateral.Certificates.Any(known => known.Span.SequenceEqual(certificate.Span))
            ? collateral with { Certificates = [.. collateral.Certificates, certificate] }
            : collateral;
}
