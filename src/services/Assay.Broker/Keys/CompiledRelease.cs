using System.Collections.Immutable;
using Assay.Broker.Release;
using Assay.Policy;
using Assay.Sealing.Keys;
using Assay.Service.Judging;
using Assay.Wire;

namespace Assay.Broker.Keys;

/// <summary>A release policy, ready to judge. Immutable, for any number of threads.</summary>
/// <param name="Expectations">What evidence must show.</param>
/// <param name="Conditions">What the verdict must say beside it.</param>
/// <param name="Tests">Its own tests.</param>
/// <param name="Manifest">SHA-384 of the manifest of reference values that the log must have; null: none must be there.</param>
/// <param name="IsBootPhase">Whether it releases to machines between gate and boundary, each boot once.</param>
/// <param name="Token">Whose token is taken, and no evidence; null: evidence is.</param>
/// <param name="Digest">SHA-384 of the document.</param>
public sealed record CompiledRelease(CompiledExpectations Expectations, Conditions Conditions, ImmutableArray<PolicyTest> Tests, Digest? Manifest, bool IsBootPhase, TokenRelease? Token, Digest Digest)
{
    private const string TokenShown = "assay-token.shown";

    /// <summary>Whether a token of NVIDIA's service is taken in place of evidence: by its name among the accepted weakenings, and no other way.</summary>
    public bool AcceptsNras => Expectations.Document.AcceptWeakened.Contains(ReleaseTier.NrasToken, StringComparer.Ordinal);

    /// <summary>The conditions that a verdict does not meet. They are asked about a verdict that passed: nothing is said about evidence that is not proven.</summary>
    public ImmutableArray<string> Unmet(Verdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        // What a policy accepts of tokens, whose service judged the rest, must not be accepted of evidence, where no service did.
        return !verdict.Passed ? [] : Token is null ? Conditions.Unmet(verdict) : [.. Conditions.Unmet(verdict), TokenShown];
    }
}
