using System.Collections.Immutable;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Tpm;

namespace Assay.Appraisal.Processors;

/// <summary>A processor's evidence after the first step.</summary>
internal sealed record AuthenticatedProcessor
{
    public required ProcessorEvidence Evidence { get; init; }

    /// <summary>What it was authenticated with: nothing else may be asked of it afterwards.</summary>
    public required ProcessorExpectations Asked { get; init; }

    /// <summary>The container's own fault, where it could not even be opened.</summary>
    public ImmutableArray<Finding> ContainerFindings { get; init; } = [];

    /// <summary>The quote or report; null where the container could not be opened.</summary>
    public TeeStep? Tee { get; init; }

    /// <summary>The container with a vTPM; null for others.</summary>
    public AzureVtpmEvidence? Azure { get; init; }

    /// <summary>What it needs, in the order of its kinds.</summary>
    public ImmutableArray<CollateralKey> Needed => Tee?.Needed ?? [];
}
