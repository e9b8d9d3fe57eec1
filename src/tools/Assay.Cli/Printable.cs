using System.Globalization;
using System.Text;

namespace Assay.Cli;

/// <summary>
/// Text from a file of unknown origin, made harmless to a terminal: control characters, which move the cursor or recolour, and format
/// characters, which reverse the direction of what follows, are written as \u{…}.
/// </summary>
internal static class Printable
{
    public static string Of(string text)
    {
        var harmless = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsHarmful(rune))
            {
                harmless.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
            }
            else
            {
                harmless.Append(rune);
            }
        }

        return harmless.ToString();
    }

    private static bool IsHarmful(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
