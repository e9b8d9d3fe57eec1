using System.Globalization;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Formatting;

/// <summary>Quotes text as Go's strconv does.</summary>
internal static class GoQuote
{
    /// <summary>The text in double quotes; printable characters stay as they are.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder(text.Length + 2);
        RegoTermWriter.Quote(quoted, text);
        return quoted.ToString();
    }

    /// <summary>The text in double quotes, every character beyond ASCII escaped.</summary>
    public static string QuoteToAscii(string text)
    {
        var quoted = new StringBuilder();
        foreach (var rune in Quote(text).EnumerateRunes())
        {
            Append(quoted, rune.Value);
        }

        return quoted.ToString();
    }

    /// <summary>A code point in single quotes.</summary>
    public static string QuoteRune(long rune, bool ascii)
    {
        var text = Character(rune);
        var body = (ascii ? QuoteToAscii(text) : Quote(text))[1..^1];
        return body switch { "\\\"" => "'\"'", "'" => "'\\''", _ => $"'{body}'" };
    }

    /// <summary>The text of a code point, U+FFFD if it is not one.</summary>
    public static string Character(long rune) =>
        rune is >= 0 and <= 0x10FFFF and not (>= 0xD800 and <= 0xDFFF) ? char.ConvertFromUtf32((int)rune) : "\uFFFD";

    private static void Append(StringBuilder text, int rune)
    {
        if (rune < 0x80)
        {
            text.Append((char)rune);
        }
        else
        {
            text.Append(rune > 0xFFFF ? "\\U" : "\\u").Append(rune.ToString(rune > 0xFFFF ? "x8" : "x4", CultureInfo.InvariantCulture));
        }
    }
}
