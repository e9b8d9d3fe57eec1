using System.Globalization;
using System.Numerics;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Schemas;

/// <summary>One thing that a document does against its schema.</summary>
/// <param name="Field">The place, joined by dots; <c>(root)</c> for the document itself.</param>
/// <param name="Kind">The id of the rule, as gojsonschema names it.</param>
/// <param name="Description">What is wrong.</param>
internal sealed record SchemaFault(string Field, string Kind, string Description);

/// <summary>Matches a document with a schema that <see cref="SchemaCheck"/> has passed. The texts are those that OPA's users know.</summary>
internal sealed partial class SchemaValidator(BuiltinContext context, RegoValue root)
{
    private const string Root = "(root)";

    // How deep schemas may lead into one another, references included.
    private const int MaxDepth = 200;

    // More faults than anyone reads.
    private const int MaxFaults = 1_000;

    private List<SchemaFault> _faults = [];
    private int _depth;

    public List<SchemaFault> Validate(RegoValue document)
    {
        Visit(document, root, Root);
        return _faults;
    }

    private static string Below(string field, string name) => field == Root ? name : $"{field}.{name}";

    private void Report(string field, string kind, string description)
    {
        if (_faults.Count < MaxFaults)
        {
            context.Charge(128 + (2L * (field.Length + description.Length)));
            _faults.Add(new SchemaFault(field, kind, description));
        }
    }

    /// <summary>Whether a value matches, leaving no faults behind.</summary>
    private bool Matches(RegoValue value, RegoValue schema, string field)
    {
        var kept = _faults;
        _faults = [];
        Visit(value, schema, field);
        var matches = _faults.Count == 0;
        _faults = kept;
        return matches;
    }

    private void Visit(RegoValue value, RegoValue schema, string field)
    {
        context.Tick(4);
        if (schema is RegoBoolean)
        {
            if (schema.IsFalse)
            {
                Report(field, "false", "False always fails validation");
            }

            return;
        }

        if (++_depth > MaxDepth)
        {
            throw EvaluationHalt.OverBudget($"a JSON schema leads more than {MaxDepth} levels deep");
        }

        var members = (RegoObject)schema;
        if (members.TryGetValue("$ref", out var reference))
        {
            Visit(value, SchemaCheck.Resolve(root, ((RegoString)reference).Value)!, field);
        }
        else if (HasType(value, members, field))
        {
            VisitCombinations(value, members, field);
            VisitChoices(value, members, field);
            VisitKind(value, members, field);
        }

        _depth--;
    }

    private void VisitKind(RegoValue value, RegoObject schema, string field)
    {
        switch (value)
        {
            case RegoObject members:
                VisitObject(members, schema, field);
                break;
            case RegoArray array:
                VisitArray(array, schema, field);
                break;
            case RegoString text:
                VisitString(text, schema, field);
                break;
            case RegoNumber number:
                VisitNumber(number, schema, field);
                break;
            default:
                break;
        }
    }

    private bool HasType(RegoValue value, RegoObject schema, string field)
    {
        if (!schema.TryGetValue("type", out var type))
        {
            return true;
        }

        string[] names = type is RegoArray several ? [.. several.Select(item => ((RegoString)item).Value)] : [((RegoString)type).Value];
        var integer = value is RegoNumber { IsInteger: true };
        var given = integer ? "integer" : value.KindName;
        if (names.Contains(given) || (integer && names.Contains("number")))
        {
            return true;
        }

        Report(field, "invalid_type", $"Invalid type. Expected: {string.Join(",", names)}, given: {given}");
        return false;
    }

    private void VisitCombinations(RegoValue value, RegoObject schema, string field)
    {
        if (schema.TryGetValue("anyOf", out var any) && !((RegoArray)any).Any(option => Matches(value, option, field)))
        {
            Report(field, "number_any_of", "Must validate at least one schema (anyOf)");
        }

        if (schema.TryGetValue("oneOf", out var one) && ((RegoArray)one).Count(option => Matches(value, option, field)) != 1)
        {
            Report(field, "number_one_of", "Must validate one and only one schema (oneOf)");
        }

        if (schema.TryGetValue("allOf", out var all))
        {
            var before = _faults.Count;
            foreach (var part in (RegoArray)all)
            {
                Visit(value, part, field);
            }

            if (_faults.Count > before)
            {
                Report(field, "number_all_of", "Must validate all the schemas (allOf)");
            }
        }

        if (schema.TryGetValue("not", out var not) && Matches(value, not, field))
        {
            Report(field, "number_not", "Must not validate the schema (not)");
        }

        VisitCondition(value, schema, field);
    }

    private void VisitCondition(RegoValue value, RegoObject schema, string field)
    {
        if (!schema.TryGetValue("if", out var condition))
        {
            return;
        }

        var held = Matches(value, condition, field);
        if (schema.TryGetValue(held ? "then" : "else", out var branch) && !Matches(value, branch, field))
        {
            Report(field, held ? "condition_then" : "condition_else", held ? "Must validate \"then\" as \"if\" was valid" : "Must validate \"else\" as \"if\" was not valid");
            Visit(value, branch, field);
        }
    }

    private void VisitChoices(RegoValue value, RegoObject schema, string field)
    {
        if (schema.TryGetValue("const", out var constant) && !constant.Equals(value))
        {
            Report(field, "const", $"{field} does not match: {constant.ToJson()}");
        }

        if (schema.TryGetValue("enum", out var listed) && !((RegoArray)listed).Items.Contains(value))
        {
            Report(field, "enum", $"{field} must be one of the following: {string.Join(", ", ((RegoArray)listed).Select(item => item.ToJson()))}");
        }
    }

    private static bool TryNumber(RegoObject schema, string name, out RegoNumber number)
    {
        number = (schema.TryGetValue(name, out var value) ? value as RegoNumber : null)!;
        return number is not null;
    }

    private void VisitNumber(RegoNumber number, RegoObject schema, string field)
    {
        if (TryNumber(schema, "multipleOf", out var unit) && !IsMultiple(number, unit))
        {
            Report(field, "multiple_of", $"Must be a multiple of {unit.ToText()}");
        }

        // Draft 4 marks a bound as exclusive by a boolean beside it; later drafts have bounds of their own.
        var (below, above) = (schema.Lookup(new RegoString("exclusiveMinimum")), schema.Lookup(new RegoString("exclusiveMaximum")));
        var least = TryNumber(schema, "minimum", out var minimum);
        var most = TryNumber(schema, "maximum", out var maximum);
        var (exclusiveLeast, exclusiveMost) = (below as RegoNumber ?? (least && below is RegoBoolean { Value: true } ? minimum : null), above as RegoNumber ?? (most && above is RegoBoolean { Value: true } ? maximum : null));
        if (exclusiveLeast is not null && number.CompareTo(exclusiveLeast) <= 0)
        {
            Report(field, "number_gt", $"Must be greater than {exclusiveLeast.ToText()}");
        }

        if (least && below is not RegoBoolean { Value: true } && number.CompareTo(minimum) < 0)
        {
            Report(field, "number_gte", $"Must be greater than or equal to {minimum.ToText()}");
        }

        if (exclusiveMost is not null && number.CompareTo(exclusiveMost) >= 0)
        {
            Report(field, "number_lt", $"Must be less than {exclusiveMost.ToText()}");
        }

        if (most && above is not RegoBoolean { Value: true } && number.CompareTo(maximum) > 0)
        {
            Report(field, "number_lte", $"Must be less than or equal to {maximum.ToText()}");
        }
    }

    private bool IsMultiple(RegoNumber number, RegoNumber unit)
    {
        var ((mantissa, exponent), (step, stepExponent)) = (number.ToDecimal(), unit.ToDecimal());
        var shift = Math.Abs((long)exponent - stepExponent);
        context.Charge(shift);
        context.Tick(1 + (shift / 64));
        var (dividend, divisor) = exponent >= stepExponent
            ? (mantissa * BigInteger.Pow(10, (int)shift), step)
            : (mantissa, step * BigInteger.Pow(10, (int)shift));
        return (dividend % divisor).IsZero;
    }

    private void VisitString(RegoString text, RegoObject schema, string field)
    {
        if (TryNumber(schema, "minLength", out var least) && RegoNumber.Of(text.CodePointCount).CompareTo(least) < 0)
        {
            Report(field, "string_gte", $"String length must be greater than or equal to {least.ToText()}");
        }

        if (TryNumber(schema, "maxLength", out var most) && RegoNumber.Of(text.CodePointCount).CompareTo(most) > 0)
        {
            Report(field, "string_lte", $"String length must be less than or equal to {most.ToText()}");
        }

        if (schema.TryGetValue("pattern", out var pattern) && !IsMatch(((RegoString)pattern).Value, text.Value))
        {
            Report(field, "pattern", $"Does not match pattern '{((RegoString)pattern).Value}'");
        }

        if (schema.TryGetValue("format", out var format) && !SchemaFormats.Holds(((RegoString)format).Value, text.Value))
        {
            Report(field, "format", $"Does not match format '{((RegoString)format).Value}'");
        }
    }

    private bool IsMatch(string pattern, string text) =>
        RegexBuiltins.Expression(context, pattern) is { } compiled && compiled.IsMatch(text, steps => context.Tick(steps));

    private static string Position(int index) => index.ToString(CultureInfo.InvariantCulture);
}
