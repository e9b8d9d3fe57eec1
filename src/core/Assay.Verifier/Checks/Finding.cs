namespace Assay.Checks;

/// <summary>The answer to a check. The default is not a good one.</summary>
public enum CheckState
{
    /// <summary>The question was not put: see <see cref="NotCheckedCause"/>.</summary>
    NotChecked,

    /// <summary>The answer is no.</summary>
    Failed,

    /// <summary>The device does not have what is asked about. Visible, and refusable by policy.</summary>
    NotApplicable,

    /// <summary>The answer is yes.</summary>
    Held,
}

/// <summary>Why a question was not put.</summary>
public enum NotCheckedCause
{
    /// <summary>It was put.</summary>
    None,

    /// <summary>What it needs is missing or unreachable: the verdict can be no better than incomplete.</summary>
    Missing,

    /// <summary>An earlier stage did not hold.</summary>
    Stopped,

    /// <summary>The relying party waived it: the verdict says so among its weakenings.</summary>
    Waived,
}

/// <summary>One named check and its answer. Ids are permanent: docs/reference/checks.md lists them.</summary>
/// <param name="Id">For instance <c>report.signature.valid</c>.</param>
/// <param name="State">The answer.</param>
public sealed record Finding(string Id, CheckState State)
{
    /// <summary>Why it did not hold, or was not put; null when it held.</summary>
    public string? Reason { get; init; }

    /// <summary>What was found, for people.</summary>
    public string? Found { get; init; }

    /// <summary>What was expected, for people.</summary>
    public string? Expected { get; init; }

    /// <summary>Set when the state is <see cref="CheckState.NotChecked"/>.</summary>
    public NotCheckedCause Cause { get; init; }

    /// <summary>
    /// The one rule of acceptance: the answer is yes, or the question does not apply, or the relying party waived it. What is missing or was
    /// stopped is not accepted.
    /// </summary>
    public bool IsAccepted => State is CheckState.Held or CheckState.NotApplicable || (State is CheckState.NotChecked && Cause is NotCheckedCause.Waived);
}
