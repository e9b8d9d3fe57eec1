using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Counts, sums and extremes of collections; arrays; sets of sets.</summary>
internal static class AggregateBuiltins
{
    private const RegoTypes Sequences = RegoTypes.Array | RegoTypes.Set;

    public static readonly Builtin[] All =
    [
        new("count", [RegoTypes.Array | RegoTypes.Object | RegoTypes.Set | RegoTypes.String], RegoTypes.Number, Count),
        new("sum", [Sequences], RegoTypes.Number, (context, arguments) => Fold(context, arguments, RegoNumber.Zero, RegoArithmetic.Add)),
        new("product", [Sequences], RegoTypes.Number, (context, arguments) => Fold(context, arguments, RegoNumber.One, RegoArithmetic.Multiply)),
        new("max", [Sequences], RegoTypes.Any, (context, arguments) => Extreme(context, arguments, 1)),
        new("min", [Sequences], RegoTypes.Any, (context, arguments) => Extreme(context, arguments, -1)),
        new("sort", [Sequences], RegoTypes.Array, Sort),
        new("any", [Sequences], RegoTypes.Boolean, (context, arguments) => Truths(context, arguments, any: true)) { Deprecated = true },
        new("all", [Sequences], RegoTypes.Boolean, (context, arguments) => Truths(context, arguments, any: false)) { Deprecated = true },
        new("array.concat", [RegoTypes.Array, RegoTypes.Array], RegoTypes.Array, Concat),
        new("array.slice", [RegoTypes.Array, RegoTypes.Number, RegoTypes.Number], RegoTypes.Array, Slice),
        new("array.reverse", [RegoTypes.Array], RegoTypes.Array, Reverse),
        new("array.flatten", [RegoTypes.Array], RegoTypes.Array, Flatten),
        new("union", [RegoTypes.Set], RegoTypes.Set, Union),
        new("intersection", [RegoTypes.Set], RegoTypes.Set, Intersection),
        new("set_diff", [RegoTypes.Set, RegoTypes.Set], RegoTypes.Set, Difference) { Deprecated = true },
    ];

    private static RegoValue? Count(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) => arguments[0] switch
    {
        RegoArray array => RegoNumber.Of(array.Count),
        RegoObject members => RegoNumber.Of(members.Count),
        RegoSet set => RegoNumber.Of(set.Count),
        RegoString text => RegoNumber.Of(text.CodePointCount),
        var other => context.FailOperandKind(1, other, RegoKind.Array, RegoKind.Object, RegoKind.Set, RegoKind.String),
    };

    private static RegoValue? Fold(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, RegoNumber start, Func<RegoNumber, RegoNumber, RegoNumber> step)
    {
        if (!Operands.TryItems(context, arguments, 0, out var items))
        {
            return null;
        }

        var result = start;
        foreach (var item in items)
        {
            if (item is not RegoNumber number)
            {
                return Operands.FailElement(context, 0, arguments[0], item, "numbers");
            }

            context.Tick();
            result = step(result, number);
            context.Charge(result.OwnSize);
        }

        return result;
    }

    private static RegoValue? Extreme(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int sign)
    {
        if (!Operands.TryItems(context, arguments, 0, out var items))
        {
            return null;
        }

        RegoValue? best = null;
        context.Tick(items.Length);
        foreach (var item in items)
        {
            if (best is null || Math.Sign(item.CompareTo(best)) == sign)
            {
                best = item;
            }
        }

        return best;
    }

    private static RegoValue? Sort(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!Operands.TryItems(context, arguments, 0, out var items))
        {
            return null;
        }

        context.Tick(items.Length);
        context.Charge(64 + (8L * items.Length));
        var sorted = items.ToArray();
        Array.Sort(sorted, new CountedOrder());
        return RegoArray.Over(sorted);
    }

    private static RegoValue? Truths(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool any)
    {
        if (!Operands.TryItems(context, arguments, 0, out var items))
        {
            return null;
        }

        context.Tick(items.Length);
        foreach (var item in items)
        {
            if (any == (item is RegoBoolean { Value: true }))
            {
                return RegoBoolean.Of(any);
            }
        }

        return RegoBoolean.Of(!any);
    }

    private static RegoValue? Concat(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 0, out var left) || !context.TryArray(arguments, 1, out var right))
        {
            return null;
        }

        context.Tick(left.Count + right.Count);
        context.Charge(64 + (8L * (left.Count + right.Count)));
        return RegoArray.Of([.. left.Items, .. right.Items]);
    }

    private static RegoValue? Slice(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 0, out var array)
            || !TryPosition(context, arguments, 1, array.Count, out var start)
            || !TryPosition(context, arguments, 2, array.Count, out var stop))
        {
            return null;
        }

        if (stop <= start)
        {
            return RegoArray.Empty;
        }

        context.Charge(64 + (8L * (stop - start)));
        return RegoArray.Of(array.Items[start..stop]);
    }

    private static bool TryPosition(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, int count, out int position)
    {
        position = 0;
        if (!context.TryInteger(arguments, index, out var value))
        {
            return false;
        }

        position = value.Sign < 0 ? 0 : value > count ? count : (int)value;
        return true;
    }

    private static RegoValue? Reverse(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 0, out var array))
        {
            return null;
        }

        context.Charge(64 + (8L * array.Count));
        var items = array.Items.ToArray();
        Array.Reverse(items);
        return RegoArray.Over(items);
    }

    private static RegoValue? Flatten(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 0, out var array))
        {
            return null;
        }

        var flat = new List<RegoValue>();
        foreach (var item in array)
        {
            if (item is not RegoArray inner)
            {
                flat.Add(item);
                continue;
            }

            context.Tick(inner.Count);
            context.Charge(8L * inner.Count);
            flat.AddRange(inner.Items);
        }

        context.Charge(64 + (8L * array.Count));
        return RegoArray.From(flat);
    }

    private static RegoValue? Union(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TrySets(context, arguments, out var sets))
        {
            return null;
        }

        var total = sets.Sum(set => (long)set.Count);
        context.Tick(total);
        context.Charge(64 + (8L * total));
        return RegoSet.From(sets.SelectMany(set => (IEnumerable<RegoValue>)set));
    }

    private static RegoValue? Intersection(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TrySets(context, arguments, out var sets))
        {
            return null;
        }

        if (sets.Count == 0)
        {
            return RegoSet.Empty;
        }

        var smallest = sets.MinBy(set => set.Count)!;
        context.Tick((long)smallest.Count * sets.Count);
        context.Charge(64 + (8L * smallest.Count));
        return RegoSet.From(smallest.Where(value => sets.TrueForAll(set => set.Contains(value))));
    }

    private static bool TrySets(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out List<RegoSet> sets)
    {
        sets = [];
        if (!context.TrySet(arguments, 0, out var outer))
        {
            return false;
        }

        foreach (var item in outer)
        {
            if (item is not RegoSet set)
            {
                Operands.FailElement(context, 0, outer, item, "sets");
                return false;
            }

            sets.Add(set);
        }

        return true;
    }

    private static RegoValue? Difference(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TrySet(arguments, 0, out var left) || !context.TrySet(arguments, 1, out var right))
        {
            return null;
        }

        context.Tick(left.Count);
        context.Charge(64 + (8L * left.Count));
        return RegoSet.From(left.Where(value => !right.Contains(value)));
    }
}
