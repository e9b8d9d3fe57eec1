using System.Collections.Immutable;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>
/// A processor's evidence after the first step. A TDX quote brings all that proves it, so it is authentic or worth no fetching; an SNP
/// report does not: what it needs follows from its own words, and it is proven when that is at hand.
/// </summary>
internal sealed record AuthenticatedProcessor
{
    public required ProcessorEvidence Evidence { get; init; }

    /// <summary>What it was authenticated with: nothing else may be asked of it afterwards.</summary>
    public required ProcessorExpectations Asked { get; init; }

    /// <summary>The container's own fault, where it could not even be opened.</summary>
    public ImmutableArray<Finding> ContainerFindings { get; init; } = [];

    /// <summary>What must be in REPORTDATA: of the expectations, or on Azure the hash of the runtime data.</summary>
    public ReportData? ReportData { get; init; }

    /// <summary>The quote's first answers; null for another TEE.</summary>
    public TdxResult? Tdx { get; init; }

    /// <summary>The SNP report; null for another TEE.</summary>
    public ReadOnlyMemory<byte>? Snp { get; init; }

    /// <summary>The SNP report as it was read, unproven; null where it could not be read.</summary>
    public SnpReport? SnpRead { get; init; }

    /// <summary>The container with a vTPM; null for others.</summary>
    public AzureVtpmEvidence? Azure { get; init; }

    /// <summary>What it needs, in the order of its kinds.</summary>
    public ImmutableArray<CollateralKey> Needed { get; init; } = [];
}
