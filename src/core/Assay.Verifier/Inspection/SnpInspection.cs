using Assay.Evidence.Snp;

namespace Assay.Inspection;

/// <summary>An SEV-SNP report (layout: <see cref="SnpReport"/>).</summary>
internal static class SnpInspection
{
    private const int ScalarSize = 48;

    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (SnpReport.TryParse(file, out var report, out var fault))
        {
            return [.. Parts(report)];
        }

        faults.Malformed($"{name}: SNP report", fault);
        return null;
    }

    public static IEnumerable<InspectionNode?> Parts(SnpReport report) =>
    [
        InspectionNode.Number("version", report.Version),
        InspectionNode.Text("product", report.Product is SnpProduct.None ? "none" : report.Product.ToString(), report.Product is SnpProduct.None ? "not told" : null),
        report.Cpuid is { } cpuid ? InspectionNode.Text("cpuid", $"family {cpuid.Family:x2}h model {cpuid.Model:x2}h stepping {cpuid.Stepping}") : null,
        InspectionNode.Number("guest_svn", report.GuestSvn),
        InspectionNode.Hex("family_id", report.FamilyId.Span, whole: true),
        InspectionNode.Hex("image_id", report.ImageId.Span, whole: true),
        InspectionNode.Number("vmpl", report.Vmpl),
        InspectionNode.Text("signing_key", report.SigningKey.ToString().ToUpperInvariant()),
        InspectionNode.Flag("mask_chip_key", report.MaskChipKey),
        InspectionNode.Flag("author_key_en", report.AuthorKeyEnabled),
        InspectionNode.Hex("report_data", report.ReportData.Bytes, whole: true),
        InspectionNode.Hex("measurement", report.Measurement.Bytes, whole: true),
        InspectionNode.Hex("host_data", report.HostData.Bytes, whole: true),
        InspectionNode.Hex("id_key_digest", report.IdKeyDigest.Bytes, whole: true),
        InspectionNode.Hex("author_key_digest", report.AuthorKeyDigest.Bytes, whole: true),
        InspectionNode.Hex("report_id", report.ReportId.Bytes, whole: true),
        InspectionNode.Hex("report_id_ma", report.ReportIdMigrationAgent.Bytes, whole: true),
        InspectionNode.Hex("chip_id", report.ChipId.Bytes, whole: true),
        Policy(report.Policy),
        Platform(report.PlatformInfo),
        Tcb("reported_tcb", report.ReportedTcb, report.Product), Tcb("committed_tcb", report.CommittedTcb, report.Product),
        Tcb("launch_tcb", report.LaunchTcb, report.Product), Tcb("current_tcb", report.CurrentTcb, report.Product),
        InspectionNode.Text("current_version", report.Current.ToString()),
        InspectionNode.Text("committed_version", report.Committed.ToString()),
        report.LaunchMitigations is { } launch ? InspectionNode.Text("launch_mit_vector", $"{launch:x16}") : null,
        report.CurrentMitigations is { } current ? InspectionNode.Text("current_mit_vector", $"{current:x16}") : null,
        InspectionNode.Group("signature", InspectionNode.Hex("r", report.Signature.Span[..ScalarSize], whole: true), InspectionNode.Hex("s", report.Signature.Span[ScalarSize..], whole: true)) with
        {
            Shown = "signature (ECDSA P-384, over the first 672 bytes)",
        },
    ];

    // Which byte means what depends on the product, which older reports do not tell.
    private static InspectionNode Tcb(string name, SnpTcb tcb, SnpProduct product) => InspectionNode.Text(
        name, tcb.ToString(), product is SnpProduct.None ? $"{tcb} (the layout depends on the product)" : $"{tcb} ({tcb.Parts(product)})");

    private static InspectionNode Policy(SnpPolicy bits) => TdxInspection.Flags(
        "policy", bits.Value, bits.Unknown,
        ("smt", bits.SmtAllowed), ("bit_17_must_be_one", bits.MustBeOne), ("migrate_ma", bits.MigrationAgentAllowed), ("debug", bits.Debug), ("single_socket", bits.SingleSocket),
        ("cxl_allow", bits.CxlAllowed), ("mem_aes_256_xts", bits.Aes256XtsRequired), ("rapl_dis", bits.RaplDisabledRequired),
        ("ciphertext_hiding_dram", bits.CiphertextHidingRequired), ("page_swap_disable", bits.PageSwapDisabled));

    private static InspectionNode Platform(SnpPlatformInfo bits) => TdxInspection.Flags(
        "platform_info", bits.Value, bits.Unknown,
        ("smt_en", bits.SmtEnabled), ("tsme_en", bits.TsmeEnabled), ("ecc_en", bits.EccEnabled), ("rapl_dis", bits.RaplDisabled),
        ("ciphertext_hiding_dram_en", bits.CiphertextHidingEnabled), ("alias_check_complete", bits.AliasCheckComplete), ("iommu_write_safe", bits.IommuWriteSafe), ("tio_en", bits.TioEnabled));
}
