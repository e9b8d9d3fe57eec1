using System.Text;
using Assay.Rego.Builtins.Patterns;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Regular expressions in RE2's syntax, and globs.</summary>
internal static class RegexBuiltins
{
    public static readonly Builtin[] All =
    [
        new("regex.match", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Match),
        new("re_match", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Match) { Deprecated = true },
        new("regex.is_valid", [RegoTypes.Any], RegoTypes.Boolean, (context, arguments) => RegoBoolean.Of(arguments[0] is RegoString text && Compiled(context, text.Value).Expression is not null)),
        new("regex.split", [RegoTypes.String, RegoTypes.String], RegoTypes.Array, Split),
        new("regex.find_n", [RegoTypes.String, RegoTypes.String, RegoTypes.Number], RegoTypes.Array, (context, arguments) => Find(context, arguments, groups: false)),
        new("regex.find_all_string_submatch_n", [RegoTypes.String, RegoTypes.String, RegoTypes.Number], RegoTypes.Array, (context, arguments) => Find(context, arguments, groups: true)),
        new("regex.replace", [RegoTypes.String, RegoTypes.String, RegoTypes.String], RegoTypes.String, Replace),
        new("regex.template_match", [RegoTypes.String, RegoTypes.String, RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, TemplateMatch),
        new("regex.globs_match", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, GlobsMatch),
        new("glob.match", [RegoTypes.String, RegoTypes.Null | RegoTypes.Array, RegoTypes.String], RegoTypes.Boolean, GlobMatch),
        new("glob.quote_meta", [RegoTypes.String], RegoTypes.String, QuoteGlob),
    ];

    /// <summary>A compiled pattern or why there is none; kept with the policy either way, so that a bad pattern is parsed once too.</summary>
    private sealed record Compilation(RegularExpression? Expression, string? Fault)
    {
        public bool IsSmall => (Expression?.Bytes ?? 0) <= MostKept;
    }

    private sealed record GlobCompilation(PatternProgram? Program, string? Fault)
    {
        public bool IsSmall => (Program?.Bytes ?? 0) <= MostKept;
    }

    // Programs outlive the evaluation: what hundreds of them may take, a few large ones must not.
    private const long MostKept = 64 * 1024;

    private const int BytesPerStep = 16;

    private static Compilation Compiled(BuiltinContext context, string pattern)
    {
        context.Tick(1 + (pattern.Length / 8));
        return context.GetShared(("regex", pattern), () =>
        {
            context.Tick(4L * pattern.Length);
            var holds = RegularExpression.TryCompile(pattern, out var expression, out var fault);
            Count(context, expression?.Bytes ?? 0);
            return holds ? new Compilation(expression, null) : new Compilation(null, fault);
        }, made => made.IsSmall)!;
    }

    /// <summary>A compiled pattern, kept with the policy; null when it is not a pattern.</summary>
    internal static RegularExpression? Expression(BuiltinContext context, string pattern) => Compiled(context, pattern).Expression;

    // Repetitions are written out: a short pattern may have a long program.
    private static void Count(BuiltinContext context, long bytes)
    {
        context.Tick(bytes / BytesPerStep);
        context.Charge(bytes);
    }

    private static bool TryCompile(BuiltinContext context, string pattern, out RegularExpression expression)
    {
        var compiled = Compiled(context, pattern);
        expression = compiled.Expression!;
        if (compiled.Fault is { } fault)
        {
            context.Fail(fault);
        }

        return compiled.Expression is not null;
    }

    private static Action<int> Meter(BuiltinContext context) => steps => context.Tick(steps);

    private static RegoValue? Match(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryString(arguments, 0, out var pattern) && context.TryString(arguments, 1, out var text) && TryCompile(context, pattern.Value, out var expression)
            ? RegoBoolean.Of(expression.IsMatch(text.Value, Meter(context)))
            : null;

    private static RegoValue? Split(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var pattern) || !context.TryString(arguments, 1, out var text) || !TryCompile(context, pattern.Value, out var expression))
        {
            return null;
        }

        return RegoArray.From(expression.Split(text.Value, Meter(context)).Select(part => Operands.Text(context, part)));
    }

    private static RegoValue? Find(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool groups)
    {
        if (!context.TryString(arguments, 0, out var pattern) || !context.TryString(arguments, 1, out var text)
            || !context.TryInt32(arguments, 2, out var limit) || !TryCompile(context, pattern.Value, out var expression))
        {
            return null;
        }

        var found = new List<RegoValue>();
        foreach (var match in expression.Matches(text.Value, limit, groups, Meter(context)))
        {
            context.Tick();
            found.Add(groups ? Submatches(context, text.Value, match) : Operands.Text(context, text.Value[match[0]..match[1]]));
        }

        context.Charge(64 + (8L * found.Count));
        return RegoArray.From(found);
    }

    private static RegoArray Submatches(BuiltinContext context, string text, int[] match)
    {
        context.Charge(64 + (8L * match.Length));
        var parts = new RegoValue[match.Length / 2];
        for (var group = 0; group < parts.Length; group++)
        {
            parts[group] = match[2 * group] < 0 ? RegoString.Empty : Operands.Text(context, text[match[2 * group]..match[(2 * group) + 1]]);
        }

        return RegoArray.Over(parts);
    }

    private static RegoValue? Replace(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var pattern)
            || !context.TryString(arguments, 2, out var template) || !TryCompile(context, pattern.Value, out var expression))
        {
            return null;
        }

        var replaced = new StringBuilder();
        var grow = Operands.Growth(context);
        expression.Replace(
            text.Value,
            template.Value,
            piece =>
            {
                grow(replaced.Length + (long)piece.Length);
                replaced.Append(piece);
            },
            Meter(context));
        return new RegoString(replaced.ToString());
    }

    private static RegoValue? TemplateMatch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var template) || !context.TryString(arguments, 1, out var text)
            || !context.TryString(arguments, 2, out var start) || !context.TryString(arguments, 3, out var end))
        {
            return null;
        }

        if (start.Value is not [< (char)0x80] || end.Value is not [< (char)0x80])
        {
            return context.Fail($"{(start.Value is not [< (char)0x80] ? "start" : "end")} delimiter must be exactly one byte");
        }

        if (TemplatePattern(template.Value, start.Value[0], end.Value[0]) is not { } pattern)
        {
            return context.Fail($"unbalanced braces in {Formatting.GoQuote.Quote(template.Value)}");
        }

        return TryCompile(context, pattern, out var expression) ? RegoBoolean.Of(expression.IsMatch(text.Value, Meter(context))) : null;
    }

    /// <summary>The anchored pattern of a template; null if its delimiters do not pair up. Delimiters may nest inside a part.</summary>
    private static string? TemplatePattern(string template, char open, char close)
    {
        var pattern = new StringBuilder("^");
        var (depth, from) = (0, 0);
        for (var at = 0; at < template.Length; at++)
        {
            if (template[at] == open && (open != close || depth == 0))
            {
                if (depth++ == 0)
                {
                    pattern.Append(RegularExpression.QuoteMeta(template[from..at]));
                    from = at + 1;
                }
            }
            else if (template[at] == close)
            {
                if (--depth < 0)
                {
                    return null;
                }

                if (depth == 0)
                {
                    pattern.Append('(').Append(template, from, at - from).Append(')');
                    from = at + 1;
                }
            }
        }

        return depth == 0 ? pattern.Append(RegularExpression.QuoteMeta(template[from..])).Append('$').ToString() : null;
    }

    private static RegoValue? GlobsMatch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var left) || !context.TryString(arguments, 1, out var right))
        {
            return null;
        }

        return GlobIntersection.TryDecide(left.Value, right.Value, Meter(context), out var meet, out var fault)
            ? RegoBoolean.Of(meet)
            : context.Fail(fault);
    }

    private static RegoValue? GlobMatch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var pattern) || !TryDelimiters(context, arguments, out var delimiters) || !context.TryString(arguments, 2, out var text))
        {
            return null;
        }

        context.Tick(1 + (pattern.Value.Length / 8));
        var compiled = context.GetShared(("glob", pattern.Value, delimiters), () =>
        {
            context.Tick(4L * pattern.Value.Length);
            var set = RuneSet.Of([.. delimiters.EnumerateRunes().Select(rune => (rune.Value, rune.Value))]);
            var holds = Glob.TryCompile(pattern.Value, set, out var program, out var fault);
            Count(context, program?.Bytes ?? 0);
            return holds ? new GlobCompilation(program, null) : new GlobCompilation(null, fault);
        }, made => made.IsSmall)!;
        return compiled.Program is { } matcher
            ? RegoBoolean.Of(Glob.IsMatch(matcher, text.Value, Meter(context)))
            : context.Fail(compiled.Fault!);
    }

    /// <summary>The delimiters as one text: none for null, the dot for an empty list.</summary>
    private static bool TryDelimiters(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out string delimiters)
    {
        delimiters = "";
        if (arguments[1] is RegoNull)
        {
            return true;
        }

        if (arguments[1] is not RegoArray given)
        {
            context.FailOperandKind(2, arguments[1], RegoKind.Array, RegoKind.Null);
            return false;
        }

        if (given.Count == 0)
        {
            delimiters = ".";
            return true;
        }

        context.Tick(given.Count);
        var joined = new StringBuilder();
        foreach (var item in given)
        {
            if (item is not RegoString one)
            {
                Operands.FailElement(context, 1, given, item, "strings");
                return false;
            }

            if (one.CodePointCount != 1)
            {
                context.FailOperand(2, "must be array of single characters");
                return false;
            }

            joined.Append(one.Value);
        }

        delimiters = joined.ToString();
        context.Charge(2L * delimiters.Length);
        return true;
    }

    private static RegoValue? QuoteGlob(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        var quoted = new StringBuilder();
        foreach (var c in text.Value)
        {
            if (c is '*' or '?' or '\\' or '[' or ']' or '{' or '}')
            {
                quoted.Append('\\');
            }

            quoted.Append(c);
        }

        return Operands.Text(context, quoted.ToString());
    }
}
