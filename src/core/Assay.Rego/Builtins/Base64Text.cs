using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Assay.Rego.Builtins;

/// <summary>
/// Base64 as Go's decoders read it: line ends inside are skipped, spare bits of the last group are ignored,
/// and the fault names the first character that is wrong.
/// </summary>
internal static class Base64Text
{
    private const string Standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    private const string Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private static readonly sbyte[] s_standard = Digits(Standard);
    private static readonly sbyte[] s_url = Digits(Url);

    public static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes);

    public static string EncodeUrl(ReadOnlySpan<byte> bytes, bool padded) =>
        (padded ? Convert.ToBase64String(bytes) : Convert.ToBase64String(bytes).TrimEnd('=')).Replace('+', '-').Replace('/', '_');

    /// <summary>Reads base64 with its padding.</summary>
    public static bool TryDecode(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault) =>
        TryRead(text, s_standard, padded: true, out bytes, out fault);

    /// <summary>Reads base64url, with padding or without.</summary>
    public static bool TryDecodeUrl(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault)
    {
        if (!text.EndsWith('=') && text.Length % 4 == 1)
        {
            (bytes, fault) = (null, $"illegal base64url string: {text}");
            return false;
        }

        return text.EndsWith('=') || text.Length % 4 == 0
            ? TryRead(text, s_url, padded: true, out bytes, out fault)
            : TryRead(text + (text.Length % 4 == 2 ? "==" : "="), s_url, padded: true, out bytes, out fault);
    }

    /// <summary>Reads base64url without padding.</summary>
    public static bool TryDecodeRawUrl(string text, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault) =>
        TryRead(text, s_url, padded: false, out bytes, out fault);

    private static sbyte[] Digits(string alphabet)
    {
        var digits = new sbyte[128];
        Array.Fill(digits, (sbyte)-1);
        for (var value = 0; value < alphabet.Length; value++)
        {
            digits[alphabet[value]] = (sbyte)value;
        }

        return digits;
    }

    private static bool TryRead(string text, sbyte[] digits, bool padded, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? fault)
    {
        var output = new List<byte>((text.Length * 3 / 4) + 3);
        var at = 0;
        var wrong = -1;
        while (wrong < 0 && ReadGroup(text, digits, padded, ref at, output, out wrong))
        {
        }

        (bytes, fault) = wrong < 0
            ? (output.ToArray(), (string?)null)
            : (null, $"illegal base64 data at input byte {ByteIndex(text, wrong).ToString(CultureInfo.InvariantCulture)}");
        return wrong < 0;
    }

    // Go counts bytes of UTF-8.
    private static int ByteIndex(string text, int index) => System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(0, Math.Min(index, text.Length)));

    /// <summary>Reads one group of four digits; false at the end. <paramref name="wrong"/> is where reading failed, or -1.</summary>
    private static bool ReadGroup(string text, sbyte[] digits, bool padded, ref int at, List<byte> output, out int wrong)
    {
        wrong = -1;
        var (value, count) = (0, 0);
        while (count < 4)
        {
            SkipLineEnds(text, ref at);
            if (at >= text.Length)
            {
                if (count == 1 || (count > 0 && padded))
                {
                    wrong = at - count;
                    return false;
                }

                break;
            }

            var c = text[at++];
            if (c < 128 && digits[c] >= 0)
            {
                value = (value << 6) + digits[c];
                count++;
                continue;
            }

            if (c != '=' || !padded || count < 2)
            {
                wrong = at - 1;
                return false;
            }

            wrong = ReadPadding(text, ref at, count);
            Emit(value, count, output);
            return false;
        }

        Emit(value, count, output);
        return count == 4;
    }

    private static int ReadPadding(string text, ref int at, int count)
    {
        if (count == 2)
        {
            SkipLineEnds(text, ref at);
            if (at >= text.Length)
            {
                return text.Length;
            }

            if (text[at] != '=')
            {
                return at - 1;
            }

            at++;
        }

        SkipLineEnds(text, ref at);
        return at < text.Length ? at : -1;
    }

    private static void SkipLineEnds(string text, ref int at)
    {
        while (at < text.Length && (text[at] is '\r' or '\n'))
        {
            at++;
        }
    }

    private static void Emit(int value, int count, List<byte> output)
    {
        value <<= 6 * (4 - count);
        if (count >= 2)
        {
            output.Add((byte)(value >> 16 & 0xFF));
        }

        if (count >= 3)
        {
            output.Add((byte)(value >> 8 & 0xFF));
        }

        if (count == 4)
        {
            output.Add((byte)(value & 0xFF));
        }
    }
}
