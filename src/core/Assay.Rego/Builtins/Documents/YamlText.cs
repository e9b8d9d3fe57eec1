using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Documents;

/// <summary>Writes a value as block YAML with sorted keys, in the layout of Go's writer: list items stand under their key without more indent.</summary>
internal static class YamlText
{
    /// <param name="value">The value.</param>
    /// <param name="grow">Told the length of the text before it grows; may throw to refuse.</param>
    public static string Write(RegoValue value, Action<long> grow)
    {
        var text = new StringBuilder();
        WriteNode(text, value, 0, grow);
        if (text.Length == 0 || text[^1] != '\n')
        {
            text.Append('\n');
        }

        return text.ToString();
    }

    private static void WriteNode(StringBuilder text, RegoValue value, int indent, Action<long> grow)
    {
        grow(text.Length + 2L + indent + (value is RegoString characters ? 2L * characters.Value.Length : 16L));
        switch (value)
        {
            case RegoArray { Count: > 0 } array:
                WriteItems(text, array, indent, grow);
                break;
            case RegoSet { Count: > 0 } set:
                WriteItems(text, set, indent, grow);
                break;
            case RegoObject { Count: > 0 } members:
                WriteMembers(text, members, indent, grow);
                break;
            case RegoArray or RegoSet:
                text.Append("[]\n");
                break;
            case RegoObject:
                text.Append("{}\n");
                break;
            case RegoString words:
                WriteText(text, words.Value, indent);
                break;
            default:
                text.Append(value.ToJson()).Append('\n');
                break;
        }
    }

    private static void WriteItems(StringBuilder text, IEnumerable<RegoValue> items, int indent, Action<long> grow)
    {
        var first = true;
        foreach (var item in items)
        {
            Indent(text, first ? 0 : indent).Append("- ");
            WriteNode(text, item, indent + 2, grow);
            first = false;
        }
    }

    private static void WriteMembers(StringBuilder text, RegoObject members, int indent, Action<long> grow)
    {
        var first = true;
        foreach (var (name, value) in members.Select(pair => (RegoJson.KeyText(pair.Key), pair.Value)).OrderBy(pair => pair.Item1, Comparer<string>.Create(RegoString.Compare)))
        {
            grow(text.Length + indent + (2L * name.Length) + 8);
            Indent(text, first ? 0 : indent).Append(Scalar(name)).Append(':');
            first = false;
            switch (value)
            {
                case RegoArray { Count: > 0 } or RegoSet { Count: > 0 }:
                    Indent(text.Append('\n'), indent);
                    WriteNode(text, value, indent, grow);
                    break;
                case RegoObject { Count: > 0 }:
                    Indent(text.Append('\n'), indent + 2);
                    WriteNode(text, value, indent + 2, grow);
                    break;
                default:
                    text.Append(' ');
                    WriteNode(text, value, indent + 2, grow);
                    break;
            }
        }
    }

    private static StringBuilder Indent(StringBuilder text, int count) => text.Append(' ', count);

    private static void WriteText(StringBuilder text, string value, int indent)
    {
        var lines = value.TrimEnd('\n').Split('\n');
        var trailing = value.Length - value.TrimEnd('\n').Length;
        var block = value.Contains('\n', StringComparison.Ordinal) && value.TrimEnd('\n').Length > 0 && lines[0].Length > 0 && lines[0][0] != ' '
            && !value.Any(c => char.IsControl(c) && c != '\n') && !value.Any(char.IsSurrogate) && trailing <= 1;
        if (!block)
        {
            text.Append(Scalar(value)).Append('\n');
            return;
        }

        text.Append(trailing == 1 ? "|\n" : "|-\n");
        foreach (var line in lines)
        {
            (line.Length == 0 ? text : Indent(text, Math.Max(indent, 2)).Append(line)).Append('\n');
        }
    }

    private static string Scalar(string value)
    {
        if (value.Any(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\uFEFF'))
        {
            var quoted = new StringBuilder();
            RegoJson.Quote(quoted, value);
            return quoted.ToString();
        }

        if (value.Length == 0 || YamlReader.Resolve(value) is not null || LooksLikeTime(value))
        {
            return value.Contains('"', StringComparison.Ordinal) || value.Contains('\\', StringComparison.Ordinal) ? $"'{value.Replace("'", "''", StringComparison.Ordinal)}'" : $"\"{value}\"";
        }

        return IsPlain(value) ? value : $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
    }

    private static bool LooksLikeTime(string value) =>
        value.Length >= 8 && char.IsAsciiDigit(value[0]) && value.AsSpan(0, Math.Min(value.Length, 5)).Contains('-');

    private static bool IsPlain(string value)
    {
        const string Indicators = "-?:,[]{}#&*!|>'\"%@`=<~";
        var startsPlain = !Indicators.Contains(value[0], StringComparison.Ordinal) || (value[0] is '-' or '?' or ':' && value.Length > 1 && value[1] != ' ');
        return startsPlain && value[0] != ' ' && value[^1] is not (' ' or ':') && value is not ("---" or "...")
            && !value.Contains(": ", StringComparison.Ordinal) && !value.Contains(" #", StringComparison.Ordinal);
    }
}
