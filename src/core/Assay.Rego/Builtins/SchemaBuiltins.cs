using Assay.Rego.Builtins.Schemas;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>JSON Schema, drafts 4, 6 and 7. References stay inside the schema: nothing is fetched.</summary>
internal static class SchemaBuiltins
{
    private const RegoTypes Documents = RegoTypes.String | RegoTypes.Object;

    public static readonly Builtin[] All =
    [
        new("json.verify_schema", [Documents], RegoTypes.Array, Verify),
        new("json.match_schema", [Documents, Documents], RegoTypes.Array, Match),
    ];

    private static RegoValue? Verify(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryDocument(context, arguments[0], out var schema, out var problem))
        {
            return RegoArray.Of(RegoBoolean.False, new RegoString("jsonschema: " + problem));
        }

        var fault = new SchemaCheck(context).WhyNot(schema);
        return RegoArray.Of(RegoBoolean.Of(fault is null), fault is null ? RegoNull.Value : Operands.Text(context, "jsonschema: " + fault));
    }

    private static RegoValue? Match(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryDocument(context, arguments[0], out var document, out var problem) || !TryDocument(context, arguments[1], out var schema, out problem))
        {
            return context.Fail(problem);
        }

        if (new SchemaCheck(context).WhyNot(schema) is { } fault)
        {
            return context.Fail(fault);
        }

        var faults = new SchemaValidator(context, schema).Validate(document);
        return RegoArray.Of(RegoBoolean.Of(faults.Count == 0), RegoArray.From(faults.Select(found => Shown(context, found))));
    }

    private static RegoObject Shown(BuiltinContext context, SchemaFault fault)
    {
        context.Charge(512 + (4L * (fault.Field.Length + fault.Description.Length)));
        return RegoObject.Of(
            ("error", new RegoString($"{fault.Field}: {fault.Description}")),
            ("type", new RegoString(fault.Kind)),
            ("field", new RegoString(fault.Field)),
            ("desc", new RegoString(fault.Description)));
    }

    private static bool TryDocument(BuiltinContext context, RegoValue operand, out RegoValue document, out string problem)
    {
        (document, problem) = (operand, "");
        switch (operand)
        {
            case RegoObject:
                // Sets are arrays in JSON, and keys are strings: what is matched is the document that would be sent.
                return JsonBuiltins.TryRead(context, new RegoString(JsonBuiltins.ToText(context, operand)), out document, out problem);
            case RegoString text:
                return JsonBuiltins.TryRead(context, text, out document, out problem);
            default:
                problem = "wrong type, expected string or object";
                return false;
        }
    }
}
