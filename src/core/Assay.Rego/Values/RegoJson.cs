using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>How much JSON a reader takes.</summary>
public sealed record JsonLimits
{
    /// <summary>64 MiB, 400 levels, five million values.</summary>
    public static readonly JsonLimits Default = new();

    /// <summary>The most bytes of text.</summary>
    public int Bytes { get; init; } = 64 << 20;

    /// <summary>How deep arrays and objects may nest; at most <see cref="RegoValue.MaxDepth"/>.</summary>
    public int Depth { get; init; } = 400;

    /// <summary>The most values, at every level together.</summary>
    public int Values { get; init; } = 5_000_000;
}

/// <summary>Reads JSON into values. Numbers keep their text; none goes through a double.</summary>
public static class RegoJson
{
    /// <summary>Reads one JSON document. Of repeated members the last wins, as in Go; trailing bytes are refused.</summary>
    public static bool TryRead(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out RegoValue? value, [NotNullWhen(false)] out string? problem, JsonLimits? limits = null)
    {
        limits ??= JsonLimits.Default;
        (value, problem) = (null, null);
        if (utf8.Length > limits.Bytes)
        {
            problem = string.Create(CultureInfo.InvariantCulture, $"the JSON is longer than {limits.Bytes} bytes");
            return false;
        }

        if (utf8.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = Math.Min(limits.Depth, RegoValue.MaxDepth - 1) });
        try
        {
            if (!reader.Read())
            {
                problem = "the JSON is empty";
                return false;
            }

            var state = new JsonReading(limits.Values);
            value = state.Value(ref reader);
            if (value is not null && reader.Read())
            {
                value = null;
                problem = "bytes follow the JSON value";
                return false;
            }

            problem = value is null ? state.Problem ?? "not JSON" : null;
            return value is not null;
        }
        catch (EvaluationHalt tooLarge) when (!Work.IsCounting)
        {
            value = null;
            problem = tooLarge.Message;
            return false;
        }
        catch (JsonException refused)
        {
            // The framework's reader has no way to refuse but this one; it ends here.
            value = null;
            problem = string.Create(CultureInfo.InvariantCulture, $"not JSON (line {refused.LineNumber + 1}, byte {refused.BytePositionInLine + 1} of it)");
            return false;
        }
    }

    /// <summary>Reads one JSON document from text, within the default limits.</summary>
    public static bool TryRead(string text, [NotNullWhen(true)] out RegoValue? value, [NotNullWhen(false)] out string? problem) =>
        TryRead(new RegoString(text).ToUtf8(), out value, out problem);

    /// <summary>The value of an element that was parsed already, within the default limits.</summary>
    public static bool TryRead(JsonElement element, [NotNullWhen(true)] out RegoValue? value, [NotNullWhen(false)] out string? problem) =>
        TryRead(JsonSerializer.SerializeToUtf8Bytes(element, ElementContext.Default.JsonElement), out value, out problem);

    /// <summary>Canonical JSON text. Keys that are not strings become their own JSON text.</summary>
    internal static string ToText(RegoValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var text = new StringBuilder();
        Write(text, value);
        return text.ToString();
    }

    internal static void Write(StringBuilder text, RegoValue value, bool escapeHtml = false)
    {
        switch (value)
        {
            case RegoNull:
                text.Append("null");
                break;
            case RegoBoolean boolean:
                text.Append(boolean.Value ? "true" : "false");
                break;
            case RegoNumber number:
                text.Append(number.ToText());
                break;
            case RegoString characters:
                Work.Charge(2L * characters.Value.Length);
                Quote(text, characters.Value, escapeHtml);
                break;
            case RegoArray array:
                Sequence(text, array.Items, escapeHtml);
                break;
            case RegoSet set:
                Sequence(text, set.Items, escapeHtml);
                break;
            case RegoObject members:
                WriteObject(text, members, escapeHtml);
                break;
        }
    }

    /// <summary>Quotes a string for JSON; <paramref name="escapeHtml"/> also escapes what Go's encoder does (&lt;, &gt;, &amp;).</summary>
    internal static void Quote(StringBuilder text, string value, bool escapeHtml = false)
    {
        text.Append('"');
        for (var i = 0; i < value.Length; i++)
        {
            var c = value[i];
            switch (c)
            {
                case '"':
                    text.Append("\\\"");
                    break;
                case '\\':
                    text.Append("\\\\");
                    break;
                case '\n':
                    text.Append("\\n");
                    break;
                case '\r':
                    text.Append("\\r");
                    break;
                case '\t':
                    text.Append("\\t");
                    break;
                case '\b':
                    text.Append("\\b");
                    break;
                case '\f':
                    text.Append("\\f");
                    break;
                case < ' ' or '\u2028' or '\u2029':
                    Escape(text, c);
                    break;
                case '<' or '>' or '&' when escapeHtml:
                    Escape(text, c);
                    break;
                default:
                    if (char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]))
                    {
                        text.Append(c).Append(value[++i]);
                    }
                    else
                    {
                        text.Append(char.IsSurrogate(c) ? '\uFFFD' : c);
                    }

                    break;
            }
        }

        text.Append('"');
    }

    /// <summary>The member name that a key becomes in JSON.</summary>
    internal static string KeyText(RegoValue key) => key is RegoString text ? text.Value : ToText(key);

    private static void Escape(StringBuilder text, char c) => text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));

    private static void Sequence(StringBuilder text, ReadOnlySpan<RegoValue> items, bool escapeHtml)
    {
        RegoTermWriter.Counted(items.Length);
        text.Append('[');
        for (var i = 0; i < items.Length; i++)
        {
            if (i > 0)
            {
                text.Append(',');
            }

            Write(text, items[i], escapeHtml);
        }

        text.Append(']');
    }

    private static void WriteObject(StringBuilder text, RegoObject members, bool escapeHtml)
    {
        RegoTermWriter.Counted(members.Count);

        // Keys of other kinds become strings, so that their order by text may differ from the order of values.
        var order = new int[members.Count];
        var plain = true;
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
            plain &= members.Keys[i] is RegoString;
        }

        var names = new string[members.Count];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = KeyText(members.Keys[i]);
        }

        if (!plain)
        {
            Array.Sort(order, (a, b) => RegoString.Compare(names[a], names[b]) is var by and not 0 ? by : a - b);
        }

        text.Append('{');
        for (var i = 0; i < order.Length; i++)
        {
            if (i > 0)
            {
                text.Append(',');
            }

            Quote(text, names[order[i]], escapeHtml);
            text.Append(':');
            Write(text, members.Values[order[i]], escapeHtml);
        }

        text.Append('}');
    }

    /// <summary>The text with U+FFFD for each lone surrogate.</summary>
    internal static string WellFormed(string text)
    {
        StringBuilder? mended = null;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                mended ??= new StringBuilder(text);
                mended[i] = '\uFFFD';
            }
        }

        return mended?.ToString() ?? text;
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(JsonElement))]
internal sealed partial class ElementContext : System.Text.Json.Serialization.JsonSerializerContext;
