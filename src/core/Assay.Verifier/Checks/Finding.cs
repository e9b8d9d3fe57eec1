using System.Collections.Immutable;

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

/// <summary>One named check and its answer. Ids are permanent: docs/checks.md lists them.</summary>
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

/// <summary>What a check answers, before it has its name.</summary>
internal readonly record struct Outcome(CheckState State, string? Reason, string? Found, string? Expected, NotCheckedCause Cause)
{
    public static Outcome Held(string? found = null) => new(CheckState.Held, null, found, null, NotCheckedCause.None);

    public static Outcome Failed(string reason, string? found = null, string? expected = null) =>
        new(CheckState.Failed, reason, found, expected, NotCheckedCause.None);

    public static Outcome NotApplicable(string reason) => new(CheckState.NotApplicable, reason, null, null, NotCheckedCause.None);

    public static Outcome Missing(string reason) => new(CheckState.NotChecked, reason, null, null, NotCheckedCause.Missing);

    public static Outcome Stopped(string reason) => new(CheckState.NotChecked, reason, null, null, NotCheckedCause.Stopped);

    public static Outcome Waived(string reason) => new(CheckState.NotChecked, reason, null, null, NotCheckedCause.Waived);

    public Finding Named(string id) => new(id, State) { Reason = Reason, Found = Found, Expected = Expected, Cause = Cause };
}

/// <summary>A named question about a <typeparamref name="T"/>.</summary>
internal sealed record Check<T>(string Id, Func<T, Outcome> Answer)
{
    public Finding Ask(T subject) => Answer(subject).Named(Id);
}

/// <summary>The findings of a stage, and whether evidence gets past it.</summary>
internal static class Stage
{
    /// <summary>Whether every question was accepted. Nothing asked is nothing answered: an empty list is no pass.</summary>
    public static bool IsPassed(this ImmutableArray<Finding> findings) => !findings.IsDefaultOrEmpty && findings.All(finding => finding.IsAccepted);

    /// <summary>Whether one question was answered with yes.</summary>
    public static bool Holds(this ImmutableArray<Finding> findings, string id) => !findings.IsDefault && findings.Any(finding => finding.Id == id && finding.State is CheckState.Held);

    /// <summary>
    /// From hostile bytes to what is authentic: parsing, then authenticity. Between the two it stops; within each all checks run.
    /// </summary>
    /// <param name="subject">What is asked about; each check may use only what an earlier one has set in it.</param>
    /// <param name="parsing">Whether the bytes make sense.</param>
    /// <param name="authenticity">Who speaks.</param>
    /// <param name="unreadable">Why the second list was not asked, where the first did not pass.</param>
    /// <param name="passed">Whether both did.</param>
    /// <param name="parsed">Whether the first did.</param>
    public static ImmutableArray<Finding> Authenticate<T>(
        T subject, ImmutableArray<Check<T>> parsing, ImmutableArray<Check<T>> authenticity, string unreadable, out bool passed, out bool parsed)
    {
        ImmutableArray<Finding> first = [.. parsing.Select(check => check.Ask(subject))];
        var read = first.IsPassed();
        ImmutableArray<Finding> second = [.. authenticity.Select(check => read ? check.Ask(subject) : Outcome.Stopped(unreadable).Named(check.Id))];
        (parsed, passed) = (read, read && second.IsPassed());
        return [.. first, .. second];
    }
}
