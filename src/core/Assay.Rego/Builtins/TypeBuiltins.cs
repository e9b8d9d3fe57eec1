using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Asking for a value's kind, and the old casts.</summary>
internal static class TypeBuiltins
{
    public static readonly Builtin[] All =
    [
        Test("is_null", RegoKind.Null),
        Test("is_boolean", RegoKind.Boolean),
        Test("is_number", RegoKind.Number),
        Test("is_string", RegoKind.String),
        Test("is_array", RegoKind.Array),
        Test("is_object", RegoKind.Object),
        Test("is_set", RegoKind.Set),
        new("type_name", [RegoTypes.Any], RegoTypes.String, (_, arguments) => new RegoString(arguments[0].KindName)),
        new("cast_array", [RegoTypes.Any], RegoTypes.Array, (context, arguments) => Collection(context, arguments, RegoKind.Array)) { Deprecated = true },
        new("cast_set", [RegoTypes.Any], RegoTypes.Set, (context, arguments) => Collection(context, arguments, RegoKind.Set)) { Deprecated = true },
        Cast("cast_string", RegoKind.String, RegoTypes.String),
        Cast("cast_boolean", RegoKind.Boolean, RegoTypes.Boolean),
        Cast("cast_null", RegoKind.Null, RegoTypes.Null),
        Cast("cast_object", RegoKind.Object, RegoTypes.Object),
    ];

    private static Builtin Test(string name, RegoKind kind) =>
        new(name, [RegoTypes.Any], RegoTypes.Boolean, (_, arguments) => RegoBoolean.Of(arguments[0].Kind == kind));

    private static Builtin Cast(string name, RegoKind kind, RegoTypes type) =>
        new(name, [RegoTypes.Any], type, (context, arguments) => arguments[0].Kind == kind ? arguments[0] : context.FailOperandKind(1, arguments[0], kind)) { Deprecated = true };

    private static RegoValue? Collection(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, RegoKind kind)
    {
        if (arguments[0].Kind == kind)
        {
            return arguments[0];
        }

        if (arguments[0] is not (RegoArray or RegoSet))
        {
            return context.FailOperandKind(1, arguments[0], RegoKind.Array, RegoKind.Set);
        }

        var items = arguments[0] is RegoArray array ? array.Items : ((RegoSet)arguments[0]).Items;
        context.Charge(64 + (8L * items.Length));
        return kind is RegoKind.Array ? RegoArray.Of(items) : RegoSet.Of(items);
    }
}
