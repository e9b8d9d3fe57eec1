using System.Text;
using Assay.Evidence.Tdx;

namespace Assay.Inspection;

/// <summary>TDX quotes and TDREPORTs (layout: <see cref="TdxQuote"/>, <see cref="TdReport"/>).</summary>
internal static class TdxInspection
{
    private const int ScalarSize = 32;

    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (TdxQuote.TryParse(file, dangerouslyAcceptTextAfter: true, out var quote, out var fault))
        {
            return [.. Parts(quote, name, faults)];
        }

        faults.Malformed($"{name}: TDX quote", fault);
        return null;
    }

    public static IEnumerable<InspectionNode?> Parts(TdxQuote quote, string place, FaultLog faults) =>
    [
        InspectionNode.Number("version", quote.Version),
        InspectionNode.Number("bytes", quote.Bytes.Length),
        InspectionNode.Hex("user_data", quote.UserData.Span, whole: true),
        Body(quote.Body),
        InspectionNode.Group("signature", Scalars(quote.Signature.Span)) with { Shown = "signature (ECDSA P-256, by the attestation key)" },
        InspectionNode.Group("attestation_key", InspectionNode.Hex("x", quote.AttestationKey.Span[..ScalarSize], whole: true), InspectionNode.Hex("y", quote.AttestationKey.Span[ScalarSize..], whole: true)),
        Enclave(quote.QeReport),
        InspectionNode.Group("qe_report_signature", Scalars(quote.QeReportSignature.Span)) with { Shown = "QE report signature (ECDSA P-256, by the PCK key)" },
        InspectionNode.Hex("qe_authentication_data", quote.QeAuthenticationData.Span, whole: true),
        CertificateInspection.ChainPart(quote.PckChain.Span, $"{place}: PCK", faults),
        quote.TextAfter.IsEmpty ? null : InspectionNode.Text("text_after", Encoding.ASCII.GetString(quote.TextAfter.Span)) with { Shown = $"{quote.TextAfter.Length} bytes that nobody signed: \"{Encoding.ASCII.GetString(quote.TextAfter.Span).Trim().ReplaceLineEndings(" ")}\"" },
    ];

    public static InspectionNode?[]? ReadReport(byte[] file, string name, FaultLog faults)
    {
        if (TdReport.TryParse(file, out var report, out var fault))
        {
            return [InspectionNode.Number("version", report.Version), InspectionNode.Hex("cpusvn", report.CpuSvn.Span, whole: true), Body(report.Body), InspectionNode.Hex("mac", report.Mac.Span, whole: true)];
        }

        faults.Malformed($"{name}: TDREPORT", fault);
        return null;
    }

    private static InspectionNode Body(TdReportBody body) => InspectionNode.Group(
        "td_report",
        [
            InspectionNode.Text("form", body.Kind is TdReportKind.Td15 ? "TDX 1.5" : "TDX 1.0"),
            InspectionNode.Hex("tee_tcb_svn", body.TeeTcbSvn.AsSpan(), whole: true),
            Register("mrseam", body.MrSeam), Register("mrsignerseam", body.MrSignerSeam),
            InspectionNode.Text("seamattributes", $"{body.SeamAttributes:x16}"),
            Attributes(body.Attributes), Features(body.Xfam),
            Register("mrtd", body.MrTd), Register("mrconfigid", body.MrConfigId), Register("mrowner", body.MrOwner), Register("mrownerconfig", body.MrOwnerConfig),
            .. body.Rtmr.Select((value, register) => Register($"rtmr{register}", value)),
            InspectionNode.Hex("reportdata", body.ReportData.Bytes, whole: true),
            body.Kind is TdReportKind.Td15 ? InspectionNode.Hex("tee_tcb_svn_2", body.TeeTcbSvn2.AsSpan(), whole: true) : null,
            body.Kind is TdReportKind.Td15 ? Register("mrservicetd", body.MrServiceTd) : null,
        ]);

    private static InspectionNode Register(string name, Wire.Digest value) =>
        InspectionNode.Hex(name, value.Bytes, whole: true) is var node && value.IsZero ? node with { Shown = "all zero" } : node;

    private static InspectionNode Attributes(TdAttributes bits) => Flags(
        "tdattributes", bits.Value, bits.Unknown,
        ("debug", bits.Debug), ("sept_ve_disable", bits.SeptVeDisable), ("migratable", bits.Migratable), ("pks", bits.ProtectionKeys),
        ("kl", bits.KeyLocker), ("perfmon", bits.PerformanceMonitoring));

    private static InspectionNode Features(Xfam bits) => Flags(
        "xfam", bits.Value, bits.Unknown,
        ("x87_sse", bits.X87AndSse), ("avx", bits.Avx), ("avx512", bits.Avx512), ("pt", bits.ProcessorTrace), ("pkru", bits.UserProtectionKeys),
        ("cet", bits.ControlFlowEnforcement), ("uintr", bits.UserInterrupts), ("lbr", bits.LastBranchRecords), ("amx", bits.Amx), ("apx", bits.Apx));

    /// <summary>A bit field: whole, by its bits' names, and the bits that have none.</summary>
    public static InspectionNode Flags(string name, ulong value, ulong unknown, params (string Name, bool Set)[] bits) => InspectionNode.Group(
        name,
        [
            InspectionNode.Text("value", $"{value:x16}"),
            .. bits.Select(bit => InspectionNode.Flag(bit.Name, bit.Set)),
            InspectionNode.Text("bits_without_a_name", $"{unknown:x16}", unknown == 0 ? "none" : null),
        ]);

    private static InspectionNode Enclave(EnclaveReport report) => InspectionNode.Group(
        "qe_report",
        InspectionNode.Hex("cpusvn", report.CpuSvn.AsSpan(), whole: true),
        InspectionNode.Text("miscselect", $"{report.MiscSelect:x8}"),
        InspectionNode.Hex("attributes", report.Attributes.AsSpan(), whole: true),
        InspectionNode.Flag("debug", report.Debug),
        InspectionNode.Hex("mrenclave", report.MrEnclave.Bytes, whole: true),
        InspectionNode.Hex("mrsigner", report.MrSigner.Bytes, whole: true),
        InspectionNode.Number("isvprodid", report.IsvProdId),
        InspectionNode.Number("isvsvn", report.IsvSvn),
        InspectionNode.Hex("reportdata", report.ReportData.Bytes, whole: true)) with
    {
        Shown = "QE report (the quoting enclave, which certifies the attestation key)",
    };

    public static IEnumerable<InspectionNode> Scalars(ReadOnlySpan<byte> signature) =>
        [InspectionNode.Hex("r", signature[..ScalarSize], whole: true), InspectionNode.Hex("s", signature[ScalarSize..], whole: true)];
}
