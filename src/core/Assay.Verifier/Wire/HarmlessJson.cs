using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Assay.Wire;

/// <summary>
/// JSON that people can read and terminals can show: strings are as they are, and only what JSON itself demands or what is in
/// <see cref="Printable"/>'s list is escaped; beyond U+FFFF the writer escapes everything.
/// </summary>
public static class HarmlessJson
{
    /// <summary>For a writer whose bytes go through <see cref="Of"/> before they are shown.</summary>
    public static JsonWriterOptions Options { get; } = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>UTF-8, indented.</summary>
    /// <param name="write">Writes one value.</param>
    public static byte[] Write(Action<Utf8JsonWriter> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            write(writer);
        }

        return Of(buffer.WrittenSpan);
    }

    /// <summary>The same JSON with harmful characters escaped: beyond ASCII there are only strings, so an escape is always in place.</summary>
    /// <param name="json">Of a writer with <see cref="Options"/>.</param>
    public static byte[] Of(ReadOnlySpan<byte> json)
    {
        if (Ascii.IsValid(json))
        {
            return json.ToArray();
        }

        var text = new StringBuilder(json.Length);
        foreach (var rune in Encoding.UTF8.GetString(json).EnumerateRunes())
        {
            if (rune.IsAscii || !Printable.IsHarmful(rune))
            {
                text.Append(rune);
                continue;
            }

            foreach (var unit in rune.ToString())
            {
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
