using System.Collections.Immutable;
using Assay.Checks;
using Assay.Policy;

namespace Assay.Service.Judging;

/// <summary>Every check behind a verdict, for services that tell which did not hold.</summary>
public static class VerdictFindings
{
    /// <summary>All findings: of devices, processor, boot log, machine and policy.</summary>
    public static IEnumerable<Finding> Of(Verdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        return verdict.Appraisal.AllFindings.Concat(verdict.Machine?.Parts.ProcessorFindings ?? []).Concat(verdict.Machine?.Parts.Boot?.Findings ?? []).Concat(verdict.Machine?.Findings ?? []).Concat(verdict.PolicyFindings);
    }

    /// <summary>The ids of findings, each once, in order.</summary>
    public static ImmutableArray<string> Ids(IEnumerable<Finding> findings) => [.. findings.Select(finding => finding.Id).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>The ids of checks that failed, or could not be made because something is missing.</summary>
    public static ImmutableArray<string> FailedOrMissing(Verdict verdict) => Ids(Of(verdict).Where(finding => finding.State is CheckState.Failed || finding.Cause is NotCheckedCause.Missing));
}
