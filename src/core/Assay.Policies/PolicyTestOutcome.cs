namespace Assay.Policies;

/// <summary>How a test ended. Only the value true passes.</summary>
public enum PolicyTestState
{
    /// <summary>Unset.</summary>
    None,

    /// <summary>The rule is true.</summary>
    Passed,

    /// <summary>The rule is anything else, or an error.</summary>
    Failed,

    /// <summary>A rule <c>todo_test_…</c>, as OPA names what is not to be run yet.</summary>
    Skipped,
}

/// <summary>One rule <c>test_…</c> and what became of it. The texts are not made printable.</summary>
/// <param name="File">The name of its source.</param>
/// <param name="Rule">Its path: <c>data.policy_test.test_accepts</c>.</param>
/// <param name="State">How it ended.</param>
/// <param name="Reason">Why it did not pass; null when it did.</param>
/// <param name="Took">How long it ran.</param>
/// <param name="Prints">What it printed, with places.</param>
public sealed record PolicyTestOutcome(string File, string Rule, PolicyTestState State, string? Reason, TimeSpan Took, IReadOnlyList<string> Prints);
