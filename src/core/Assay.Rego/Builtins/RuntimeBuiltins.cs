using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>What a policy may ask of its host.</summary>
internal static class RuntimeBuiltins
{
    public static readonly Builtin[] All =
    [
        new("opa.runtime", [], RegoTypes.Object, (context, _) => context.Environment.Runtime ?? RegoObject.Empty) { Nondeterministic = true },
        new("trace", [RegoTypes.String], RegoTypes.Boolean, (context, arguments) => context.TryString(arguments, 0, out _) ? RegoBoolean.True : null),
    ];
}
