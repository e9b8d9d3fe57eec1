namespace Assay.Rego;

/// <summary>What one evaluation may take. Over budget is an error that says so, never an answer.</summary>
public sealed record EvaluationBudget
{
    /// <summary>20 million steps, 256 MB of values made.</summary>
    public static readonly EvaluationBudget Default = new();

    /// <summary>The most steps: statements tried, elements visited, and what built-ins count.</summary>
    public long Steps { get; init; } = 20_000_000;

    /// <summary>The most bytes of values made, in all; an estimate, counted before they are made.</summary>
    public long Bytes { get; init; } = 256L << 20;
}
