using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>A report alone in a file: binary, hexadecimal or base64, told apart by content.</summary>
public static class EvidenceText
{
    private static readonly SearchValues<byte> s_hexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    /// <summary>
    /// The report's bytes. Binary begins with 11 E0, which is no text; text is hexadecimal when every character is a digit of it, else
    /// base64. White space around text is ignored.
    /// </summary>
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

        var text = file.Trim(" \t\r\n"u8);
        var isHex = !text.IsEmpty && !text.ContainsAnyExcept(s_hexDigits);
        var decoded = isHex ? Hex.TryDecode(Encoding.ASCII.GetString(text), out report) : !text.IsEmpty && StrictBase64.TryDecode(text, out report);
        fault = decoded ? null : new ParseFault("report", 0, "neither binary SPDM (11 E0 …), nor hexadecimal, nor base64");
        return decoded && report is not null;
    }
}
