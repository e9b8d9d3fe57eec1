using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tpm;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>The verifier of processors: chooses by the evidence's kind, and puts the questions of each technology with the same expectations.</summary>
internal static class ProcessorAppraisal
{
    /// <summary>Azure's container could not be read: no other question has been put.</summary>
    internal const string AzureIsWellFormed = Checks.CheckIds.CpuEvidenceWellformed;

    /// <summary>Every id of its own; the rest are those of <see cref="TdxAppraisal"/>, <see cref="SnpAppraisal"/> and <see cref="TpmAppraisal"/>.</summary>
    public static IEnumerable<string> CheckIds => [AzureIsWellFormed];

    /// <summary>Judges the evidence in one call, with all that it needs at hand.</summary>
    public static ProcessorResult Appraise(ProcessorEvidence evidence, ProcessorCollateral collateral, ProcessorExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        return Appraise(Authenticate(evidence, expected, cache), collateral, cache);
    }

    /// <summary>First: who speaks, and what is needed to go on. Needs no collateral.</summary>
    internal static AuthenticatedProcessor Authenticate(ProcessorEvidence evidence, ProcessorExpectations expected, VerifierCache cache)
    {
        var result = new AuthenticatedProcessor { Evidence = evidence, Asked = expected, ReportData = expected.ExpectedReportData };
        return evidence.Kind switch
        {
            ProcessorEvidenceKind.TdxQuote => OfQuote(result, evidence.Bytes, cache),
            ProcessorEvidenceKind.SnpReport => OfReport(result, evidence.Bytes, vcek: null),
            ProcessorEvidenceKind.AzureVtpm => OfAzure(result, cache),
            _ => throw new ArgumentException("the evidence is of no kind", nameof(evidence)),
        };
    }

    /// <summary>Second: all questions that remain.</summary>
    internal static ProcessorResult Appraise(AuthenticatedProcessor processor, ProcessorCollateral collateral, VerifierCache cache)
    {
        var result = new ProcessorResult { Evidence = processor.Evidence, ContainerFindings = processor.ContainerFindings };
        if (!processor.ContainerFindings.IsEmpty)
        {
            return result;
        }

        result = processor.Tdx is { } quote
            ? result with { Tdx = TdxAppraisal.Appraise(quote, collateral.Tdx, Tdx(processor), cache) }
            : result with { Snp = SnpAppraisal.Appraise(processor.Snp!.Value, processor.SnpRead, WithChip(collateral.Snp, processor.Azure?.Vcek), Snp(processor), cache) };
        return processor.Azure is { } azure ? result with { Tpm = Vtpm(azure, result, processor.Asked, cache) } : result;
    }

    private static AuthenticatedProcessor OfQuote(AuthenticatedProcessor processor, ReadOnlyMemory<byte> bytes, VerifierCache cache)
    {
        var quote = TdxAppraisal.Authenticate(bytes, Tdx(processor), cache);
        return processor with { Tdx = quote, Needed = quote.Quote is { } authentic ? ProcessorNeeds.Of(authentic, ProcessorNeeds.StandardChannel, processor.Asked.Revocation) : [] };
    }

    private static AuthenticatedProcessor OfReport(AuthenticatedProcessor processor, ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte>? vcek)
    {
        // What is malformed is said where the report is judged.
        _ = SnpReport.TryParse(bytes.Span, out var report, out _);
        return processor with { Snp = bytes, SnpRead = report, Needed = report is null ? [] : ProcessorNeeds.Of(report, vcek, processor.Asked.Revocation) };
    }

    // The paravisor's hardware report names the vTPM's key; the challenge is in the vTPM's quote. Each is worth nothing without the other.
    private static AuthenticatedProcessor OfAzure(AuthenticatedProcessor processor, VerifierCache cache)
    {
        if (!AzureVtpmEvidence.TryParse(processor.Evidence.Bytes.Span, out var azure, out var fault))
        {
            return processor with { ContainerFindings = [Outcome.Failed(fault.ToString()).Named(AzureIsWellFormed)] };
        }

        if (!HclReport.TryParse(azure.HclReport.Span, out var hcl, out fault) || (hcl.Tee is HclTee.Tdx) != azure.TdQuote.HasValue)
        {
            return processor with { ContainerFindings = [Outcome.Failed(fault?.ToString() ?? $"the HCL report is of {hcl!.Tee}, another TEE than what stands beside it").Named(AzureIsWellFormed)] };
        }

        processor = processor with { Azure = azure, ReportData = ReportData.OfExactly(hcl.ExpectedReportData()) };
        return azure.TdQuote is { } quote ? OfQuote(processor, quote, cache) : OfReport(processor, hcl.HardwareReport, azure.Vcek);
    }

    private static TpmResult Vtpm(AzureVtpmEvidence azure, ProcessorResult result, ProcessorExpectations expected, VerifierCache cache)
    {
        if (result.Snp is { LacksCertificates: true })
        {
            return TpmAppraisal.Stop("the hardware report that names the vTPM's key could not be judged: certificates are missing");
        }

        var hardware = result.Tdx is { } td ? ParavisorMatch.Of(td) : ParavisorMatch.Of(result.Snp!);
        var tpm = new TpmExpectations
        {
            QualifyingData = expected.ExpectedQualifyingData,
            Bank = TcgHash.Sha256,
            Registers = expected.Registers.IsDefaultOrEmpty ? [0] : expected.Registers,
            References = expected.TpmReferences,
        };
        return TpmAppraisal.AppraiseAzure(azure, hardware, tpm, cache.Meter);
    }

    private static TdxExpectations Tdx(AuthenticatedProcessor processor)
    {
        var expected = processor.Asked;
        return new TdxExpectations
        {
            ReportData = processor.ReportData,
            BesideVtpm = processor.Azure is not null,
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
    }

    private static SnpExpectations Snp(AuthenticatedProcessor processor)
    {
        var expected = processor.Asked;
        return new SnpExpectations
        {
            ReportData = processor.ReportData,
            BesideVtpm = processor.Azure is not null,
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
        };
    }

    private static SnpCollateral WithChip(SnpCollateral collateral, ReadOnlyMemory<byte>? vcek) =>
        vcek is { } certificate && !collateral.Certificates.Any(known => known.Span.SequenceEqual(certificate.Span))
            ? collateral with { Certificates = [.. collateral.Certificates, certificate] }
            : collateral;
}
