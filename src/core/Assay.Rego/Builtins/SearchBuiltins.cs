using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Looking for strings in strings.</summary>
internal static class SearchBuiltins
{
    private const RegoTypes Many = RegoTypes.String | RegoTypes.Array | RegoTypes.Set;

    public static readonly Builtin[] All =
    [
        Test("contains", (text, part) => text.Contains(part, StringComparison.Ordinal)),
        Test("startswith", (text, part) => text.StartsWith(part, StringComparison.Ordinal)),
        Test("endswith", (text, part) => text.EndsWith(part, StringComparison.Ordinal)),
        new("indexof", [RegoTypes.String, RegoTypes.String], RegoTypes.Number, IndexOf),
        new("indexof_n", [RegoTypes.String, RegoTypes.String], RegoTypes.Array, IndexesOf),
        new("strings.count", [RegoTypes.String, RegoTypes.String], RegoTypes.Number, Count),
        new("strings.any_prefix_match", [Many, Many], RegoTypes.Boolean, (context, arguments) => AnyMatch(context, arguments, (text, part) => text.StartsWith(part, StringComparison.Ordinal))),
        new("strings.any_suffix_match", [Many, Many], RegoTypes.Boolean, (context, arguments) => AnyMatch(context, arguments, (text, part) => text.EndsWith(part, StringComparison.Ordinal))),
    ];

    private static Builtin Test(string name, Func<string, string, bool> holds) =>
        new(name, [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, (context, arguments) =>
        {
            if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var part))
            {
                return null;
            }

            context.Tick(1 + (text.Value.Length / 64));
            return RegoBoolean.Of(holds(text.Value, part.Value));
        });

    private static RegoValue? IndexOf(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TrySearch(context, arguments, out var text, out var part))
        {
            return null;
        }

        var at = text.IndexOf(part, StringComparison.Ordinal);
        return RegoNumber.Of(at < 0 ? -1 : new RegoString(text[..at]).CodePointCount);
    }

    private static RegoValue? IndexesOf(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TrySearch(context, arguments, out var text, out var part))
        {
            return null;
        }

        var found = new List<RegoValue>();
        var (counted, points) = (0, 0);
        for (var at = text.IndexOf(part, StringComparison.Ordinal); at >= 0; at = at + 1 < text.Length ? text.IndexOf(part, at + 1, StringComparison.Ordinal) : -1)
        {
            context.Tick(1 + ((at - counted) / 16));
            context.Charge(40);
            points += new RegoString(text[counted..at]).CodePointCount;
            counted = at;
            found.Add(RegoNumber.Of(points));
        }

        return RegoArray.From(found);
    }

    private static bool TrySearch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out string text, out string part)
    {
        (text, part) = ("", "");
        if (!context.TryString(arguments, 0, out var whole) || !context.TryString(arguments, 1, out var search))
        {
            return false;
        }

        (text, part) = (whole.Value, search.Value);
        if (part.Length > 0)
        {
            return true;
        }

        context.Fail("empty search character");
        return false;
    }

    private static RegoValue? Count(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var part))
        {
            return null;
        }

        if (part.Value.Length == 0)
        {
            return RegoNumber.Of(text.CodePointCount + 1);
        }

        var count = 0;
        for (var at = text.Value.IndexOf(part.Value, StringComparison.Ordinal); at >= 0; at = text.Value.IndexOf(part.Value, at + part.Value.Length, StringComparison.Ordinal))
        {
            context.Tick();
            count++;
        }

        return RegoNumber.Of(count);
    }

    private static RegoValue? AnyMatch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, Func<string, string, bool> holds)
    {
        if (!TryMany(context, arguments, 0, out var texts) || !TryMany(context, arguments, 1, out var parts))
        {
            return null;
        }

        foreach (var text in texts)
        {
            foreach (var part in parts)
            {
                context.Tick();
                if (holds(text, part))
                {
                    return RegoBoolean.True;
                }
            }
        }

        return RegoBoolean.False;
    }

    private static bool TryMany(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out string[] texts)
    {
        texts = [];
        switch (arguments[index])
        {
            case RegoString one:
                texts = [one.Value];
                return true;
            case RegoArray or RegoSet:
                if (!Operands.TryStrings(context, arguments, index, out var many))
                {
                    return false;
                }

                texts = many;
                return true;
            default:
                context.FailOperandKind(index + 1, arguments[index], RegoKind.String, RegoKind.Set, RegoKind.Array);
                return false;
        }
    }
}
