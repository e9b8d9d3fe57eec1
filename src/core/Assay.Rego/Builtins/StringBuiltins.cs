using System.Text;
using Assay.Rego.Builtins.Formatting;
using Assay.Rego.Builtins.Patterns;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Cutting, joining, trimming and formatting strings. Positions count code points.</summary>
internal static class StringBuiltins
{
    private const RegoTypes Sequences = RegoTypes.Array | RegoTypes.Set;

    public static readonly Builtin[] All =
    [
        new("concat", [RegoTypes.String, Sequences], RegoTypes.String, Concat),
        Mapped("lower", text => Cased(text, Rune.ToLowerInvariant)),
        Mapped("upper", text => Cased(text, Rune.ToUpperInvariant)),
        Mapped("trim_space", text => text.Trim(s_space)),
        Mapped("strings.reverse", Reverse),
        Pair("trim_prefix", (text, part) => text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text),
        Pair("trim_suffix", (text, part) => text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text),
        Pair("trim", (text, cutset) => TrimEnd(TrimStart(text, cutset), cutset)),
        Pair("trim_left", TrimStart),
        Pair("trim_right", TrimEnd),
        new("split", [RegoTypes.String, RegoTypes.String], RegoTypes.Array, Split),
        new("substring", [RegoTypes.String, RegoTypes.Number, RegoTypes.Number], RegoTypes.String, Substring),
        new("replace", [RegoTypes.String, RegoTypes.String, RegoTypes.String], RegoTypes.String, Replace),
        new("strings.replace_n", [RegoTypes.Object, RegoTypes.String], RegoTypes.String, ReplaceAll),
        new("sprintf", [RegoTypes.String, RegoTypes.Array], RegoTypes.String, Sprintf),
    ];

    // What Go calls white space (unicode.IsSpace).
    private static readonly char[] s_space =
    [
        '\t', '\n', '\v', '\f', '\r', ' ', '\u0085', '\u00A0', '\u1680', '\u2000', '\u2001', '\u2002', '\u2003', '\u2004', '\u2005',
        '\u2006', '\u2007', '\u2008', '\u2009', '\u200A', '\u2028', '\u2029', '\u202F', '\u205F', '\u3000',
    ];

    /// <summary>The code points of a text, each as its own string; a byte that is not UTF-8 counts one.</summary>
    public static List<string> CodePoints(string text)
    {
        var points = new List<string>(text.Length);
        for (var at = 0; at < text.Length;)
        {
            TextRunes.At(text, at, out var width);
            points.Add(text.Substring(at, width));
            at += width;
        }

        return points;
    }

    private static Builtin Mapped(string name, Func<string, string> map) =>
        new(name, [RegoTypes.String], RegoTypes.String, (context, arguments) =>
            context.TryString(arguments, 0, out var text) ? Operands.Text(context, map(text.Value)) : null);

    private static Builtin Pair(string name, Func<string, string, string> map) =>
        new(name, [RegoTypes.String, RegoTypes.String], RegoTypes.String, (context, arguments) =>
            context.TryString(arguments, 0, out var text) && context.TryString(arguments, 1, out var other)
                ? Operands.Text(context, map(text.Value, other.Value))
                : null);

    private static string Cased(string text, Func<Rune, Rune> map)
    {
        var cased = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length;)
        {
            if (Rune.TryGetRuneAt(text, at, out var rune))
            {
                cased.Append(map(rune).ToString());
                at += rune.Utf16SequenceLength;
            }
            else
            {
                cased.Append(text[at++]);
            }
        }

        return cased.ToString();
    }

    private static string Reverse(string text)
    {
        var points = CodePoints(text);
        points.Reverse();
        return string.Concat(points);
    }

    private static string TrimStart(string text, string cutset)
    {
        var cut = CodePoints(cutset).ToHashSet(StringComparer.Ordinal);
        var at = 0;
        while (at < text.Length)
        {
            TextRunes.At(text, at, out var width);
            if (!cut.Contains(text.Substring(at, width)))
            {
                break;
            }

            at += width;
        }

        return text[at..];
    }

    private static string TrimEnd(string text, string cutset)
    {
        var cut = CodePoints(cutset).ToHashSet(StringComparer.Ordinal);
        var end = text.Length;
        while (end > 0)
        {
            var width = end >= 2 && char.IsSurrogatePair(text[end - 2], text[end - 1]) ? 2 : 1;
            if (!cut.Contains(text.Substring(end - width, width)))
            {
                break;
            }

            end -= width;
        }

        return text[..end];
    }

    private static RegoValue? Concat(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var separator) || !Operands.TryStrings(context, arguments, 1, out var parts))
        {
            return null;
        }

        context.Tick(parts.Length);
        context.Charge(48 + (2 * parts.Sum(part => (long)part.Length + separator.Value.Length)));
        return new RegoString(string.Join(separator.Value, parts));
    }

    private static RegoValue? Split(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var separator))
        {
            return null;
        }

        context.Tick(1 + (text.Value.Length / 16));
        context.Charge(64 + (separator.Value.Length == 0 ? 64L * text.Value.Length : 2L * text.Value.Length));
        var parts = separator.Value.Length == 0 ? [.. CodePoints(text.Value)] : text.Value.Split(separator.Value, StringSplitOptions.None);
        context.Charge(56L * parts.Length);
        return RegoArray.From(parts.Select(part => new RegoString(part)));
    }

    private static RegoValue? Substring(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !TryMachineInteger(context, arguments, 1, out var offset)
            || !TryMachineInteger(context, arguments, 2, out var length))
        {
            return null;
        }

        if (offset < 0)
        {
            return context.Fail("negative offset");
        }

        var start = Skip(text.Value, 0, offset);
        var end = length < 0 ? text.Value.Length : Skip(text.Value, start, length);
        return Operands.Text(context, text.Value[start..end]);
    }

    private static int Skip(string text, int at, long count)
    {
        for (; count > 0 && at < text.Length; count--)
        {
            TextRunes.At(text, at, out var width);
            at += width;
        }

        return at;
    }

    private static bool TryMachineInteger(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out long value)
    {
        value = 0;
        if (!context.TryInteger(arguments, index, out var integer))
        {
            return false;
        }

        value = integer < int.MinValue ? int.MinValue : integer > int.MaxValue ? int.MaxValue : (long)integer;
        return true;
    }

    private static RegoValue? Replace(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var old) || !context.TryString(arguments, 2, out var fresh))
        {
            return null;
        }

        var replaced = new StringBuilder();
        var grow = Operands.Growth(context);
        var from = 0;
        if (old.Value.Length == 0)
        {
            foreach (var point in CodePoints(text.Value))
            {
                grow(replaced.Length + (long)fresh.Value.Length + point.Length);
                replaced.Append(fresh.Value).Append(point);
            }

            grow(replaced.Length + (long)fresh.Value.Length);
            return new RegoString(replaced.Append(fresh.Value).ToString());
        }

        for (var at = text.Value.IndexOf(old.Value, StringComparison.Ordinal); at >= 0; at = text.Value.IndexOf(old.Value, from, StringComparison.Ordinal))
        {
            context.Tick();
            grow(replaced.Length + (long)(at - from) + fresh.Value.Length);
            replaced.Append(text.Value, from, at - from).Append(fresh.Value);
            from = at + old.Value.Length;
        }

        grow(replaced.Length + (long)(text.Value.Length - from));
        return new RegoString(replaced.Append(text.Value, from, text.Value.Length - from).ToString());
    }

    private static RegoValue? ReplaceAll(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var patterns))
        {
            return null;
        }

        var pairs = new List<(string Old, string Fresh)>();
        foreach (var (key, value) in patterns)
        {
            if (key is not RegoString old)
            {
                return context.FailOperand(1, "non-string key found in pattern object");
            }

            if (value is not RegoString fresh)
            {
                return context.FailOperand(1, "non-string value found in pattern object");
            }

            pairs.Add((old.Value, fresh.Value));
        }

        return context.TryString(arguments, 1, out var text) ? ReplaceFirstThatFits(context, text.Value, pairs) : null;
    }

    /// <summary>At each place the first pattern in key order that fits wins; an empty one fits everywhere, but not right after a replacement.</summary>
    private static RegoValue ReplaceFirstThatFits(BuiltinContext context, string text, List<(string Old, string Fresh)> pairs)
    {
        var replaced = new StringBuilder();
        var grow = Operands.Growth(context);
        var justReplaced = false;
        for (var at = 0; at <= text.Length;)
        {
            var found = -1;
            for (var index = 0; index < pairs.Count && found < 0; index++)
            {
                context.Tick();
                if (string.CompareOrdinal(text, at, pairs[index].Old, 0, pairs[index].Old.Length) == 0 && !(justReplaced && pairs[index].Old.Length == 0))
                {
                    found = index;
                }
            }

            justReplaced = found >= 0 && pairs[found].Old.Length > 0;
            if (found >= 0)
            {
                grow(replaced.Length + (long)pairs[found].Fresh.Length);
                replaced.Append(pairs[found].Fresh);
                at += pairs[found].Old.Length;
            }

            if (!justReplaced)
            {
                if (at < text.Length)
                {
                    grow(replaced.Length + 1L);
                    replaced.Append(text[at]);
                }

                at++;
            }
        }

        return new RegoString(replaced.ToString());
    }

    private static RegoValue? Sprintf(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var format) || !context.TryArray(arguments, 1, out var values))
        {
            return null;
        }

        context.Tick(1 + format.Value.Length + values.Count);
        return new RegoString(GoPrintf.Format(format.Value, values.Items, Operands.Growth(context)));
    }
}
