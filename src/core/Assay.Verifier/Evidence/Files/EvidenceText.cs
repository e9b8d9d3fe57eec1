using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>A report alone in a file: binary, or text as <see cref="FileText"/> reads it, told apart by content.</summary>
public static class EvidenceText
{
    /// <summary>The report's bytes. Binary begins with 11 E0, which is no text.</summary>
    public static bool TryReadReport(ReadOnlySpan<byte> file, [NotNullWhen(true)] out byte[]? report, [NotNullWhen(false)] out ParseFault? fault)
    {
        report = null;
        fault = null;
        if (file.IsEmpty || file.Length > (2 * Limits.ReportBytes) + 2)
        {
            fault = new ParseFault("report", 0, file.IsEmpty ? "the file is empty" : $"larger than {Limits.ReportBytes} bytes");
            return false;
        }

        if (file is [0x11, 0xE0, ..])
        {
            report = file.ToArray();
            return true;
        }

        var decoded = FileText.TryDecode(file, out report);
        fault = decoded ? null : new ParseFault("report", 0, "neither binary SPDM (11 E0 …), nor hexadecimal, nor base64");
        return report is not null;
    }
}
