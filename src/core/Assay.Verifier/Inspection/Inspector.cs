using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>Tells a file's kind by its content and shows it. Names and endings of files say nothing.</summary>
public static class Inspector
{
    private const string Expected =
        "neither evidence (JSON), nor a report (SPDM 11 E0 …, hexadecimal or base64), nor PEM or DER certificates, nor a RIM (XML), nor an OCSP response, a CRL or anchors, nor a TDX quote, an SNP report, an event log, TPM or Azure vTPM evidence, TDX collateral or reference values";

    private static readonly string[] s_anchors = ["device", "rim", "intel", "amd"];
    private static readonly string[] s_machine = ["cpu", "key"];

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];
    private static ReadOnlySpan<byte> WhiteSpace => " \t\r\n"u8;
    private static ReadOnlySpan<byte> PemLine => "-----BEGIN "u8;

    /// <summary>The file field by field, under the name of its kind; null when nothing of it can be told. Verifies nothing.</summary>
    /// <param name="file">Its bytes.</param>
    /// <param name="name">What it is called in messages.</param>
    /// <param name="faults">What could not be read is added here.</param>
    public static InspectionNode? Inspect(byte[] file, string name, FaultLog faults)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(faults);
        var (kind, parts) = ReadMachine(file, name, faults) ?? ReadCpuFile(file, name, faults) ?? ReadKnown(file, name, faults) ?? ReadEncoded(file, name, faults);
        return parts is null ? null : InspectionNode.Group(
            kind,
            [
                InspectionNode.Text("kind", kind) with { JsonOnly = true },
                InspectionNode.Text("file", name) with { JsonOnly = true },
                InspectionNode.Text("note", "shown as it stands, nothing is verified") with { JsonOnly = true },
                .. parts,
            ]);
    }

    private static (string Kind, InspectionNode?[]? Parts)? ReadMachine(byte[] file, string name, FaultLog faults) =>
        file.AsSpan().TrimStart(WhiteSpace) is [(byte)'{', ..] && HasMember(file, s_machine) ? ("machine_evidence", EvidenceInspection.ReadMachine(file, name, faults, ReadCpuFile)) : null;

    private static (string Kind, InspectionNode?[]? Parts)? ReadCpuFile(byte[] file, string name, FaultLog faults)
    {
        var (kind, content, log) = CpuFile.Read(file);
        (string Kind, InspectionNode?[]? Parts)? shown = kind switch
        {
            CpuFileKind.TdxQuote => ("tdx_quote", TdxInspection.Read(content, name, faults)),
            CpuFileKind.SnpReport => ("snp_report", SnpInspection.Read(content, name, faults)),
            CpuFileKind.HclReport => ("hcl_report", TpmInspection.ReadHcl(content, name, faults)),
            CpuFileKind.AzureVtpm => ("azure_vtpm_evidence", TpmInspection.ReadAzure(content, name, faults)),
            CpuFileKind.TpmQuote => ("tpm_quote", TpmInspection.ReadQuote(content, name, faults)),
            CpuFileKind.EventLog => ("event_log", EventLogInspection.Read(content, name, faults)),
            CpuFileKind.TdxCollateral => ("tdx_collateral", TdxInspection.ReadCollateral(content, name, faults)),
            CpuFileKind.ReferenceManifest => ("reference_manifest", ManifestInspection.Read(content, name, faults)),
            CpuFileKind.SignedReferenceManifest => ("reference_manifest", ManifestInspection.ReadSigned(content, name, faults)),
            _ => null,
        };
        return shown is { Parts: { } parts } && log is not null && EventLogInspection.Read(log, name, faults) is { } events
            ? (shown.Value.Kind, [.. parts, InspectionNode.Group("event_log", events)])
            : shown;
    }

    // Null when the first bytes are those of no kind.
    private static (string Kind, InspectionNode?[]? Parts)? ReadKnown(byte[] file, string name, FaultLog faults)
    {
        var start = file.AsSpan();
        start = start.StartsWith(ByteOrderMark) ? start[ByteOrderMark.Length..] : start;
        var text = start.TrimStart(WhiteSpace);
        return text switch
        {
            _ when start is [0x11, 0xE0, ..] => ("report", ReportInspection.Read(file, name, faults)),
            _ when start is [0x30, ..] && ReadDer(file, name, faults) is { } der => der,
            [(byte)'<', ..] => ("rim", RimInspection.Read(file, name, faults)),
            [(byte)'{', ..] when HasMember(text, s_anchors) => ("anchors", AnchorsInspection.Read(file, name, faults)),
            [(byte)'{' or (byte)'[', ..] => ("evidence", EvidenceInspection.Read(file, name, faults)),
            _ when text.StartsWith(PemLine) => ReadPem(file, name, faults),
            _ => null,
        };
    }

    private static (string Kind, InspectionNode?[]? Parts) ReadEncoded(byte[] file, string name, FaultLog faults)
    {
        var decoded = EvidenceText.TryReadReport(file, out var bytes, out var fault);
        if (decoded && ReadKnown(bytes!, name, faults) is { } known)
        {
            return known;
        }

        faults.Unknown(file.Length == 0 ? $"{name}: {fault}" : $"{name}: {Expected}; it begins with bytes {Convert.ToHexStringLower(file.AsSpan(0, Math.Min(file.Length, 8)))}");
        return ("unknown", null);
    }

    // OCSPResponse begins with an ENUMERATED, a v3 certificate with [0] and a v2 CRL with an INTEGER one level deeper.
    private static (string Kind, InspectionNode?[]? Parts)? ReadDer(byte[] der, string name, FaultLog faults)
    {
        var inner = AfterHeader(der);
        return inner switch
        {
            [0x0A, ..] => ("ocsp_response", OcspInspection.Read(der, name, faults)),
            [0x30, ..] when AfterHeader(inner) is [0xA0, ..] => ("certificate", CertificateInspection.ReadOne(der, name, faults)),
            [0x30, ..] when AfterHeader(inner) is [0x02, ..] => ("crl", CrlInspection.Read(der, name, faults)),
            _ => null,
        };
    }

    private static ReadOnlySpan<byte> AfterHeader(ReadOnlySpan<byte> element)
    {
        var header = element is [_, > 0x80 and var more, ..] ? 2 + (more & 0x7F) : 2;
        return element.Length > header ? element[header..] : [];
    }

    private static (string Kind, InspectionNode?[]? Parts) ReadPem(byte[] file, string name, FaultLog faults)
    {
        const string crl = "X509 CRL";
        var text = Encoding.ASCII.GetString(file);
        if (PemEncoding.TryFind(text, out var found) && text[found.Label] == crl)
        {
            return ("crl", CrlInspection.Read(Convert.FromBase64String(text[found.Base64Data]), name, faults));
        }

        return ("certificates", CertificateInspection.ReadChain(file, name, faults));
    }

    private static bool HasMember(ReadOnlySpan<byte> json, string[] members)
    {
        try
        {
            using var document = JsonDocument.Parse(json.ToArray(), new JsonDocumentOptions { MaxDepth = Limits.EvidenceJsonDepth });
            return members.Any(member => document.RootElement.TryGetProperty(member, out _));
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
