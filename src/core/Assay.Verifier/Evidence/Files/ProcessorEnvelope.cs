using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// Reads the JSON in which a processor's evidence travels: Azure's, dstack's, and that of Confidential Containers' attesters (guest-components,
/// attester/src/tdx and snp), alone or as <c>{"platform","evidence"}</c>. A log or a certificate that travels along is read, or a fault: nothing of it goes
/// unjudged in silence.
/// </summary>
/// <param name="name">Of the file, for messages.</param>
internal sealed class ProcessorEnvelope(string name)
{
    private const int MostCertificates = 16;

    // Lines of text, or a TCG log, as the agent's version has it; which hash it extended by is in neither.
    private const string AgentLog = "aa_eventlog";

    public ParseFault? Fault { get; private set; }

    /// <summary>Whether it is JSON of these.</summary>
    public static bool IsKnown(JsonElement root) => root.ValueKind is JsonValueKind.Object && !FileContent.IsTpmEvidence(root) && !FileContent.IsDstackAttestation(root)
        && (Has(root, "hcl_report") || Has(root, "quote") || Has(root, "attestation_report") || (Has(root, "platform") && Has(root, "evidence")));

    public ProcessorEvidence? Read(JsonElement root, ReadOnlySpan<byte> json)
    {
        if (Has(root, "platform") && Has(root, "evidence"))
        {
            return root.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => member is not ("platform" or "evidence")) is { } other
                ? Refuse(other, "unknown member beside \"platform\" and \"evidence\"") : ReadPlatform(root);
        }

        string[] forms = [.. s_forms.Where(member => Has(root, member))];
        string[] strangers = [.. (Has(root, "quote") ? s_ofReports : Has(root, "attestation_report") ? s_ofQuotes : ImmutableArray<string>.Empty).Where(member => Present(root, member))];
        if (forms.Length > 1 || strangers.Length > 0)
        {
            return Refuse(forms.Concat(strangers).Last(), $"\"{forms[0]}\" is beside it, which does not belong to it: one form of evidence is expected");
        }

        return Has(root, "hcl_report") ? new ProcessorEvidence { Source = name, Kind = ProcessorEvidenceKind.AzureVtpm, Bytes = json.ToArray() }
            : Has(root, "quote") ? ReadQuote(root)
            : ReadReport(root);
    }

    private static readonly ImmutableArray<string> s_forms =
        ["hcl_report", "quote", "attestation_report", "tee-evidence", "primary_evidence", "intel_quote", "nvidia_payload", "gpus", "switches", "evidences", "evidence_list", "device_evidence_list", "bundles"];

    private static readonly ImmutableArray<string> s_ofReports = ["cert_chain"];
    private static readonly ImmutableArray<string> s_ofQuotes = ["event_log", "cc_eventlog"];

    private ProcessorEvidence? ReadPlatform(JsonElement root)
    {
        var inner = root.GetProperty("evidence");
        if (!IsKnown(inner) || Has(inner, "platform"))
        {
            return Refuse("evidence", "a quote or report in JSON is expected: {\"quote\"}, {\"attestation_report\"} or {\"hcl_report\"}");
        }

        var expected = StrictJson.Text(root, "platform")?.ToLowerInvariant() switch
        {
            "tdx" => ProcessorEvidenceKind.TdxQuote,
            "snp" or "sev-snp" or "sevsnp" => ProcessorEvidenceKind.SnpReport,
            "az-tdx" or "az-snp" or "aztdxvtpm" or "azsnpvtpm" or "az-tdx-vtpm" or "az-snp-vtpm" => ProcessorEvidenceKind.AzureVtpm,
            _ => ProcessorEvidenceKind.None,
        };
        var read = Read(inner, Encoding.UTF8.GetBytes(inner.GetRawText()));
        return read is null ? null
            : expected is ProcessorEvidenceKind.None ? Refuse("platform", "\"tdx\", \"snp\", \"az-tdx\" or \"az-snp\" is expected")
            : expected != read.Kind ? Refuse("platform", $"the evidence is a {read.Kind}, \"platform\" says otherwise")
            : read;
    }

    private ProcessorEvidence? ReadQuote(JsonElement root)
    {
        if (StrictJson.Text(root, "quote") is not { } text)
        {
            return Refuse("quote", "a quote as text is expected, in hexadecimal or base64");
        }

        var quote = ProcessorEvidence.OfText(text, name, "quote", out var fault);
        if (quote is null)
        {
            Fault = fault;
            return null;
        }

        var log = ReadLog(root, "event_log", isText: true);
        var firmware = ReadLog(root, "cc_eventlog", isText: false);
        return log is not null && firmware is not null ? Refuse("cc_eventlog", "\"event_log\" is beside it: one log is expected")
            : Fault is null ? quote with { EventLog = log ?? firmware, Unread = Present(root, AgentLog) ? [AgentLog] : [] }
            : null;
    }

    // dstack's log is JSON, as text or as it is; that of Confidential Containers the CCEL area in base64.
    private ReadOnlyMemory<byte>? ReadLog(JsonElement root, string member, bool isText)
    {
        if (!Present(root, member))
        {
            return null;
        }

        var value = root.GetProperty(member);
        byte[]? bytes = null;
        var read = isText
            ? value.ValueKind is JsonValueKind.Array || value.ValueKind is JsonValueKind.String
            : value.ValueKind is JsonValueKind.String && FileText.TryDecode(value.GetString(), out bytes);
        if (!read)
        {
            Refuse(member, isText ? "the log's JSON is expected, as text or as an array" : "the log in base64 is expected");
            return null;
        }

        return bytes ?? Encoding.UTF8.GetBytes(value.ValueKind is JsonValueKind.Array ? value.GetRawText() : value.GetString()!);
    }

    private ProcessorEvidence? ReadReport(JsonElement root)
    {
        var report = root.GetProperty("attestation_report");
        if (report.ValueKind is JsonValueKind.Object)
        {
            return Refuse("attestation_report", "the report's fields one by one, as the sev crate writes them: its signed bytes are gone. Send the 1,184 bytes as base64 or hexadecimal");
        }

        var (evidence, fault) = ReadBytes(report) is { } text ? (ProcessorEvidence.OfText(text, name, "attestation_report", out var inner), inner) : (null, new ParseFault("attestation_report", 0, "base64, hexadecimal or an array of bytes is expected"));
        Fault = fault;
        var certificates = evidence is null ? default : ReadCertificates(root);
        return Fault is null ? evidence! with { Certificates = certificates } : null;
    }

    private ImmutableArray<ReadOnlyMemory<byte>> ReadCertificates(JsonElement root)
    {
        if (!Present(root, "cert_chain"))
        {
            return [];
        }

        var list = root.GetProperty("cert_chain");
        if (list.ValueKind is not JsonValueKind.Array || list.GetArrayLength() > MostCertificates)
        {
            Refuse("cert_chain", $"an array of at most {MostCertificates} certificates is expected");
            return [];
        }

        var read = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        foreach (var item in list.EnumerateArray())
        {
            var data = item.ValueKind is JsonValueKind.Object && item.TryGetProperty("data", out var inner) ? inner : item;
            if (ReadBytes(data) is not { } text || !TryReadCertificates(text, read))
            {
                Refuse("cert_chain", "each element is expected as {\"cert_type\", \"data\"} with DER or PEM in base64, or as an array of bytes");
                return [];
            }
        }

        return read.ToImmutable();
    }

    private static bool TryReadCertificates(string text, ImmutableArray<ReadOnlyMemory<byte>>.Builder read)
    {
        var bytes = text.StartsWith("-----BEGIN", StringComparison.Ordinal) ? Encoding.ASCII.GetBytes(text) : FileText.TryDecode(text, out var decoded) ? decoded : [];
        if (bytes.AsSpan().StartsWith("-----BEGIN"u8))
        {
            var isPem = Pem.TryDecode(bytes, out var blocks, out _);
            read.AddRange(blocks);
            return isPem;
        }

        read.Add(bytes);
        return bytes is [DerTag.Sequence, ..] && bytes.Length <= Limits.CertificateBytes;
    }

    // serde writes bytes as an array of numbers where nobody told it otherwise.
    private static string? ReadBytes(JsonElement value)
    {
        if (value.ValueKind is JsonValueKind.String)
        {
            return value.GetString();
        }

        if (value.ValueKind is not JsonValueKind.Array || value.GetArrayLength() is 0 or > Limits.CertificateBytes)
        {
            return null;
        }

        var bytes = new byte[value.GetArrayLength()];
        var index = 0;
        foreach (var number in value.EnumerateArray())
        {
            if (number.ValueKind is not JsonValueKind.Number || !number.TryGetByte(out bytes[index++]))
            {
                return null;
            }
        }

        return Convert.ToHexStringLower(bytes);
    }

    private static bool Has(JsonElement element, string member) => element.ValueKind is JsonValueKind.Object && element.TryGetProperty(member, out _);

    private static bool Present(JsonElement element, string member) =>
        element.TryGetProperty(member, out var value) && value.ValueKind switch
        {
            JsonValueKind.Null => false,
            // A log of no event explains nothing, and dstack's agent sends one where it has none.
            JsonValueKind.String => value.GetString()!.Trim() is not ("" or "[]"),
            JsonValueKind.Array => value.GetArrayLength() > 0,
            _ => true,
        };

    private ProcessorEvidence? Refuse(string field, string problem)
    {
        Fault ??= new ParseFault(field, 0, problem);
        return null;
    }
}
