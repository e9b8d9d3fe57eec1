using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
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

    /// <summary>Of a TD quote; null where it is not authentic.</summary>
    public static ParavisorMatch? Of(TdxResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result.Quote is { } quote ? new ParavisorMatch(quote.Quote.Body.ReportData.Bytes.ToArray(), result.Image is { IsParavisor: true } image ? image.Name : null) : null;
    }

    /// <summary>Of an SNP report; null where it is not authentic.</summary>
    public static ParavisorMatch? Of(SnpResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result.Report is { } report ? new ParavisorMatch(report.Report.ReportData.Bytes.ToArray(), result.Image is { IsParavisor: true } image ? image.Name : null) : null;
    }

    /// <summary>Why no reference value may match evidence of a shape.</summary>
    internal static string WhyNone(bool besideVtpm, bool listIsEmpty) =>
        listIsEmpty ? "the list of reference values is empty: nothing was chosen"
        : besideVtpm ? "no reference value is marked as a paravisor, and evidence with a vTPM matches no other: the guest's own image is not what the hardware measured (manifest version 2; assay measure writes one)"
        : "the reference values name paravisors alone, and this evidence comes without a vTPM";
}
