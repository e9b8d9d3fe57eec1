using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust;

namespace Assay.Service.Judging;

/// <summary>The one road from evidence to a verdict, for every service: its own clock, its own anchors, its own collateral (S-13).</summary>
/// <param name="trust">Under whose anchors.</param>
/// <param name="patience">How long all the fetching of one appraisal may take.</param>
/// <param name="cache">What verified before.</param>
/// <param name="clock">The service's clock.</param>
public sealed class MachineJudge(TrustSet trust, TimeSpan patience, VerifierCache cache, TimeProvider clock)
{
    /// <summary>The anchors.</summary>
    public TrustSet Trust => trust;

    /// <summary>Now, by the service's clock and no other.</summary>
    public EvaluationTime Now() => new(clock.GetUtcNow(), Checks.TimeSource.System);

    /// <summary>Judges evidence under a policy's expectations.</summary>
    /// <param name="evidence">What a machine shows.</param>
    /// <param name="expectations">The policy's.</param>
    /// <param name="terms">Who decides about the claims.</param>
    /// <param name="challenge">The challenge's own characters, from the service's table.</param>
    /// <param name="time">Now; of a policy's test, the instant that it states.</param>
    /// <param name="source">Where collateral comes from.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    /// <returns>The verdict; null with a fault where evidence and challenge cannot be put together, or the policy's reference values ended.</returns>
    public async Task<(Verdict? Verdict, string? Fault)> JudgeAsync(
        MachineEvidence evidence, CompiledExpectations expectations, VerdictTerms terms, string? challenge, EvaluationTime time, CachedSource source, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expectations);
        return expectations.Expectations(time, trust, challenge, evidence.Key is not null, out var ended) is { } expected
            ? await JudgeAsync(evidence, expected, terms, source, cancellation).ConfigureAwait(false)
            : (null, $"the policy's reference values: {ended}");
    }

    /// <summary>Judges evidence.</summary>
    public async Task<(Verdict? Verdict, string? Fault)> JudgeAsync(MachineEvidence evidence, MachineExpectations expected, VerdictTerms terms, CachedSource source, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(source);
        if (!MachineAppraisal.TryAuthenticate(evidence, expected, cache, out var machine, out var fault))
        {
            return (null, fault.ToString());
        }

        source.Learn(evidence.Devices);
        var appraiser = new MachineAppraiser(source, cache) { Patience = patience, Time = clock };
        var collateral = await appraiser.FetchAsync(machine, progress: null, cancellation).ConfigureAwait(false);
        return (Verdict.Of(machine, collateral, given: null, terms, cache), null);
    }
}
