using Assay.Rego.Builtins.Patterns;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Schemas;

/// <summary>Whether a schema is one: each keyword that is known has a value of the right kind, and references lead somewhere.</summary>
internal sealed class SchemaCheck(BuiltinContext context)
{
    public static readonly string[] Types = ["array", "boolean", "integer", "number", "null", "object", "string"];

    private const int MaxDepth = 100;

    private RegoValue _root = RegoNull.Value;

    /// <summary>Why this is not a schema; null when it is one.</summary>
    public string? WhyNot(RegoValue schema)
    {
        _root = schema;
        return Check(schema, 0);
    }

    /// <summary>What a local reference points at; null when it points nowhere.</summary>
    public static RegoValue? Resolve(RegoValue root, string reference)
    {
        if (!reference.StartsWith('#'))
        {
            return null;
        }

        RegoValue? found = root;
        foreach (var segment in reference[1..].Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var name = Uri.UnescapeDataString(segment).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            found = found switch
            {
                RegoObject members => members.Lookup(new RegoString(name)),
                RegoArray array when RegoNumber.TryParse(name, out var index) => array.Lookup(index),
                _ => null,
            };
            if (found is null)
            {
                return null;
            }
        }

        return found;
    }

    private string? Check(RegoValue schema, int depth)
    {
        context.Tick();
        if (depth > MaxDepth)
        {
            return $"schema nests deeper than {MaxDepth} levels";
        }

        if (schema is RegoBoolean)
        {
            return null;
        }

        if (schema is not RegoObject members)
        {
            return $"Invalid type. Expected: valid schema, given: {schema.KindName}";
        }

        if (members.TryGetValue("$ref", out var reference))
        {
            return reference is not RegoString target ? Expected("string", "$ref")
                : Resolve(_root, target.Value) is not (RegoObject or RegoBoolean) ? $"Reference {target.Value} does not lead to a schema here; none is fetched"
                : null;
        }

        foreach (var (key, value) in members)
        {
            if (CheckKeyword(((RegoString)key).Value, value, depth) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private string? CheckKeyword(string name, RegoValue value, int depth)
    {
        switch (name)
        {
            case "type":
                return CheckTypes(value);
            case "properties" or "definitions" or "patternProperties":
                return value is RegoObject named ? FirstFault(named, name == "patternProperties", depth) : Expected("object", name);
            case "dependencies":
                return value is RegoObject dependencies ? CheckDependencies(dependencies, depth) : Expected("object", name);
            case "additionalProperties" or "additionalItems" or "not" or "if" or "then" or "else" or "contains" or "propertyNames":
                return Check(value, depth + 1);
            case "items":
                return value is RegoArray tuple ? FirstFault(tuple, depth) : Check(value, depth + 1);
            case "allOf" or "anyOf" or "oneOf":
                return value is RegoArray { Count: > 0 } options ? FirstFault(options, depth) : Expected("array", name);
            case "required":
                return value is RegoArray required && required.All(item => item is RegoString) ? null : Expected("array of strings", name);
            case "enum":
                return value is RegoArray { Count: > 0 } ? null : Expected("array", name);
            case "minLength" or "maxLength" or "minItems" or "maxItems" or "minProperties" or "maxProperties":
                return value is RegoNumber { IsInteger: true, Sign: >= 0 } ? null : $"{name} must be of an integer greater than or equal to 0";
            case "multipleOf":
                return value is RegoNumber { Sign: > 0 } ? null : "multipleOf must be strictly greater than 0";
            case "minimum" or "maximum":
                return value is RegoNumber ? null : Expected("number", name);
            case "exclusiveMinimum" or "exclusiveMaximum":
                return value is RegoNumber or RegoBoolean ? null : Expected("number", name);
            case "uniqueItems":
                return value is RegoBoolean ? null : Expected("boolean", name);
            case "pattern":
                return value is not RegoString pattern ? Expected("string", name) : CheckPattern(pattern.Value);
            case "format" or "$id" or "id" or "title" or "description" or "$schema":
                return value is RegoString ? null : Expected("string", name);
            default:
                return null;
        }
    }

    private static string Expected(string kind, string name) => $"Invalid type. Expected: {kind}, given: {name}";

    private string? CheckPattern(string pattern)
    {
        context.Tick(1 + pattern.Length);
        return RegularExpression.TryCompile(pattern, out _, out _) ? null : $"Invalid regex pattern '{pattern}'";
    }

    private static string? CheckTypes(RegoValue value)
    {
        IEnumerable<RegoValue> names = value is RegoArray several ? several : [value];
        foreach (var name in names)
        {
            if (name is not RegoString text)
            {
                return Expected("string or array of strings", "type");
            }

            if (!Types.Contains(text.Value))
            {
                return $"has a primitive type that is NOT VALID -- given: /{text.Value}/ Expected valid values are:[{string.Join(' ', Types)}]";
            }
        }

        return null;
    }

    private string? FirstFault(IEnumerable<RegoValue> schemas, int depth)
    {
        foreach (var schema in schemas)
        {
            if (Check(schema, depth + 1) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private string? FirstFault(RegoObject named, bool patterns, int depth)
    {
        foreach (var (key, schema) in named)
        {
            var fault = patterns ? CheckPattern(((RegoString)key).Value) : null;
            fault ??= Check(schema, depth + 1);
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }

    private string? CheckDependencies(RegoObject dependencies, int depth)
    {
        foreach (var value in dependencies.Values)
        {
            var fault = value is RegoArray names
                ? (names.All(item => item is RegoString) ? null : Expected("array of strings", "dependencies"))
                : Check(value, depth + 1);
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }
}
