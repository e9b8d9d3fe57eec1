using System.Numerics;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Address blocks. Nothing here touches a network.</summary>
internal static class NetBuiltins
{
    private const RegoTypes Any = RegoTypes.String | RegoTypes.Array | RegoTypes.Set | RegoTypes.Object;

    // The most addresses that cidr_expand writes out: a /12 of IPv4.
    private const int MaxExpansionBits = 20;

    private const int CostOfAddress = 8;

    public static readonly Builtin[] All =
    [
        new("net.cidr_contains", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Contains),
        new("net.cidr_overlap", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Contains) { Deprecated = true },
        new("net.cidr_intersects", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Intersects),
        new("net.cidr_is_valid", [RegoTypes.Any], RegoTypes.Boolean, (_, arguments) => RegoBoolean.Of(arguments[0] is RegoString text && Cidr.TryParse(text.Value, out var _))),
        new("net.cidr_expand", [RegoTypes.String], RegoTypes.Set, Expand),
        new("net.cidr_contains_matches", [Any, Any], RegoTypes.Set, ContainsMatches),
        new("net.cidr_merge", [RegoTypes.Array | RegoTypes.Set], RegoTypes.Set, Merge),
        new("net.lookup_ip_addr", [RegoTypes.String], RegoTypes.Set, Lookup) { Nondeterministic = true },
        new("http.send", [RegoTypes.Object], RegoTypes.Object, (context, _) => context.Fail("this engine sends no requests")) { Nondeterministic = true },
    ];

    private static bool TryCidr(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out Cidr cidr)
    {
        cidr = default;
        if (!context.TryString(arguments, index, out var text))
        {
            return false;
        }

        if (Cidr.TryParse(text.Value, out cidr))
        {
            return true;
        }

        context.Fail($"invalid CIDR address: {text.Value}");
        return false;
    }

    private static RegoValue? Contains(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryCidr(context, arguments, 0, out var outer) || !context.TryString(arguments, 1, out var inner))
        {
            return null;
        }

        return TryAddressOrBlock(inner.Value, out var block) ? RegoBoolean.Of(outer.Contains(block)) : context.Fail($"invalid CIDR address: {inner.Value}");
    }

    private static bool TryAddressOrBlock(string text, out Cidr block)
    {
        if (Cidr.TryParseAddress(text, out var address, out var bits))
        {
            block = new Cidr(address, bits, bits);
            return true;
        }

        return Cidr.TryParse(text, out block);
    }

    private static RegoValue? Intersects(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        TryCidr(context, arguments, 0, out var left) && TryCidr(context, arguments, 1, out var right) ? RegoBoolean.Of(left.Intersects(right)) : null;

    private static RegoValue? Expand(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryCidr(context, arguments, 0, out var block))
        {
            return null;
        }

        if (block.Bits - block.Prefix > MaxExpansionBits)
        {
            throw EvaluationHalt.OverBudget($"{block} has more than 2^{MaxExpansionBits} addresses to expand");
        }

        var count = 1 << (block.Bits - block.Prefix);
        context.Charge(160L * count);
        var addresses = new RegoValue[count];
        for (var index = 0; index < count; index++)
        {
            context.Tick();
            addresses[index] = new RegoString(Cidr.AddressText(block.Network + index, block.Bits));
        }

        return RegoSet.Of(addresses);
    }

    private static RegoValue? ContainsMatches(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryNamed(context, arguments, 0, out var outer) || !TryNamed(context, arguments, 1, out var inner))
        {
            return null;
        }

        var pairs = new List<RegoValue>();
        var candidates = new List<(RegoValue Key, Cidr Block)>(inner.Count);
        foreach (var (key, text) in inner)
        {
            context.Tick(CostOfAddress);
            if (!TryAddressOrBlock(text, out var candidate))
            {
                return context.Fail($"invalid CIDR address: {text}");
            }

            candidates.Add((key, candidate));
        }

        foreach (var (outerKey, outerText) in outer)
        {
            if (!Cidr.TryParse(outerText, out var block))
            {
                return context.Fail($"invalid CIDR address: {outerText}");
            }

            context.Tick(CostOfAddress);
            foreach (var (innerKey, candidate) in candidates)
            {
                context.Tick(4);
                if (block.Contains(candidate))
                {
                    context.Charge(72);
                    pairs.Add(RegoArray.Of(outerKey, innerKey));
                }
            }
        }

        return RegoSet.From(pairs);
    }

    /// <summary>The blocks of an operand, each with the key by which the result names it.</summary>
    private static bool TryNamed(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out List<(RegoValue Key, string Text)> named)
    {
        named = [];
        IEnumerable<(RegoValue, RegoValue)> elements;
        switch (arguments[index])
        {
            case RegoString text:
                elements = [(text, text)];
                break;
            case RegoArray array:
                elements = array.Select((item, at) => ((RegoValue)RegoNumber.Of(at), item));
                break;
            case RegoSet set:
                elements = set.Select(item => (item, item));
                break;
            case RegoObject members:
                elements = members.Select(pair => (pair.Key, pair.Value));
                break;
            default:
                context.FailOperandKind(index + 1, arguments[index], RegoKind.String, RegoKind.Array, RegoKind.Set, RegoKind.Object);
                return false;
        }

        foreach (var (key, element) in elements)
        {
            var block = element is RegoArray { Count: > 0 } tuple ? tuple[0] : element;
            if (block is not RegoString text)
            {
                context.Fail($"operand {index + 1}: element must be string or non-empty array");
                return false;
            }

            named.Add((key, text.Value));
        }

        return true;
    }

    private static RegoValue? Merge(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!Operands.TryStrings(context, arguments, 0, out var texts))
        {
            return null;
        }

        var blocks = new List<Cidr>();
        foreach (var text in texts)
        {
            context.Tick();
            if (!TryBlock(context, text, out var block))
            {
                return null;
            }

            blocks.Add(block);
        }

        var merged = new List<RegoValue>();
        foreach (var family in blocks.GroupBy(block => block.Bits))
        {
            foreach (var block in Joined([.. family.OrderBy(block => block.Network)], family.Key))
            {
                context.Charge(160);
                merged.Add(new RegoString(block.ToString()));
            }
        }

        return RegoSet.From(merged);
    }

    private static bool TryBlock(BuiltinContext context, string text, out Cidr block)
    {
        if (Cidr.TryParse(text, out block))
        {
            return true;
        }

        if (!Cidr.TryParseAddress(text, out var address, out var bits))
        {
            context.Fail($"invalid CIDR address: {text}");
            return false;
        }

        if (bits == 128)
        {
            context.Fail("IPv6 invalid: needs prefix length");
            return false;
        }

        // An address without a prefix takes the mask of its historic class.
        var octet = (int)(address >> 24);
        block = Cidr.Of(address, octet < 0x80 ? 8 : octet < 0xC0 ? 16 : octet < 0xE0 ? 24 : 32, 32);
        return true;
    }

    private static IEnumerable<Cidr> Joined(List<Cidr> sorted, int bits)
    {
        var (first, last) = (sorted[0].Network, sorted[0].Last);
        foreach (var block in sorted)
        {
            if (block.Network > last + 1)
            {
                foreach (var part in Cidr.Cover(first, last, bits))
                {
                    yield return part;
                }

                (first, last) = (block.Network, block.Last);
            }

            last = BigInteger.Max(last, block.Last);
        }

        foreach (var part in Cidr.Cover(first, last, bits))
        {
            yield return part;
        }
    }

    /// <summary>An address is its own answer; a name would need the network, which is not there.</summary>
    private static RegoValue? Lookup(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var name))
        {
            return null;
        }

        return Cidr.TryParseAddress(name.Value, out var address, out var bits)
            ? RegoSet.Of(new RegoString(Cidr.AddressText(address, bits)))
            : context.Fail("this engine looks up no names");
    }
}
