using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>The built-ins behind operators, and those that the language itself calls.</summary>
internal static class OperatorBuiltins
{
    internal const string Print = "print";
    internal const string Template = "internal.template_string";
    internal const string Member = "internal.member_2";
    internal const string MemberWithKey = "internal.member_3";

    public static readonly Builtin[] All =
    [
        Arithmetic("plus", "+", RegoTypes.Number, Plus),
        Arithmetic("minus", "-", RegoTypes.Number | RegoTypes.Set, Minus),
        Arithmetic("mul", "*", RegoTypes.Number, Times),
        Arithmetic("div", "/", RegoTypes.Number, Over),
        Arithmetic("rem", "%", RegoTypes.Number, Remainder),
        Arithmetic("and", "&", RegoTypes.Set, Intersection),
        Arithmetic("or", "|", RegoTypes.Set, Union),
        Comparison("equal", "==", order => order == 0),
        Comparison("neq", "!=", order => order != 0),
        Comparison("lt", "<", order => order < 0),
        Comparison("lte", "<=", order => order <= 0),
        Comparison("gt", ">", order => order > 0),
        Comparison("gte", ">=", order => order >= 0),
        new(Member, [RegoTypes.Any, RegoTypes.Any], RegoTypes.Boolean, (context, arguments) => RegoBoolean.Of(Contains(context, arguments[0], arguments[1]))) { Infix = "in", NotMockable = true },
        new(MemberWithKey, [RegoTypes.Any, RegoTypes.Any, RegoTypes.Any], RegoTypes.Boolean, (_, arguments) => RegoBoolean.Of(Contains(arguments[0], arguments[1], arguments[2]))) { NotMockable = true },
        new(Template, [RegoTypes.Array], RegoTypes.String, Render) { NotMockable = true },
    ];

    /// <summary>Text of a part of a template or print: strings bare, everything else as a Rego term.</summary>
    internal static void Append(StringBuilder text, RegoValue value)
    {
        if (value is RegoString bare)
        {
            text.Append(bare.Value);
        }
        else
        {
            RegoTermWriter.Write(text, value);
        }
    }

    private static Builtin Arithmetic(string name, string infix, RegoTypes operands, BuiltinFunction function) =>
        new(name, [operands, operands], operands, function) { Infix = infix };

    private static Builtin Comparison(string name, string infix, Func<int, bool> holds) =>
        new(name, [RegoTypes.Any, RegoTypes.Any], RegoTypes.Boolean, (_, arguments) => RegoBoolean.Of(holds(arguments[0].CompareTo(arguments[1])))) { Infix = infix };

    private static RegoValue? Plus(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        Numbers(context, arguments, out var a, out var b) ? Counted(context, RegoArithmetic.Add(a, b)) : null;

    private static RegoValue? Times(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        Numbers(context, arguments, out var a, out var b) ? Counted(context, RegoArithmetic.Multiply(a, b)) : null;

    private static RegoValue? Over(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!Numbers(context, arguments, out var a, out var b))
        {
            return null;
        }

        return RegoArithmetic.Divide(a, b) is { } quotient ? Counted(context, quotient) : context.Fail("divide by zero");
    }

    private static RegoValue? Remainder(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!Numbers(context, arguments, out var a, out var b))
        {
            return null;
        }

        if (!a.IsInteger || !b.IsInteger)
        {
            return context.Fail("modulo on floating-point number");
        }

        return RegoArithmetic.Remainder(a, b) is { } rest ? Counted(context, rest) : context.Fail("modulo by zero");
    }

    private static RegoValue? Minus(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) => (arguments[0], arguments[1]) switch
    {
        (RegoNumber a, RegoNumber b) => Counted(context, RegoArithmetic.Subtract(a, b)),
        (RegoSet a, RegoSet b) => Where(context, a, value => !b.Contains(value)),
        (RegoNumber, var other) => context.FailOperandKind(2, other, RegoKind.Number),
        (RegoSet, var other) => context.FailOperandKind(2, other, RegoKind.Set),
        var (other, _) => context.FailOperandKind(1, other, RegoKind.Number, RegoKind.Set),
    };

    private static RegoValue? Intersection(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TrySet(arguments, 0, out var a) && context.TrySet(arguments, 1, out var b) ? Where(context, a, b.Contains) : null;

    private static RegoValue? Union(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TrySet(arguments, 0, out var a) || !context.TrySet(arguments, 1, out var b))
        {
            return null;
        }

        if (a.Count == 0 || b.Count == 0)
        {
            return a.Count == 0 ? b : a;
        }

        context.Tick(a.Count + b.Count);
        context.Charge(64 + 8L * (a.Count + b.Count));
        return RegoSet.Of([.. a.Items, .. b.Items]);
    }

    private static RegoSet Where(BuiltinContext context, RegoSet set, Func<RegoValue, bool> holds)
    {
        context.Tick(set.Count);
        context.Charge(64 + 8L * set.Count);
        return RegoSet.From(set.Where(holds));
    }

    private static bool Contains(BuiltinContext context, RegoValue value, RegoValue collection)
    {
        switch (collection)
        {
            case RegoSet set:
                return set.Contains(value);
            case RegoArray array:
                context.Tick(array.Count);
                return array.Items.Contains(value);
            case RegoObject members:
                context.Tick(members.Count);
                return members.Values.Contains(value);
            default:
                return false;
        }
    }

    private static bool Contains(RegoValue key, RegoValue value, RegoValue collection) =>
        collection.Lookup(key) is { } found && found.Equals(value);

    /// <summary>The parts are sets of at most one value (undefined when empty), or strings.</summary>
    private static RegoValue? Render(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        var text = new StringBuilder();
        foreach (var part in (RegoArray)arguments[0])
        {
            if (part is RegoSet set)
            {
                if (set.Count > 1)
                {
                    return context.Fail("template-strings must not produce multiple outputs");
                }

                Append(text, set.Count == 0 ? new RegoString("<undefined>") : set.Items[0]);
            }
            else
            {
                Append(text, part);
            }
        }

        context.Charge(2L * text.Length);
        return new RegoString(text.ToString());
    }

    private static bool Numbers(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out RegoNumber a, out RegoNumber b)
    {
        b = null!;
        return context.TryNumber(arguments, 0, out a!) && context.TryNumber(arguments, 1, out b!);
    }

    private static RegoNumber Counted(BuiltinContext context, RegoNumber number)
    {
        context.Charge(number.OwnSize);
        return number;
    }
}
