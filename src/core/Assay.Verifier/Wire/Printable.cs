using System.Globalization;
using System.Text;

namespace Assay.Wire;

/// <summary>
/// Text from a file of unknown origin, made harmless to a terminal: control characters, which move the cursor or recolour, and format
/// characters, which reverse the direction of what follows or show nothing, are written as \u{…}. The one list of such characters.
/// </summary>
public static class Printable
{
    /// <summary>The text on one line, fit to print: names, reasons and messages repeat what strangers wrote.</summary>
    public static string Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
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

    /// <summary>Whether a character acts on what shows it, shows nothing, or shows something else on every machine.</summary>
    internal static bool IsHarmful(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
