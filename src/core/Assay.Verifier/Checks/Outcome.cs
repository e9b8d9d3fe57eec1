namespace Assay.Checks;

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
