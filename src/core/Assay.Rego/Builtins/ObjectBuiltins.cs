using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Reading, merging and comparing objects.</summary>
internal static class ObjectBuiltins
{
    private const RegoTypes KeyLists = RegoTypes.Array | RegoTypes.Set | RegoTypes.Object;

    public static readonly Builtin[] All =
    [
        new("object.get", [RegoTypes.Object, RegoTypes.Any, RegoTypes.Any], RegoTypes.Any, Get),
        new("object.keys", [RegoTypes.Object], RegoTypes.Set, Keys),
        new("object.remove", [RegoTypes.Object, KeyLists], RegoTypes.Object, (context, arguments) => Select(context, arguments, wanted: false)),
        new("object.filter", [RegoTypes.Object, KeyLists], RegoTypes.Object, (context, arguments) => Select(context, arguments, wanted: true)),
        new("object.union", [RegoTypes.Object, RegoTypes.Object], RegoTypes.Object, Union),
        new("object.union_n", [RegoTypes.Array], RegoTypes.Object, UnionAll),
        new("object.subset", [KeyLists, KeyLists], RegoTypes.Boolean, Subset),
    ];

    private static RegoValue? Get(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var whole))
        {
            return null;
        }

        if (arguments[1] is not RegoArray path)
        {
            return whole.Lookup(arguments[1]) ?? arguments[2];
        }

        RegoValue? found = whole;
        foreach (var step in path)
        {
            context.Tick();
            found = found.Lookup(step);
            if (found is null)
            {
                return arguments[2];
            }
        }

        return found;
    }

    private static RegoValue? Keys(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var members))
        {
            return null;
        }

        context.Charge(64 + (8L * members.Count));
        return RegoSet.Of(members.Keys);
    }

    private static RegoValue? Select(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool wanted)
    {
        if (!context.TryObject(arguments, 0, out var members))
        {
            return null;
        }

        HashSet<RegoValue> keys;
        switch (arguments[1])
        {
            case RegoObject named:
                keys = [.. named.Keys];
                break;
            case RegoSet set:
                keys = [.. set.Items];
                break;
            case RegoArray array:
                keys = [.. array.Items];
                break;
            default:
                return context.FailOperandKind(2, arguments[1], RegoKind.Object, RegoKind.Set, RegoKind.Array);
        }

        context.Tick(4L * (keys.Count + members.Count));
        context.Charge(64 + (16L * members.Count));
        return RegoObject.From(members.Where(pair => keys.Contains(pair.Key) == wanted));
    }

    private static RegoValue? Union(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryObject(arguments, 0, out var left) && context.TryObject(arguments, 1, out var right) ? Merge(context, left, right) : null;

    private static RegoValue? UnionAll(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 0, out var array))
        {
            return null;
        }

        var merged = RegoObject.Empty;
        foreach (var item in array)
        {
            if (item is not RegoObject next)
            {
                return Operands.FailElement(context, 0, array, item, "objects");
            }

            merged = Merge(context, merged, next);
        }

        return merged;
    }

    // Values nest to RegoValue.MaxDepth, so the recursion is bounded.
    private static RegoObject Merge(BuiltinContext context, RegoObject left, RegoObject right)
    {
        // Each member is hashed, and all are put in order again.
        context.Tick(4L * (left.Count + right.Count));
        context.Charge(88 + (16L * (left.Count + right.Count)));
        var merged = new RegoObjectBuilder();
        foreach (var (key, value) in left)
        {
            merged[key] = value;
        }

        foreach (var (key, value) in right)
        {
            merged[key] = value is RegoObject inner && left.Lookup(key) is RegoObject outer ? Merge(context, outer, inner) : value;
        }

        return merged.Build();
    }

    private static RegoValue? Subset(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) => (arguments[0], arguments[1]) switch
    {
        (RegoObject super, RegoObject sub) => RegoBoolean.Of(Includes(context, super, sub)),
        (RegoSet super, RegoSet sub) => RegoBoolean.Of(Includes(context, super, sub)),
        (RegoArray super, RegoArray sub) => RegoBoolean.Of(Includes(context, super, sub)),
        (RegoArray super, RegoSet sub) => RegoBoolean.Of(HasMembers(context, super, sub)),
        _ => context.FailType("both arguments object.subset must be of the same type or array and set"),
    };

    private static bool Includes(BuiltinContext context, RegoValue super, RegoValue sub)
    {
        context.Tick();
        switch (super, sub)
        {
            case (RegoObject outer, RegoObject inner):
                foreach (var (key, value) in inner)
                {
                    if (outer.Lookup(key) is not { } found || !Includes(context, found, value))
                    {
                        return false;
                    }
                }

                return true;
            case (RegoSet outer, RegoSet inner):
                context.Tick(inner.Count);
                return inner.All(outer.Contains);
            case (RegoArray outer, RegoArray inner):
                return HasRun(context, outer, inner);
            default:
                return super.Equals(sub);
        }
    }

    /// <summary>Whether one array stands in the other as an unbroken run.</summary>
    private static bool HasRun(BuiltinContext context, RegoArray outer, RegoArray inner)
    {
        for (var start = 0; start + inner.Count <= outer.Count; start++)
        {
            var same = 0;
            while (same < inner.Count && outer[start + same].Equals(inner[same]))
            {
                context.Tick();
                same++;
            }

            context.Tick();
            if (same == inner.Count)
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasMembers(BuiltinContext context, RegoArray outer, RegoSet inner)
    {
        context.Tick(outer.Count + inner.Count);
        var items = new HashSet<RegoValue>(outer);
        return inner.All(items.Contains);
    }
}
