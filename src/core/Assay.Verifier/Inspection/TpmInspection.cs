using System.Globalization;
using System.Security.Cryptography;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>TPM quotes, Azure's HCL report, and the evidence that holds both.</summary>
internal static class TpmInspection
{
    public static InspectionNode?[]? ReadQuote(byte[] file, string name, FaultLog faults)
    {
        if (TpmQuote.TryParse(file, out var quote, out var fault))
        {
            return [.. QuoteParts(quote)];
        }

        faults.Malformed($"{name}: TPMS_ATTEST", fault);
        return null;
    }

    public static InspectionNode?[]? ReadHcl(byte[] file, string name, FaultLog faults)
    {
        if (HclReport.TryParse(file, out var report, out var fault))
        {
            return [.. HclParts(report, name, faults)];
        }

        faults.Malformed($"{name}: HCL report", fault);
        return null;
    }

    public static InspectionNode?[]? ReadAzure(byte[] file, string name, FaultLog faults)
    {
        if (!AzureVtpmEvidence.TryParse(file, out var evidence, out var fault))
        {
            faults.Malformed($"{name}: Azure vTPM evidence", fault);
            return null;
        }

        return
        [
            HclReport.TryParse(evidence.HclReport.Span, out var hcl, out fault)
                ? InspectionNode.Group("hcl_report", HclParts(hcl, name, faults)) : faults.MalformedPart("hcl_report", $"{name}: hcl_report", fault),
            TpmQuote.TryParse(evidence.Quote.Message.Span, out var quote, out fault)
                ? InspectionNode.Group("tpm_quote", QuoteParts(quote)) : faults.MalformedPart("tpm_quote", $"{name}: tpm_quote.message", fault),
            InspectionNode.Hex("tpm_signature", evidence.Quote.Signature.Span),
            InspectionNode.Table("pcrs", evidence.Quote.Values.Select(item => InspectionNode.Group("pcr", InspectionNode.Number("pcr", item.Key), Value(item.Value)))) with { Shown = "PCRs as the evidence tells them (SHA-256)" },
            evidence.Vcek is { } vcek ? Certificate(vcek.Span, name, faults) : null,
            evidence.TdQuote is not { } domain ? null
                : TdxQuote.TryParse(domain.Span, out var parsed, out fault) ? InspectionNode.Group("td_quote", TdxInspection.Parts(parsed, name, faults))
                : faults.MalformedPart("td_quote", $"{name}: td_quote", fault),
        ];
    }

    private static InspectionNode Value(Digest value) => InspectionNode.Hex("value", value.Bytes, whole: true) is var node && value.IsZero ? node with { Shown = "all zero" } : node;

    private static InspectionNode Certificate(ReadOnlySpan<byte> der, string name, FaultLog faults) => Assay.Trust.Certificate.TryParse(der, out var certificate, out var fault)
        ? CertificateInspection.Certificates("vcek", [certificate])
        : faults.MalformedPart("vcek", $"{name}: vcek", fault);

    private static IEnumerable<InspectionNode> QuoteParts(TpmQuote quote) =>
    [
        InspectionNode.Hex("qualified_signer", quote.QualifiedSigner.Span, whole: true),
        InspectionNode.Hex("extra_data", quote.ExtraData.Span, whole: true),
        InspectionNode.Text("clock", quote.Clock.Milliseconds.ToString(CultureInfo.InvariantCulture), $"{quote.Clock.Milliseconds} ms"),
        InspectionNode.Number("reset_count", quote.Clock.ResetCount),
        InspectionNode.Number("restart_count", quote.Clock.RestartCount),
        InspectionNode.Flag("safe", quote.Clock.Safe),
        InspectionNode.Text("firmware_version", $"{quote.FirmwareVersion:x16}"),
        InspectionNode.Hex("pcr_digest", quote.PcrDigest.Bytes, whole: true),
        InspectionNode.Table("pcr_selections", quote.Selections.Select(selection => InspectionNode.Group(
            "selection",
            InspectionNode.Text("bank", EventLogInspection.NameOf(selection.Bank), selection.Bank is TcgHash.None ? $"algorithm {selection.Algorithm:x4}" : null),
            InspectionNode.List("registers", selection.Registers.Select(register => InspectionNode.Number("register", register))) with
            {
                Shown = selection.Registers.IsEmpty ? "none" : string.Join(", ", selection.Registers),
            }))),
    ];

    private static IEnumerable<InspectionNode?> HclParts(HclReport report, string place, FaultLog faults)
    {
        var runtime = report.Runtime;
        return
        [
            InspectionNode.Text("tee", report.Tee.ToString().ToUpperInvariant()),
            InspectionNode.Text("report_data_hash_type", EventLogInspection.NameOf(report.Hash)),
            InspectionNode.Hex("report_data", report.ReportData.Span, whole: true),
            InspectionNode.Flag("report_data_is_of_runtime_data", report.ReportData.Span.SequenceEqual(report.ExpectedReportData())),
            InspectionNode.Hex("user_data", runtime.UserData.Span, whole: true),
            Told("secure_boot", runtime.SecureBoot), Told("console_enabled", runtime.ConsoleEnabled),
            InspectionNode.Text("vm_unique_id", runtime.VmUniqueId ?? "absent"),
            InspectionNode.Hex("attestation_key_modulus_sha256", SHA256.HashData(runtime.AttestationKey.Modulus.Span), whole: true),
            Hardware(report, place, faults),
        ];

        static InspectionNode Told(string name, bool? value) => value is { } told ? InspectionNode.Flag(name, told) : InspectionNode.Text(name, "absent");
    }

    private static InspectionNode Hardware(HclReport report, string place, FaultLog faults)
    {
        const string part = "hardware_report";
        return report.Tee is not HclTee.Snp ? InspectionNode.Hex(part, report.HardwareReport.Span) with { Shown = "TDREPORT: only its own machine can check it, so the TD quote given with it is what counts" }
            : SnpReport.TryParse(report.HardwareReport.Span, out var snp, out var fault) ? InspectionNode.Group(part, SnpInspection.Parts(snp))
            : faults.MalformedPart(part, $"{place}: {part}", fault);
    }
}
