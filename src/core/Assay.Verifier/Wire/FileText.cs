using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Wire;

/// <summary>
/// Binary content written as text, in the forms in which the field hands it around. Each form that is more than one canonical spelling is a
/// named <see cref="Leniency"/>; every one of them decodes to the same bytes, and only those are judged.
/// </summary>
public static class FileText
{
    private static readonly SearchValues<byte> s_hexDigits = SearchValues.Create("0123456789abcdefABCDEF \t\r\n"u8);

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    internal static ReadOnlySpan<byte> WhiteSpace => " \t\r\n"u8;

    /// <summary>The file behind one UTF-8 byte order mark, as editors on Windows write it (<see cref="Leniency.ByteOrderMark"/>).</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> file) => file.StartsWith(ByteOrderMark) ? file[ByteOrderMark.Length..] : file;

    /// <summary>
    /// The bytes that a text stands for: hexadecimal, in one run or in lines, with or without <c>0x</c>; base64, in one line or broken into
    /// lines; base64url, with or without padding. White space around it is ignored. Text of hexadecimal digits alone is hexadecimal.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        text = WithoutMark(text).Trim(WhiteSpace);
        var hasPrefix = text is [(byte)'0', (byte)'x' or (byte)'X', ..];
        var digits = hasPrefix ? text[2..] : text;
        if (digits.IsEmpty)
        {
            return false;
        }

        if (!digits.ContainsAnyExcept(s_hexDigits))
        {
            return Hex.TryDecode(string.Concat(Encoding.ASCII.GetString(digits).Split()), out bytes);
        }

        if (hasPrefix)
        {
            return false;
        }

        var one = OneLine(text);
        return StrictBase64.TryDecode(one, out bytes) || TryDecodeUrl(one, out bytes);
    }

    internal static bool TryDecode(string? text, [NotNullWhen(true)] out byte[]? bytes) => TryDecode(Encoding.UTF8.GetBytes(text ?? ""), out bytes);

    // Ends of lines alone: any other white space inside stays, and is refused.
    private static ReadOnlySpan<byte> OneLine(ReadOnlySpan<byte> text)
    {
        if (text.IndexOfAny((byte)'\r', (byte)'\n') < 0)
        {
            return text;
        }

        var one = new byte[text.Length];
        var length = 0;
        foreach (var character in text)
        {
            if (character is not ((byte)'\r' or (byte)'\n'))
            {
                one[length++] = character;
            }
        }

        return one.AsSpan(0, length);
    }

    // RFC 4648 §5 leaves padding to the profile: exact padding is read, and none.
    private static bool TryDecodeUrl(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        var bare = text.Length % 4 == 0 ? text switch
        {
            [.. var rest, (byte)'=', (byte)'='] => rest,
            [.. var rest, (byte)'='] => rest,
            _ => text,
        } : text;
        return StrictBase64.TryDecodeUrl(bare, out bytes);
    }
}
