using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Reference.Manifest;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>What a file about processors, boots or reference values is.</summary>
internal enum CpuFileKind
{
    /// <summary>None of them.</summary>
    None,

    /// <summary>A TDX quote.</summary>
    TdxQuote,

    /// <summary>An SEV-SNP report.</summary>
    SnpReport,

    /// <summary>Azure's HCL report.</summary>
    HclReport,

    /// <summary>Azure vTPM evidence, JSON.</summary>
    AzureVtpm,

    /// <summary>A TPM's quote, TPMS_ATTEST.</summary>
    TpmQuote,

    /// <summary>An event log: CCEL, TCG or JSON.</summary>
    EventLog,

    /// <summary>TDX collateral, JSON.</summary>
    TdxCollateral,

    /// <summary>Reference values, plain JSON.</summary>
    ReferenceManifest,

    /// <summary>Reference values, signed.</summary>
    SignedReferenceManifest,
}

/// <summary>Tells such a file by its content. Names and endings of files say nothing.</summary>
internal static class CpuFile
{
    private const int SpecIdOffset = 32;

    private static readonly SearchValues<byte> s_digits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    /// <summary>The kind; for text the bytes that it stands for; and the log that came in the same file, null where none did.</summary>
    public static (CpuFileKind Kind, byte[] Content, byte[]? Log) Read(byte[] file)
    {
        if (TryReadEvidence(file, out var evidence))
        {
            var kind = evidence.Kind switch { ProcessorEvidenceKind.TdxQuote => CpuFileKind.TdxQuote, ProcessorEvidenceKind.SnpReport => CpuFileKind.SnpReport, _ => CpuFileKind.AzureVtpm };
            return (kind, evidence.Bytes.ToArray(), evidence.EventLog?.ToArray());
        }

        var (other, content) = ReadOther(file);
        return (other, content, null);
    }

    // Alone, or in a bundle beside everything else that a machine shows.
    private static bool TryReadEvidence(byte[] file, [NotNullWhen(true)] out ProcessorEvidence? evidence)
    {
        if (!ProcessorEvidence.TryParse(file, "", out evidence, out _) && MachineEvidence.TryParse(file, "", out var machine, out _))
        {
            evidence = machine.Cpu;
        }

        return evidence is not null;
    }

    private static (CpuFileKind Kind, byte[] Content) ReadOther(byte[] file)
    {
        var text = file.AsSpan().Trim(" \t\r\n"u8);
        return text switch
        {
            [(byte)'{', ..] or [(byte)'[', ..] => (KindOfJson(file), file),
            _ when text.StartsWith("eyJ"u8) => (IsManifest(text) ? CpuFileKind.SignedReferenceManifest : CpuFileKind.None, file),
            _ when Decode(text) is { } bytes && KindOfBytes(bytes) is not CpuFileKind.None and var kind => (kind, bytes),
            _ => (KindOfBytes(file), file),
        };
    }

    private static CpuFileKind KindOfBytes(ReadOnlySpan<byte> bytes) => bytes switch
    {
        _ when bytes.StartsWith("HCLA"u8) => CpuFileKind.HclReport,
        [0xFF, (byte)'T', (byte)'C', (byte)'G', ..] => CpuFileKind.TpmQuote,
        _ when bytes.Length > SpecIdOffset && bytes[SpecIdOffset..].StartsWith("Spec ID Event"u8) => CpuFileKind.EventLog,
        // Without a header every record is PCR, type, SHA-1 digest and data: a small number, then a known kind of number.
        _ when bytes.Length > SpecIdOffset && bytes is [< Limits.Pcrs, 0, 0, 0, < 0x20, 0, 0, 0 or 0x80, ..] => CpuFileKind.EventLog,
        _ => CpuFileKind.None,
    };

    private static CpuFileKind KindOfJson(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = Limits.EvidenceJsonDepth });
            var root = document.RootElement;
            var first = root.ValueKind is JsonValueKind.Array && root.GetArrayLength() > 0 ? root[0] : default;
            return first.ValueKind is JsonValueKind.Object ? first.TryGetProperty("imr", out _) || first.TryGetProperty("pcr", out _) ? CpuFileKind.EventLog : CpuFileKind.None
                : root.ValueKind is not JsonValueKind.Object ? CpuFileKind.None
                // Not as strict JSON has it, or it would have been told above: what is wrong its reader says.
                : root.TryGetProperty("hcl_report", out _) ? CpuFileKind.AzureVtpm
                : root.TryGetProperty("tcb_info", out _) ? CpuFileKind.TdxCollateral
                : root.TryGetProperty("type", out var type) && type.ValueKind is JsonValueKind.String && type.ValueEquals(ReferenceManifest.TypeName) ? CpuFileKind.ReferenceManifest
                : CpuFileKind.None;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The latter for strings that are no text.
            return CpuFileKind.None;
        }
    }

    // By the type in the header: a token begins with the same letters.
    private static bool IsManifest(ReadOnlySpan<byte> text)
    {
        var header = text[..Math.Max(text.IndexOf((byte)'.'), 0)];
        return StrictBase64.TryDecodeUrl(header, out var json) && json.AsSpan().IndexOf(Encoding.ASCII.GetBytes($"\"{ReferenceManifest.TypeName}\"")) >= 0;
    }

    // Hexadecimal as tools print it: one run, or in lines.
    private static byte[]? Decode(ReadOnlySpan<byte> text)
    {
        if (text.Length < 16 || text[..16].ContainsAnyExcept(s_digits))
        {
            return null;
        }

        var digits = Encoding.Latin1.GetString(text).ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal);
        var bytes = new byte[digits.Length / 2];
        return digits.Length % 2 == 0 && Convert.FromHexString(digits, bytes, out _, out _) is OperationStatus.Done ? bytes : null;
    }
}
