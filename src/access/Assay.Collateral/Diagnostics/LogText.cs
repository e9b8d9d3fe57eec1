using System.Globalization;
using System.Text;

namespace Assay.Collateral.Diagnostics;

/// <summary>
/// Text of strangers in log lines: host names, paths, what a service said. A line break would forge a line of ours, a control character would
/// act on the terminal of a reader of the log.
/// </summary>
public static class LogText
{
    private const int MostCharacters = 200;

    /// <summary>The text in printable ASCII; quotation marks, backslashes and other characters as \u{…}, shortened.</summary>
    public static string Of(string? text)
    {
        var printable = new StringBuilder();
        foreach (var rune in (text ?? "").EnumerateRunes())
        {
            if (printable.Length >= MostCharacters)
            {
                return printable.Append("...").ToString();
            }

            if (rune.Value is >= ' ' and <= '~' and not ('"' or '\\'))
            {
                printable.Append((char)rune.Value);
            }
            else
            {
                printable.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
            }
        }

        return printable.ToString();
    }
}
