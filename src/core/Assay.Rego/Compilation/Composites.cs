using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Splits equations of composites into equations of their parts.</summary>
internal static class Composites
{
    /// <summary>The parts, as deep as both sides are written out. Null when they cannot be equal.</summary>
    public static List<(LTerm Left, LTerm Right)>? Parts(LTerm left, LTerm right, CompileWork work)
    {
        var parts = new List<(LTerm, LTerm)>();
        return Split(left, right, parts, work) ? parts : null;
    }

    private static bool Split(LTerm left, LTerm right, List<(LTerm, LTerm)> parts, CompileWork work)
    {
        work.Tick();
        if (left is LConst && right is LConst)
        {
            parts.Add((left, right));
            return true;
        }

        if (Count(left) is { } items && Count(right) is { } others)
        {
            work.Tick(items);
            return items == others && Items(left).Zip(Items(right)).All(pair => Split(pair.First, pair.Second, parts, work));
        }

        if (IsObject(left) && IsObject(right) && Pairs(left) is { } c && Pairs(right) is { } d)
        {
            work.Tick(c.Count);
            return c.Count == d.Count && c.All(pair => d.TryGetValue(pair.Key, out var other) && Split(pair.Value, other, parts, work));
        }

        parts.Add((left, right));
        return true;
    }

    private static int? Count(LTerm term) => term switch
    {
        LArray array => array.Items.Length,
        LConst { Value: RegoArray array } => array.Count,
        _ => null,
    };

    private static IEnumerable<LTerm> Items(LTerm term) =>
        term is LArray array ? array.Items : ((RegoArray)((LConst)term).Value).Items.ToArray().Select(item => new LConst(term.At, item));

    private static bool IsObject(LTerm term) => term is LObject or LConst { Value: RegoObject };

    // Objects are split only when all their keys are constants, and different.
    private static Dictionary<RegoValue, LTerm>? Pairs(LTerm term)
    {
        var pairs = new Dictionary<RegoValue, LTerm>();
        if (term is LConst { Value: RegoObject members })
        {
            foreach (var (key, value) in members)
            {
                pairs[key] = new LConst(term.At, value);
            }

            return pairs;
        }

        foreach (var (key, value) in ((LObject)term).Pairs)
        {
            if (key is not LConst constant || !pairs.TryAdd(constant.Value, value))
            {
                return null;
            }
        }

        return pairs;
    }
}
