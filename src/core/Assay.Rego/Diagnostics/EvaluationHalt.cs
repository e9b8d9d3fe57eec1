namespace Assay.Rego.Diagnostics;

/// <summary>
/// Ends an evaluation that may not go on: over budget, cancelled, a conflict, or a built-in's error in strict mode. It is
/// caught in one place, where evaluation begins, and becomes the error of the result; nothing else throws it to a caller.
/// A built-in's ordinary failure is a returned value, not this.
/// </summary>
internal sealed class EvaluationHalt(RegoErrorCode code, string message) : Exception(message)
{
    public RegoErrorCode Code { get; } = code;

    /// <summary>Where it happened, set by whoever knows first.</summary>
    public SourceLocation? Location { get; set; }

    public static EvaluationHalt OverBudget(string what) => new(RegoErrorCode.EvalBudgetError, what);
}
