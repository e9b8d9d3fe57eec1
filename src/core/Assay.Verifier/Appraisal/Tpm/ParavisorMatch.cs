using Assay.Appraisal.Processors;
using Assay.Trust;

namespace Assay.Appraisal.Tpm;

/// <summary>
/// REPORTDATA of hardware evidence that stands beside a vTPM's quote, with the paravisor that it was matched with. Any root process of an
/// ordinary guest chooses REPORTDATA, so that alone names no vTPM: the measurement must be that of a paravisor which the relying party
/// marked (S-9a).
/// </summary>
internal sealed class ParavisorMatch : TeeReportData
{
    private ParavisorMatch(ReadOnlyMemory<byte> bytes, string? paravisor) => (Bytes, Paravisor) = (bytes, paravisor);

    /// <inheritdoc/>
    public override ReadOnlyMemory<byte> Bytes { get; }

    /// <inheritdoc/>
    public override string? Paravisor { get; }

    /// <summary>Of a quote or report; null where it is not authentic.</summary>
    public static ParavisorMatch? Of(TeeResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result.ReportData is { } data ? new ParavisorMatch(data.Bytes.ToArray(), result.Known is { IsParavisor: true } image ? image.Name : null) : null;
    }

    /// <summary>Why no reference value may match evidence of a shape.</summary>
    internal static string WhyNone(bool besideVtpm, bool listIsEmpty) =>
        listIsEmpty ? "the list of reference values is empty"
        : besideVtpm ? "no reference value is marked as a paravisor, and evidence with a vTPM can match no other, because the hardware did not measure the guest's own image (manifest version 2; assay measure writes one)"
        : "the reference values name only paravisors, and this evidence has no vTPM";
}
