using System.Collections.Immutable;

namespace Assay.Checks;

/// <summary>The findings of a stage, and whether evidence gets past it.</summary>
internal static class Stage
{
    /// <summary>Whether every question was accepted. Nothing asked is nothing answered: an empty list is no pass.</summary>
    public static bool IsPassed(this ImmutableArray<Finding> findings) => !findings.IsDefaultOrEmpty && findings.All(finding => finding.IsAccepted);

    /// <summary>The same of any sequence of findings.</summary>
    public static bool ArePassed(this IEnumerable<Finding> findings)
    {
        var any = false;
        foreach (var finding in findings)
        {
            any = true;
            if (!finding.IsAccepted)
            {
                return false;
            }
        }

        return any;
    }

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
