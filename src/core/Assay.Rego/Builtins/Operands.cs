using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Operand checks that several families share, and what a built-in says when they fail.</summary>
internal static class Operands
{
    /// <summary>The elements of an array or set, or false with the failure told. The order of the two kinds is that of the message.</summary>
    public static bool TryItems(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out ReadOnlySpan<RegoValue> items)
    {
        switch (arguments[index])
        {
            case RegoArray array:
                items = array.Items;
                return true;
            case RegoSet set:
                items = set.Items;
                return true;
            default:
                items = default;
                context.FailOperandKind(index + 1, arguments[index], RegoKind.Set, RegoKind.Array);
                return false;
        }
    }

    /// <summary>The strings of an array or set, or false with the failure told: <c>must be array of strings but got array containing number</c>.</summary>
    public static bool TryStrings(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out string[]? strings)
    {
        strings = null;
        if (!TryItems(context, arguments, index, out var items))
        {
            return false;
        }

        var found = new string[items.Length];
        for (var at = 0; at < items.Length; at++)
        {
            if (items[at] is not RegoString text)
            {
                FailElement(context, index, arguments[index], items[at], "strings");
                return false;
            }

            found[at] = text.Value;
        }

        strings = found;
        return true;
    }

    /// <summary>Tells that a collection holds an element of the wrong kind.</summary>
    public static RegoValue? FailElement(BuiltinContext context, int index, RegoValue collection, RegoValue element, string wanted) =>
        context.FailOperand(index + 1, $"must be {collection.KindName} of {wanted} but got {collection.KindName} containing {element.KindName}");

    /// <summary>A string result, its size counted.</summary>
    public static RegoValue Text(BuiltinContext context, string text)
    {
        context.Charge(48 + (2L * text.Length));
        return new RegoString(text);
    }

    /// <summary>Refuses a text of so many characters before it is made, if it is over what the evaluation may still make.</summary>
    public static Action<long> Growth(BuiltinContext context)
    {
        var counted = 0L;
        return length =>
        {
            if (length > counted)
            {
                context.Charge(2 * (length - counted));
                counted = length;
            }
        };
    }
}
