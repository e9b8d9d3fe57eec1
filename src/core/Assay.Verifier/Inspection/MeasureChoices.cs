using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>What of the evidence becomes a reference value.</summary>
/// <param name="Pcrs">Registers, ascending.</param>
/// <param name="MrTd">For logs that stand without a quote.</param>
/// <param name="GpuPolicies">Digests of the gate's expectation.</param>
/// <param name="Also">Fields that change from launch to launch unless one sees to it: taken when asked for.</param>
/// <param name="MinimumTcb">Whether an SNP machine's TCB becomes the floor.</param>
/// <param name="Platform">Whether the machines that speak become known platforms.</param>
/// <param name="MinimumEvaluationDataNumber">The lowest tcbEvaluationDataNumber that counts; 0 for any.</param>
public sealed record MeasureChoices(
    ImmutableArray<int> Pcrs, Digest? MrTd, ImmutableArray<Digest> GpuPolicies, ImmutableArray<string> Also, bool MinimumTcb, bool Platform = false, int MinimumEvaluationDataNumber = 0)
{
    /// <summary>The words of <see cref="Also"/>.</summary>
    public static ImmutableArray<string> Fields { get; } =
    [
        "rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrseam", "mrsignerseam", "seam-attributes", "td-attributes", "xfam", "tee-tcb-svn",
        "host-data", "id-key-digest", "author-key-digest", "family-id", "image-id", "alias-check-complete",
    ];

    internal bool Takes(string field) => Also.Contains(field);
}
