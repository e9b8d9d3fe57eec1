using Assay.Rego.Builtins.Templates;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Texts from templates in the language of Go's text/template.</summary>
internal static class TemplateBuiltins
{
    public static readonly Builtin[] All =
    [
        new("strings.render_template", [RegoTypes.String, RegoTypes.Object], RegoTypes.String, Render),
    ];

    private static RegoValue? Render(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text) || !context.TryObject(arguments, 1, out var variables))
        {
            return null;
        }

        context.Tick(1 + text.Value.Length);
        context.Charge(16L * text.Value.Length);
        if (!TemplateParser.TryParse(text.Value, out var template, out var fault))
        {
            return context.Fail(fault);
        }

        // Variables reach a template as JSON: sets as arrays, keys as strings.
        return JsonBuiltins.TryRead(context, new RegoString(JsonBuiltins.ToText(context, variables)), out var data, out fault)
            && new TemplateRun(data, steps => context.Tick(steps), Operands.Growth(context)).TryRun(template, out var rendered, out fault)
            ? new RegoString(rendered)
            : context.Fail(fault);
    }
}
