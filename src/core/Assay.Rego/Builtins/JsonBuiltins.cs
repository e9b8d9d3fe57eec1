using System.Text;
using Assay.Rego.Builtins.Documents;
using Assay.Rego.Builtins.Formatting;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>JSON and YAML texts from and to values.</summary>
internal static class JsonBuiltins
{
    public static readonly Builtin[] All =
    [
        new("json.marshal", [RegoTypes.Any], RegoTypes.String, (context, arguments) => Operands.Text(context, ToText(context, arguments[0]))),
        new("json.marshal_with_options", [RegoTypes.Any, RegoTypes.Object], RegoTypes.String, MarshalWithOptions),
        new("json.unmarshal", [RegoTypes.String], RegoTypes.Any, Unmarshal),
        new("json.is_valid", [RegoTypes.Any], RegoTypes.Boolean, IsValid),
        new("yaml.marshal", [RegoTypes.Any], RegoTypes.String, (context, arguments) => YamlText.Write(arguments[0], Operands.Growth(context)) is var text ? new RegoString(text) : null),
        new("yaml.unmarshal", [RegoTypes.String], RegoTypes.Any, UnmarshalYaml),
        new("yaml.is_valid", [RegoTypes.Any], RegoTypes.Boolean, IsValidYaml),
    ];

    /// <summary>The JSON of a value as Go's encoder writes it, its size counted before it is made.</summary>
    public static string ToText(BuiltinContext context, RegoValue value)
    {
        Measure(context, value);
        var text = new StringBuilder();
        RegoJson.Write(text, value, escapeHtml: true);
        return text.ToString();
    }

    /// <summary>
    /// Counts what a text of a value takes. Shared parts count every time they stand in the text: a value that was cheap to make
    /// by repeating its own parts may be huge when written out.
    /// </summary>
    public static void Measure(BuiltinContext context, RegoValue value)
    {
        context.Tick();
        switch (value)
        {
            case RegoString text:
                context.Charge(4 + (2L * text.Value.Length));
                break;
            case RegoNumber number:
                context.Charge(number.OwnSize);
                break;
            case RegoArray array:
                foreach (var item in array)
                {
                    Measure(context, item);
                }

                break;
            case RegoSet set:
                foreach (var item in set)
                {
                    Measure(context, item);
                }

                break;
            case RegoObject members:
                foreach (var (key, member) in members)
                {
                    Measure(context, key);
                    Measure(context, member);
                }

                break;
            default:
                context.Charge(8);
                break;
        }
    }

    /// <summary>Reads a JSON text with its size counted.</summary>
    public static bool TryRead(BuiltinContext context, RegoString text, out RegoValue value, out string problem)
    {
        context.Tick(1 + (text.Value.Length / 8));
        context.Charge(8L * text.Value.Length);
        var read = RegoJson.TryRead(text.ToUtf8(), out var found, out var fault);
        (value, problem) = (found!, fault ?? "");
        return read;
    }

    private static RegoValue? Unmarshal(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        return TryRead(context, text, out var value, out var problem) ? value : context.Fail(problem);
    }

    private static RegoValue? IsValid(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        RegoBoolean.Of(arguments[0] is RegoString text && TryRead(context, text, out _, out _));

    private static RegoValue? UnmarshalYaml(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        context.Tick(1 + (text.Value.Length / 2));
        context.Charge(16L * text.Value.Length);
        return YamlReader.TryRead(text.Value, steps => context.Tick(steps), out var value, out var fault) ? value : context.Fail(fault);
    }

    private static RegoValue? IsValidYaml(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (arguments[0] is not RegoString text)
        {
            return RegoBoolean.False;
        }

        context.Tick(1 + (text.Value.Length / 2));
        context.Charge(16L * text.Value.Length);
        return RegoBoolean.Of(YamlReader.TryRead(text.Value, steps => context.Tick(steps), out _, out _));
    }

    private static RegoValue? MarshalWithOptions(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 1, out var options))
        {
            return null;
        }

        var (pretty, indent, prefix) = ((bool?)null, (string?)null, (string?)null);
        foreach (var (key, value) in options)
        {
            switch ((key as RegoString)?.Value, value)
            {
                case ("pretty", RegoBoolean choice):
                    pretty = choice.Value;
                    break;
                case ("indent", RegoString text):
                    indent = text.Value;
                    break;
                case ("prefix", RegoString text):
                    prefix = text.Value;
                    break;
                case ("pretty" or "indent" or "prefix", _):
                    var wanted = ((RegoString)key).Value == "pretty" ? "boolean" : "string";
                    return context.FailOperand(2, $"key {key} failed cast to {wanted}");
                default:
                    var named = key is RegoString name ? name.Value : key.ToString();
                    return context.FailOperand(2, $"object contained unknown key {GoQuote.Quote(named)}");
            }
        }

        var compact = ToText(context, arguments[0]);
        return pretty ?? (indent is not null || prefix is not null)
            ? new RegoString(Indented(context, compact, prefix ?? "", indent ?? "\t"))
            : Operands.Text(context, compact);
    }

    /// <summary>Lays compact JSON out over lines; the prefix begins every line, the first too.</summary>
    private static string Indented(BuiltinContext context, string compact, string prefix, string indent)
    {
        var text = new StringBuilder(prefix);
        var grow = Operands.Growth(context);
        var (depth, quoted) = (0, false);
        for (var at = 0; at < compact.Length; at++)
        {
            var c = compact[at];
            if (quoted || c == '"')
            {
                text.Append(c);
                quoted = c == '"' ? !quoted : quoted;
                if (quoted && c == '\\')
                {
                    text.Append(compact[++at]);
                }
            }
            else if ((c is '[' or '{') && (compact[at + 1] is ']' or '}'))
            {
                text.Append(c).Append(compact[++at]);
            }
            else if (c is '[' or '{' or ',' or ']' or '}')
            {
                depth += c is '[' or '{' ? 1 : c is ']' or '}' ? -1 : 0;
                grow(text.Length + (long)prefix.Length + ((long)depth * indent.Length) + 2);
                if (c is ']' or '}')
                {
                    NewLine(text, prefix, indent, depth).Append(c);
                }
                else
                {
                    NewLine(text.Append(c), prefix, indent, depth);
                }
            }
            else
            {
                text.Append(c).Append(c == ':' ? " " : "");
            }
        }

        return text.ToString();
    }

    private static StringBuilder NewLine(StringBuilder text, string prefix, string indent, int depth)
    {
        text.Append('\n').Append(prefix);
        for (var level = 0; level < depth; level++)
        {
            text.Append(indent);
        }

        return text;
    }
}
