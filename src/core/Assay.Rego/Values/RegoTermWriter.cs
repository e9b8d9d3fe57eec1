using System.Globalization;
using System.Text;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>Writes values as Rego terms, the way OPA prints them: <c>[1, "a"]</c>, <c>{"k": v}</c>, <c>{1, 2}</c>, <c>set()</c>.</summary>
internal static class RegoTermWriter
{
    public static void Write(StringBuilder text, RegoValue value)
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
                Quote(text, characters.Value);
                break;
            case RegoArray array:
                Sequence(text, '[', array.Items, ']');
                break;
            case RegoSet { Count: 0 }:
                text.Append("set()");
                break;
            case RegoSet set:
                Sequence(text, '{', set.Items, '}');
                break;
            case RegoObject members:
                Counted(members.Count);
                text.Append('{');
                for (var i = 0; i < members.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "");
                    Write(text, members.Keys[i]);
                    text.Append(": ");
                    Write(text, members.Values[i]);
                }

                text.Append('}');
                break;
        }
    }

    /// <summary>Go's strconv.Quote: printable characters stay, others become \n, \x1b, é and so on.</summary>
    public static void Quote(StringBuilder text, string value)
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
                case '\a':
                    text.Append("\\a");
                    break;
                case '\b':
                    text.Append("\\b");
                    break;
                case '\f':
                    text.Append("\\f");
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
                case '\v':
                    text.Append("\\v");
                    break;
                case < ' ' or '\x7f':
                    text.Append("\\x").Append(((int)c).ToString("x2", CultureInfo.InvariantCulture));
                    break;
                case < '\x7f':
                    text.Append(c);
                    break;
                default:
                    i += WriteWide(text, value, i) - 1;
                    break;
            }
        }

        text.Append('"');
    }

    private static int WriteWide(StringBuilder text, string value, int at)
    {
        if (!Rune.TryGetRuneAt(value, at, out var rune))
        {
            // A byte that is not UTF-8 (see RegoString).
            text.Append("\\x").Append((value[at] & 0xFF).ToString("x2", CultureInfo.InvariantCulture));
            return 1;
        }

        if (IsPrintable(rune))
        {
            text.Append(value, at, rune.Utf16SequenceLength);
        }
        else
        {
            text.Append(rune.Value > 0xFFFF ? "\\U" : "\\u").Append(rune.Value.ToString(rune.Value > 0xFFFF ? "x8" : "x4", CultureInfo.InvariantCulture));
        }

        return rune.Utf16SequenceLength;
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>Counts the elements about to be written.</summary>
    internal static void Counted(int elements)
    {
        Work.Tick(1 + elements / 4);
        Work.Charge(8L * elements);
    }

    private static void Sequence(StringBuilder text, char open, ReadOnlySpan<RegoValue> items, char close)
    {
        Counted(items.Length);
        text.Append(open);
        for (var i = 0; i < items.Length; i++)
        {
            text.Append(i > 0 ? ", " : "");
            Write(text, items[i]);
        }

        text.Append(close);
    }
}
