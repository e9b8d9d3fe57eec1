using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>What a processor's evidence is. The default is none.</summary>
public enum ProcessorEvidenceKind
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A TDX quote.</summary>
    TdxQuote,

    /// <summary>An SEV-SNP attestation report.</summary>
    SnpReport,

    /// <summary>Azure's vTPM evidence, in JSON, with the hardware report inside.</summary>
    AzureVtpm,
}

/// <summary>A processor's evidence as bytes, out of whatever it came in. Nothing of it is believed.</summary>
public sealed record ProcessorEvidence
{
    private const int TdxTeeType = 0x81;
    private const int LongestText = 4 * Limits.AzureEvidenceBytes;

    // Tools print hexadecimal in one run, or in lines.
    private static readonly SearchValues<byte> s_hexDigits = SearchValues.Create("0123456789abcdefABCDEF \t\r\n"u8);

    /// <summary>Where it came from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>What it is.</summary>
    public required ProcessorEvidenceKind Kind { get; init; }

    /// <summary>The quote or report, binary; Azure's evidence as its JSON.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The boot log that came in the same file; null where none did.</summary>
    public ReadOnlyMemory<byte>? EventLog { get; init; }

    /// <summary>
    /// Tells a file apart by its content: a TDX quote or an SNP report, binary, hexadecimal or base64; Azure's vTPM evidence in JSON; or what
    /// dstack's agent answers, <c>{"quote":hex,"event_log":JSON as text}</c>. What is inside is not looked into beyond its first bytes.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="evidence">What it holds.</param>
    /// <param name="fault">Why it is none of them.</param>
    public static bool TryParse(ReadOnlySpan<byte> file, string name, [NotNullWhen(true)] out ProcessorEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        fault = file.IsEmpty ? new ParseFault("CPU evidence", 0, "the file is empty")
            : file.Length > LongestText ? new ParseFault("CPU evidence", 0, $"larger than {LongestText} bytes")
            : null;
        if (fault is not null)
        {
            return false;
        }

        var text = file.Trim(" \t\r\n"u8);
        if (text is [(byte)'{', ..])
        {
            return TryReadJson(text, name, out evidence, out fault);
        }

        byte[]? bytes = file.ToArray();
        var kind = KindOf(bytes);
        if (kind is ProcessorEvidenceKind.None && TryDecode(text, out var decoded))
        {
            (bytes, kind) = (decoded, KindOf(decoded));
        }

        return TryMake(bytes, kind, null, name, out evidence, out fault);
    }

    private static bool TryDecode(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        var isHex = !text.IsEmpty && !text.ContainsAnyExcept(s_hexDigits);
        return (isHex ? Hex.TryDecode(string.Concat(Encoding.ASCII.GetString(text).Split()), out bytes) : !text.IsEmpty && StrictBase64.TryDecode(text, out bytes)) && bytes is not null;
    }

    private static bool TryMake(
        byte[] bytes, ProcessorEvidenceKind kind, ReadOnlyMemory<byte>? log, string name, [NotNullWhen(true)] out ProcessorEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = kind is ProcessorEvidenceKind.None ? null : new ProcessorEvidence { Source = name, Kind = kind, Bytes = bytes, EventLog = log };
        fault = evidence is null ? WhyNone(bytes) : null;
        return evidence is not null;
    }

    private static ParseFault WhyNone(ReadOnlySpan<byte> bytes) => new("CPU evidence", 0,
        bytes is [3, 0, ..] && bytes.Length > 436 ? "an SGX quote (version 3): TDX quotes have version 4 or 5"
        : bytes.Length == 1024 && bytes[0] == TdxTeeType ? "a TDREPORT, which only its own machine can check: a TDX quote is made from it"
        : "neither a TDX quote (version 4 or 5), nor an SNP report (1,184 bytes), binary, hexadecimal or base64, nor Azure's vTPM evidence in JSON");

    /// <summary>
    /// By the first bytes. TDX: version 4 or 5, key type, TEE type 0x81. SNP: exactly 1,184 bytes, whose first is a version below 16.
    /// </summary>
    private static ProcessorEvidenceKind KindOf(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= 8 && bytes[0] is 4 or 5 && bytes[1] == 0 && BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) == TdxTeeType ? ProcessorEvidenceKind.TdxQuote
        : bytes.Length == SnpReport.Size && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is > 0 and < 16 ? ProcessorEvidenceKind.SnpReport
        : ProcessorEvidenceKind.None;

    private static bool TryReadJson(ReadOnlySpan<byte> json, string name, [NotNullWhen(true)] out ProcessorEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("CPU evidence", 0, "empty");
            return false;
        }

        var root = document.RootElement;
        if (root.TryGetProperty("hcl_report", out _))
        {
            return TryMake(json.ToArray(), ProcessorEvidenceKind.AzureVtpm, null, name, out evidence, out fault);
        }

        byte[]? quote = null;
        if (!Hex.TryDecode(StrictJson.Text(root, "quote") ?? "", out quote) || quote.Length == 0)
        {
            fault = new ParseFault("CPU evidence", 0, "JSON with neither \"hcl_report\" (Azure) nor \"quote\" in hexadecimal (dstack)");
            return false;
        }

        // A log in another form would go unjudged in silence.
        if (root.TryGetProperty("event_log", out var stated) && stated.ValueKind is not (JsonValueKind.String or JsonValueKind.Null))
        {
            fault = new ParseFault("event_log", 0, "the log's JSON as text is expected");
            return false;
        }

        var log = StrictJson.Text(root, "event_log") is { Length: > 0 } text ? Encoding.UTF8.GetBytes(text) : null;
        return TryMake(quote, KindOf(quote), log is null ? (ReadOnlyMemory<byte>?)null : log, name, out evidence, out fault);
    }
}
