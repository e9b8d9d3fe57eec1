using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Tpm;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>The verifier of processors: chooses from the table of technologies by the evidence's kind, and asks each with the same expectations.</summary>
internal static class ProcessorAppraisal
{
    /// <summary>Azure's container could not be read: no other question has been put.</summary>
    internal const string AzureIsWellFormed = Checks.CheckIds.CpuEvidenceWellformed;

    /// <summary>Every id of its own; the rest are those of the technologies and of <see cref="TpmAppraisal"/>.</summary>
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
        var result = new AuthenticatedProcessor { Evidence = evidence, Asked = expected };
        return evidence.Kind is ProcessorEvidenceKind.AzureVtpm ? OfAzure(result, cache)
            : result with { Tee = Of(evidence.Kind).Authenticate(evidence.Bytes, new TeeQuestion(expected, expected.ExpectedReportData), cache) };
    }

    /// <summary>Second: all questions that remain.</summary>
    internal static ProcessorResult Appraise(AuthenticatedProcessor processor, ProcessorCollateral collateral, VerifierCache cache)
    {
        var result = new ProcessorResult { Evidence = processor.Evidence, Needed = processor.Needed, ContainerFindings = processor.ContainerFindings, Tee = processor.Tee?.Rest(collateral.And(processor.Evidence.Certificates), cache) };
        return processor.Azure is { } azure ? result with { Tpm = Vtpm(azure, result.Tee!, processor.Asked, cache) } : result;
    }

    private static TeeTechnology Of(ProcessorEvidenceKind kind) =>
        TeeTechnology.All.FirstOrDefault(technology => technology.Kind == kind) ?? throw new ArgumentException("the evidence is of an unknown technology", nameof(kind));

    // The paravisor's hardware report names the vTPM's key; the challenge is in the vTPM's quote. Each is worth nothing without the other.
    private static AuthenticatedProcessor OfAzure(AuthenticatedProcessor processor, VerifierCache cache)
    {
        if (!AzureVtpmEvidence.TryParse(processor.Evidence.Bytes.Span, out var azure, out var fault))
        {
            return processor with { ContainerFindings = [Outcome.Failed(fault.ToString()).Named(AzureIsWellFormed)] };
        }

        if (!HclReport.TryParse(azure.HclReport.Span, out var hcl, out fault) || (hcl.Tee is HclTee.Tdx) != azure.TdQuote.HasValue)
        {
            return processor with { ContainerFindings = [Outcome.Failed(fault?.ToString() ?? $"the HCL report is of {hcl!.Tee}, a different TEE than the evidence given with it").Named(AzureIsWellFormed)] };
        }

        var question = new TeeQuestion(processor.Asked, ReportData.OfExactly(hcl.ExpectedReportData()), BesideVtpm: true, Leaf: azure.Vcek);
        var (kind, bytes) = azure.TdQuote is { } quote ? (ProcessorEvidenceKind.TdxQuote, quote) : (ProcessorEvidenceKind.SnpReport, hcl.HardwareReport);
        return processor with { Azure = azure, Tee = Of(kind).Authenticate(bytes, question, cache) };
    }

    private static TpmResult Vtpm(AzureVtpmEvidence azure, TeeResult tee, ProcessorExpectations expected, VerifierCache cache)
    {
        if (tee.LacksCertificates)
        {
            return TpmAppraisal.Stop("the hardware report for the vTPM's key could not be verified: certificates are missing");
        }

        var tpm = new TpmExpectations
        {
            QualifyingData = expected.ExpectedQualifyingData,
            Bank = TcgHash.Sha256,
            Registers = expected.Registers.IsDefaultOrEmpty ? [0] : expected.Registers,
            References = expected.TpmReferences,
        };
        return TpmAppraisal.AppraiseAzure(azure, ParavisorMatch.Of(tee), tpm, cache.Meter);
    }
}
