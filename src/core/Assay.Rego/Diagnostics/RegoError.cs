using System.Globalization;

namespace Assay.Rego.Diagnostics;

/// <summary>What kind of error it is. <see cref="RegoError.CodeText"/> gives OPA's own word.</summary>
public enum RegoErrorCode
{
    /// <summary>The source is not Rego: <c>rego_parse_error</c>.</summary>
    ParseError = 1,

    /// <summary>The modules do not fit together: <c>rego_compile_error</c>.</summary>
    CompileError,

    /// <summary>A type, a name or an arity is wrong: <c>rego_type_error</c>.</summary>
    TypeError,

    /// <summary>A variable that nothing binds: <c>rego_unsafe_var_error</c>.</summary>
    UnsafeVarError,

    /// <summary>Rules that need themselves: <c>rego_recursion_error</c>.</summary>
    RecursionError,

    /// <summary>Two values where one is needed: <c>eval_conflict_error</c>.</summary>
    EvalConflictError,

    /// <summary>An operand of the wrong kind, in strict mode: <c>eval_type_error</c>.</summary>
    EvalTypeError,

    /// <summary>A built-in that failed, in strict mode: <c>eval_builtin_error</c>.</summary>
    EvalBuiltinError,

    /// <summary>A <c>with</c> that cannot be merged: <c>eval_with_merge_error</c>.</summary>
    EvalWithMergeError,

    /// <summary>The caller cancelled, or time ran out: <c>eval_cancel_error</c>.</summary>
    EvalCancelError,

    /// <summary>The evaluation took more than its budget: <c>eval_budget_error</c> (ours; OPA has no budgets).</summary>
    EvalBudgetError,

    /// <summary>A fault of the engine: <c>eval_internal_error</c>.</summary>
    EvalInternalError,

    /// <summary>Compiling took more than its budget: <c>rego_budget_error</c> (ours; OPA has no budgets).</summary>
    CompileBudgetError,

    /// <summary>The caller cancelled compiling, or time ran out: <c>rego_cancel_error</c> (ours).</summary>
    CompileCancelError,
}

/// <summary>A place in a source: lines and columns count from 1, columns in code points.</summary>
public sealed record SourceLocation(string File, int Line, int Column)
{
    /// <summary>File and line, as OPA's messages begin.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}");
}

/// <summary>
/// One error. <see cref="ToString"/> is <c>FILE:LINE: CODE: MESSAGE</c>; <see cref="ToDisplay"/> adds the source line and a caret.
/// </summary>
public sealed record RegoError(RegoErrorCode Code, string Message, SourceLocation? Location = null, string? SourceLine = null)
{
    /// <summary>OPA's word for the code.</summary>
    public string CodeText => TextOf(Code);

    /// <summary>OPA's word for a code.</summary>
    internal static string TextOf(RegoErrorCode code) => code switch
    {
        RegoErrorCode.ParseError => "rego_parse_error",
        RegoErrorCode.CompileError => "rego_compile_error",
        RegoErrorCode.TypeError => "rego_type_error",
        RegoErrorCode.UnsafeVarError => "rego_unsafe_var_error",
        RegoErrorCode.RecursionError => "rego_recursion_error",
        RegoErrorCode.EvalConflictError => "eval_conflict_error",
        RegoErrorCode.EvalTypeError => "eval_type_error",
        RegoErrorCode.EvalBuiltinError => "eval_builtin_error",
        RegoErrorCode.EvalWithMergeError => "eval_with_merge_error",
        RegoErrorCode.EvalCancelError => "eval_cancel_error",
        RegoErrorCode.EvalBudgetError => "eval_budget_error",
        RegoErrorCode.CompileBudgetError => "rego_budget_error",
        RegoErrorCode.CompileCancelError => "rego_cancel_error",
        _ => "eval_internal_error",
    };

    /// <summary>FILE:LINE: CODE: MESSAGE, or without a place CODE: MESSAGE.</summary>
    public override string ToString() => Location is null ? $"{CodeText}: {Message}" : $"{Location}: {CodeText}: {Message}";

    /// <summary>The error with its column, source line and a caret under the place.</summary>
    public string ToDisplay()
    {
        if (Location is null || SourceLine is null)
        {
            return ToString();
        }

        // The caret stands under the column: what is before it keeps its tabs, so that both lines move alike.
        var before = SourceLine[..Math.Min(Location.Column - 1, SourceLine.Length)];
        var indent = new string([.. before.Select(character => character == '\t' ? '\t' : ' ')]);
        return string.Create(CultureInfo.InvariantCulture, $"{Location.File}:{Location.Line}:{Location.Column}: {CodeText}: {Message}\n\t{SourceLine}\n\t{indent}^");
    }
}
