namespace Assay.Rego;

/// <summary>What one compilation may take, of modules or of a query. Over budget is an error that says so.</summary>
public sealed record CompileBudget
{
    /// <summary>10 million steps.</summary>
    public static readonly CompileBudget Default = new();

    /// <summary>The most steps: visits of terms, and variables put into sets.</summary>
    public long Steps { get; init; } = Compilation.CompileLimits.Steps;

    /// <summary>Ends compiling with an error.</summary>
    public CancellationToken Cancellation { get; init; }
}
