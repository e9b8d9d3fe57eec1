using Assay.Rego.Builtins;

namespace Assay.Rego;

/// <summary>How modules are compiled.</summary>
public sealed record CompileOptions
{
    /// <summary>Not strict, no tracing.</summary>
    public static readonly CompileOptions Default = new();

    /// <summary>Unused assignments and imports, and what v1 forbids of v0, are errors.</summary>
    public bool Strict { get; init; }

    /// <summary>Prepares statements for explanations and coverage. Evaluation is slower by some tenths.</summary>
    public bool Explain { get; init; }

    /// <summary>What compiling may take.</summary>
    public CompileBudget Budget { get; init; } = CompileBudget.Default;

    /// <summary>Further built-ins. One with a name of the standard ones replaces it.</summary>
    public IReadOnlyList<Builtin> Builtins { get; init; } = [];
}
