using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>Tells a file's kind by its content and shows it. Names and endings of files say nothing.</summary>
public static class Inspector
{
    /// <summary>The file field by field, under the name of its kind; null when nothing of it can be told. Verifies nothing.</summary>
    /// <param name="file">Its bytes.</param>
    /// <param name="name">What it is called in messages.</param>
    /// <param name="faults">What could not be read is added here.</param>
    public static InspectionNode? Inspect(byte[] file, string name, FaultLog faults)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(faults);
        var (kind, parts) = Read(file, name, faults);
        return parts is null ? null : InspectionNode.Group(
            kind,
            [
                InspectionNode.Text("kind", kind) with { JsonOnly = true },
                InspectionNode.Text("file", name) with { JsonOnly = true },
                InspectionNode.Text("note", "shown as is, nothing is verified") with { JsonOnly = true },
                .. parts,
            ]);
    }

    private static (string Kind, InspectionNode?[]? Parts) Read(byte[] file, string name, FaultLog faults)
    {
        var content = FileContent.Of(file);
        var bytes = content.Bytes.ToArray();
        return content.Kind switch
        {
            ContentKind.MachineEvidence => ("machine_evidence", EvidenceInspection.ReadMachine(bytes, name, faults, ReadCpuFile)),
            ContentKind.DeviceEvidence => ("evidence", EvidenceInspection.Read(bytes, name, faults)),
            ContentKind.DeviceReport => ("report", ReportInspection.Read(bytes, name, faults)),
            ContentKind.OcspResponse => ("ocsp_response", OcspInspection.Read(bytes, name, faults)),
            ContentKind.Certificate => ("certificate", CertificateInspection.ReadOne(bytes, name, faults)),
            ContentKind.Certificates => ("certificates", CertificateInspection.ReadChain(bytes, name, faults)),
            ContentKind.RevocationList => ("crl", ReadList(bytes, name, faults)),
            ContentKind.Rim => ("rim", RimInspection.Read(bytes, name, faults)),
            ContentKind.Anchors => ("anchors", AnchorsInspection.Read(bytes, name, faults)),
            _ => ReadCpuFile(file, name, faults) ?? Unknown(content, name, faults),
        };
    }

    private static (string Kind, InspectionNode?[]? Parts)? ReadCpuFile(byte[] file, string name, FaultLog faults)
    {
        var (kind, content, log, unread) = ShownFile.Of(file);
        (string Kind, InspectionNode?[]? Parts)? shown = kind switch
        {
            ContentKind.TdxQuote => ("tdx_quote", TdxInspection.Read(content, name, faults)),
            ContentKind.TdReport => ("td_report", TdxInspection.ReadReport(content, name, faults)),
            ContentKind.SnpReport => ("snp_report", SnpInspection.Read(content, name, faults)),
            ContentKind.HclReport => ("hcl_report", TpmInspection.ReadHcl(content, name, faults)),
            ContentKind.AzureVtpm => ("azure_vtpm_evidence", TpmInspection.ReadAzure(content, name, faults)),
            ContentKind.TpmQuote => ("tpm_quote", TpmInspection.ReadQuote(content, name, faults)),
            ContentKind.EventLog => ("event_log", EventLogInspection.Read(content, name, faults)),
            ContentKind.DstackTcbInfo => ("dstack_tcb_info", EventLogInspection.ReadTcbInfo(content, name, faults)),
            ContentKind.TdxCollateral => ("tdx_collateral", IntelInspection.ReadCollateral(content, name, faults)),
            ContentKind.IntelStatement => IntelInspection.ReadBody(content, name, faults),
            ContentKind.UnsignedIntelStatement => IntelInspection.ReadUnsigned(content, name, faults),
            ContentKind.ReferenceManifest => ("reference_manifest", ManifestInspection.Read(content, name, faults)),
            ContentKind.SignedReferenceManifest => ("reference_manifest", ManifestInspection.ReadSigned(content, name, faults)),
            ContentKind.ProcessorEvidence => ("processor_evidence", RefuseEvidence(file, name, faults)),
            _ => null,
        };
        var events = shown is { Parts: not null } && log is not null ? EventLogInspection.Read(log, name, faults) : null;
        return shown is { Parts: { } parts } ? (shown.Value.Kind, [.. parts, events is null ? null : InspectionNode.Group("event_log", events), EvidenceInspection.NotRead(unread)]) : shown;
    }

    private static InspectionNode?[]? RefuseEvidence(byte[] file, string name, FaultLog faults)
    {
        if (!ProcessorEvidence.TryParse(file, name, out _, out var fault))
        {
            faults.Malformed(name, fault);
        }

        return null;
    }

    private static InspectionNode?[]? ReadList(byte[] file, string name, FaultLog faults)
    {
        const string label = "X509 CRL";
        if (file is [0x30, ..])
        {
            return CrlInspection.Read(file, name, faults);
        }

        if (Pem.Find(file, label, out _) is [var list, ..])
        {
            return CrlInspection.Read(list.ToArray(), name, faults);
        }

        faults.Malformed(name, new ParseFault("CRL", 0, "malformed PEM"));
        return null;
    }

    private static (string Kind, InspectionNode?[]? Parts) Unknown(FileContent content, string name, FaultLog faults)
    {
        faults.Unknown(content.Kind is ContentKind.Empty ? $"{name}: the file is empty" : $"{name}: this is {content.Phrase}{Elsewhere(content.Kind)}");
        return ("unknown", null);
    }

    private static string Elsewhere(ContentKind kind) => kind switch
    {
        ContentKind.Token or ContentKind.TokenBundle => ": assay token show FILE shows it",
        ContentKind.CollateralBundle => ": assay bundle inspect FILE shows it",
        ContentKind.JsonPolicy or ContentKind.RegoPolicy => ": assay policy check FILE reads it",
        _ => "; assay inspect shows evidence, reports, quotes, logs, certificates, RIMs, collateral, OCSP answers, CRLs, anchors and reference values",
    };
}
