using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Assay.Wire;

/// <summary>
/// The JSON Canonicalization Scheme (RFC 8785): members sorted by UTF-16 code units, no white space, strings and numbers as ECMAScript
/// writes them. What is hashed is written by this code, and what was hashed is checked by it.
/// </summary>
internal static class CanonicalJson
{
    // Integers that every reader of IEEE doubles holds exactly (RFC 7493 §2.2).
    private const double LargestExactInteger = 9007199254740991;

    private static readonly SearchValues<char> s_escaped = SearchValues.Create([.. Enumerable.Range(0, ' ').Select(code => (char)code), '"', '\\']);

    /// <summary>The canonical form of a document, in UTF-8.</summary>
    public static byte[] Write(JsonElement element)
    {
        var text = new StringBuilder();
        Write(element, text);
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Reads a document that must already be in canonical form, to the byte: one value has one spelling.</summary>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out JsonDocument? document, [NotNullWhen(false)] out ParseFault? fault)
    {
        document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("JSON", 0, "empty");
            return false;
        }

        var canonical = Write(document.RootElement);
        if (json.SequenceEqual(canonical))
        {
            return true;
        }

        document.Dispose();
        document = null;
        fault = new ParseFault("JSON", json.CommonPrefixLength(canonical), "not in canonical form (RFC 8785)");
        return false;
    }

    /// <summary>A string with its quotation marks, escaped as RFC 8785 §3.2.2.2 says.</summary>
    public static void WriteString(string value, StringBuilder text)
    {
        text.Append('"');
        // A machine's evidence is one text of a hundred thousand characters: what needs no escape is copied whole.
        var rest = value.AsSpan();
        for (var at = rest.IndexOfAny(s_escaped); at >= 0; at = rest.IndexOfAny(s_escaped))
        {
            text.Append(rest[..at]);
            WriteEscaped(rest[at], text);
            rest = rest[(at + 1)..];
        }

        text.Append(rest).Append('"');
    }

    private static StringBuilder WriteEscaped(char character, StringBuilder text) => character switch
    {
        '"' => text.Append("\\\""),
        '\\' => text.Append("\\\\"),
        '\b' => text.Append("\\b"),
        '\f' => text.Append("\\f"),
        '\n' => text.Append("\\n"),
        '\r' => text.Append("\\r"),
        '\t' => text.Append("\\t"),
        _ => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
    };

    private static void Write(JsonElement element, StringBuilder text)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(element, text);
                break;
            case JsonValueKind.Array:
                WriteArray(element, text);
                break;
            case JsonValueKind.String:
                WriteString(element.GetString()!, text);
                break;
            case JsonValueKind.Number:
                text.Append(Number(element));
                break;
            default:
                text.Append(element.GetRawText());
                break;
        }
    }

    private static void WriteObject(JsonElement element, StringBuilder text)
    {
        var members = element.EnumerateObject().Select(member => (member.Name, member.Value)).ToArray();
        Array.Sort(members, (left, right) => string.CompareOrdinal(left.Name, right.Name));
        text.Append('{');
        for (var index = 0; index < members.Length; index++)
        {
            text.Append(index == 0 ? "" : ",");
            WriteString(members[index].Name, text);
            text.Append(':');
            Write(members[index].Value, text);
        }

        text.Append('}');
    }

    private static void WriteArray(JsonElement element, StringBuilder text)
    {
        var first = true;
        text.Append('[');
        foreach (var item in element.EnumerateArray())
        {
            text.Append(first ? "" : ",");
            Write(item, text);
            first = false;
        }

        text.Append(']');
    }

    // ECMA-262 Number::toString: the shortest digits that read back, in scientific notation below 1e-6 and from 1e21 on.
    private static string Number(JsonElement element)
    {
        if (element.TryGetInt64(out var integer) && Math.Abs((double)integer) <= LargestExactInteger)
        {
            return integer.ToString(CultureInfo.InvariantCulture);
        }

        // A number beyond the range of doubles has no canonical form; its own text keeps it from being equal to one.
        return element.TryGetDouble(out var number) && double.IsFinite(number) ? Text(number) : element.GetRawText() + " ";
    }

    internal static string Text(double number)
    {
        if (number == 0)
        {
            return "0";
        }

        var (digits, exponent) = Decompose(Math.Abs(number).ToString("R", CultureInfo.InvariantCulture));
        var sign = number < 0 ? "-" : "";
        var count = digits.Length;
        return sign + (exponent switch
        {
            >= 0 and < 21 when count <= exponent + 1 => digits + new string('0', exponent + 1 - count),
            >= 0 and < 21 => digits[..(exponent + 1)] + "." + digits[(exponent + 1)..],
            < 0 and >= -6 => "0." + new string('0', -exponent - 1) + digits,
            _ => digits[..1] + (count > 1 ? "." + digits[1..] : "") + "e" + (exponent < 0 ? "-" : "+") + Math.Abs(exponent).ToString(CultureInfo.InvariantCulture),
        });
    }

    // Significant digits without zeros at either end, and the decimal exponent of the first of them.
    private static (string Digits, int Exponent) Decompose(string shortest)
    {
        var mark = shortest.IndexOf('E', StringComparison.Ordinal);
        var written = mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = mark < 0 ? shortest : shortest[..mark];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var whole = point < 0 ? mantissa : mantissa[..point];
        var all = point < 0 ? mantissa : whole + mantissa[(point + 1)..];
        var leading = all.Length - all.TrimStart('0').Length;
        return (all.Trim('0'), written + whole.Length - 1 - leading);
    }
}
