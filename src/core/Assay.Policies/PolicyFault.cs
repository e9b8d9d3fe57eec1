using Assay.Wire;

namespace Assay.Policies;

/// <summary>Why a policy cannot decide about verdicts.</summary>
public enum PolicyFaultKind
{
    /// <summary>Unset.</summary>
    None,

    /// <summary>The source is not UTF-8.</summary>
    NotUtf8,

    /// <summary>The source does not parse or compile.</summary>
    Errors,

    /// <summary>No rule was named, and the policy has neither or both of those that are known by name.</summary>
    NoRuleNamed,

    /// <summary>The rule that was named is not a rule of the policy.</summary>
    UnknownRule,

    /// <summary>A base document is at the place of a rule.</summary>
    DataCoverRule,

    /// <summary>Two base documents give one place different values.</summary>
    DataConflict,
}

/// <summary>Why a policy cannot decide about verdicts.</summary>
/// <param name="Kind">What is wrong, for programs.</param>
/// <param name="Name">The name of the source.</param>
/// <param name="Problem">What is wrong, in words; of errors, their lines with their places.</param>
/// <param name="Rule">The rule that is meant; null where it is none.</param>
public sealed record PolicyFault(PolicyFaultKind Kind, string Name, string Problem, string? Rule = null)
{
    /// <summary>The problem with the name of the source, printable; more than one line when there are errors.</summary>
    public override string ToString() => Kind is PolicyFaultKind.Errors ? Problem : Printable.Of($"{Name}: {Problem}");
}
