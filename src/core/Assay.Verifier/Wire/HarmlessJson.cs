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

        var buffer = new ArrayBufferWriter<byte>(json.Length + 64);
        while (!json.IsEmpty)
        {
            var run = json.IndexOfAnyExceptInRange((byte)0, (byte)0x7f);
            buffer.Write(json[..(run < 0 ? json.Length : run)]);
            json = run < 0 ? default : json[run..];
            if (!json.IsEmpty)
            {
                // Each sequence that is no UTF-8 becomes one U+FFFD, as Encoding.UTF8 does.
                _ = Rune.DecodeFromUtf8(json, out var rune, out var length);
                WriteRune(buffer, rune);
                json = json[length..];
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteRune(ArrayBufferWriter<byte> buffer, Rune rune)
    {
        if (!Printable.IsHarmful(rune))
        {
            buffer.Advance(rune.EncodeToUtf8(buffer.GetSpan(4)));
            return;
        }

        Span<char> units = stackalloc char[2];
        foreach (var unit in units[..rune.EncodeToUtf16(units)])
        {
            buffer.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}")));
        }
    }
}
