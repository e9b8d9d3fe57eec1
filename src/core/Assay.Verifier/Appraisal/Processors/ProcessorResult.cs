using System.Collections.Immutable;
using Assay.Appraisal.Tpm;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Appraisal.Processors;

/// <summary>The answers about a processor: its quote or report, and the vTPM beside it where there is one.</summary>
public sealed record ProcessorResult
{
    /// <summary>What was judged.</summary>
    public required ProcessorEvidence Evidence { get; init; }

    /// <summary>The quote or report of the TEE; null where the container could not be opened.</summary>
    public required TeeResult? Tee { get; init; }

    /// <summary>What the evidence needs, in the order of its kinds; empty where it is not authentic.</summary>
    public ImmutableArray<CollateralKey> Needed { get; init; } = [];

    /// <summary>The quote of a vTPM beside it; null where there is none.</summary>
    internal TpmResult? Tpm { get; init; }

    /// <summary>The container's own fault, where it could not even be opened.</summary>
    public ImmutableArray<Finding> ContainerFindings { get; init; } = [];

    /// <summary>All findings, the processor's first.</summary>
    public IEnumerable<Finding> Findings => ContainerFindings.Concat(Tee?.Findings ?? []).Concat(Tpm?.Findings ?? []);

    /// <summary>Whether the bytes could not even be read.</summary>
    public bool Unparsable => Tee is null or { Unparsable: true };

    /// <summary>What could not be had, by permanent names.</summary>
    public ImmutableArray<string> Missing => Tee?.Missing ?? [];

    /// <summary>Why items could not be fetched, by the permanent names of <see cref="Missing"/>; empty where nothing was asked for.</summary>
    internal ImmutableSortedDictionary<string, string> MissingReasons { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>The same, where what is missing says what came of fetching it.</summary>
    /// <param name="faults">Where each item was asked for, and what came back; empty text where it was not asked for.</param>
    internal ProcessorResult Explained(ImmutableDictionary<CollateralKey, string> faults)
    {
        if (Tee is not { } tee)
        {
            return this;
        }

        var reasons = faults.Where(fault => fault.Value.Length > 0).GroupBy(fault => tee.Technology.MissingName(fault.Key.Kind), fault => fault.Value)
            .ToImmutableSortedDictionary(group => group.Key, group => $"asked for at {string.Join("; ", group.Distinct().Order(StringComparer.Ordinal))}", StringComparer.Ordinal);
        Finding Of(Finding finding) => finding.Cause is NotCheckedCause.Missing
            ? finding with { Reason = string.Join("; ", tee.Technology.Lacks(finding.Id).Select(tee.Technology.MissingName).Select(reasons.GetValueOrDefault).OfType<string>().Prepend(finding.Reason)) }
            : finding;
        return reasons.IsEmpty ? this : this with { Tee = tee with { Findings = [.. tee.Findings.Select(Of)] }, MissingReasons = reasons };
    }

    /// <summary>Where an item was asked for, and what came back; null where it was not asked for.</summary>
    /// <param name="name">One of <see cref="Missing"/>.</param>
    public string? WhyNotFetched(string name) => MissingReasons.GetValueOrDefault(name);

    /// <summary>
    /// The whole addresses at which the manufacturer serves what is missing, the item of this very platform first; empty for a simulated platform, and
    /// where the evidence does not tell.
    /// </summary>
    /// <param name="name">One of <see cref="Missing"/>.</param>
    public ImmutableArray<string> AddressesOf(string name)
    {
        if (Tee is not { } tee || tee.Basis.Trust.Kind is TrustSetKind.Simulated)
        {
            return [];
        }

        var own = Needed.Where(key => tee.Technology.MissingName(key.Kind) == name).OrderByDescending(key => key.Kind).Select(ManufacturerAddress.Of).OfType<string>();
        return [.. own, .. Evidence.Kind is ProcessorEvidenceKind.AzureVtpm && name == Snp.SnpResult.Certificates ? [ManufacturerAddress.AzureThim] : Array.Empty<string>()];
    }

    /// <summary>The option of <c>assay verify</c> that has the manufacturer asked for it.</summary>
    public string FetchOption => Tee is { Word: "snp" } ? "--amd-url amd" : "--intel-url intel";

    /// <summary>The registers that were signed; null where the evidence is not authentic, or has none.</summary>
    internal QuotedRegisters? Registers => Tpm is not null ? Tpm.Quote?.Registers : Tee?.Registers;
}
