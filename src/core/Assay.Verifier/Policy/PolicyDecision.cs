using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>What a policy is asked about: authentic devices only, with nothing missing (see <see cref="PolicyGate"/>).</summary>
public sealed record PolicyInput
{
    /// <summary>The answers.</summary>
    public required DevicesResult Appraisal { get; init; }

    /// <summary>The whole machine, as it was judged without any policy; null where only devices were shown.</summary>
    public MachineResult? Machine { get; init; }

    /// <summary>The version of the claims that a policy sees which does not itself say for which it was written.</summary>
    public required ClaimsVersion Claims { get; init; }

    /// <summary>Whose statement the overall claims are; null where no token is made.</summary>
    public string? Issuer { get; init; }
}

/// <summary>The question that every policy answers: the default one, a JSON policy, and engines to come.</summary>
public delegate PolicyDecision Decide(PolicyInput input);

/// <summary>A rule that is not satisfied.</summary>
/// <param name="Rule">Its number in the policy, from 1.</param>
/// <param name="Path">The claim, for instance <c>detached-claims.measres</c>.</param>
/// <param name="DeviceIndex">The device whose claims differ; null for the overall claims.</param>
/// <param name="Reason">What differs, in a sentence.</param>
/// <param name="Found">The claim's value as JSON; null when there is no such claim.</param>
/// <param name="Expected">The rule's value as JSON; null when the rule is no comparison.</param>
internal sealed record PolicyDifference(int Rule, string Path, int? DeviceIndex, string Reason, string? Found, string? Expected);

/// <summary>A policy's answer. The default refuses.</summary>
public sealed record PolicyDecision
{
    /// <summary>Whether the relying party accepts these devices.</summary>
    public required bool Allowed { get; init; }

    /// <summary>How the answer came about, in a sentence.</summary>
    public required string Reason { get; init; }

    /// <summary>The first rules that are not satisfied; a policy that refuses need not know them.</summary>
    internal ImmutableArray<PolicyDifference> Differences { get; init; } = [];
}

/// <summary>A policy with its name: what a verdict is attributed to (S-20).</summary>
/// <param name="Id"><c>default</c>, or the name of its file.</param>
/// <param name="Digest">SHA-256 of its file; null for the default policy, which has none.</param>
/// <param name="Decide">The answer.</param>
public sealed record RelyingPartyPolicy(string Id, Digest? Digest, Decide Decide)
{
    /// <summary>Everything held, nothing expired or revoked.</summary>
    public static RelyingPartyPolicy Default { get; } = new("default", null, DefaultPolicy.Decide);

    /// <summary>Whether the relying party brought it.</summary>
    public bool IsBrought => Decide != Default.Decide;
}
