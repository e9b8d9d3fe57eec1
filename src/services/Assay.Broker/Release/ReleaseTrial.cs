using System.Collections.Immutable;
using Assay.Broker.Keys;
using Assay.Broker.Logs;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Service.Judging;
using Assay.Service.Log;

namespace Assay.Broker.Release;

/// <summary>What a release policy would say to a machine now.</summary>
/// <param name="Released">Whether the machine would get the key.</param>
/// <param name="Why">The reasons why not, as in the log; empty if it would.</param>
/// <param name="Verdict"><c>pass</c>, <c>fail</c> or <c>incomplete</c>; null without evidence.</param>
/// <param name="Binding">How GPU and confidential VM are bound; null without evidence.</param>
/// <param name="Tier">What that is worth; null without evidence.</param>
/// <param name="Failed">Checks that fail or miss something, and conditions that do not hold.</param>
/// <param name="Unaccepted">Weakenings that the policy does not accept.</param>
/// <param name="PolicyDigest">SHA-384 of the policy that was tried.</param>
/// <param name="Tests">How its own tests went; null if it has none.</param>
public sealed record ReleaseTrialReport(
    bool Released, ImmutableArray<string> Why, string? Verdict, string? Binding, string? Tier, ImmutableArray<string> Failed, ImmutableArray<string> Unaccepted, string PolicyDigest, PolicyTestReport? Tests);

/// <summary>
/// Tries release policies: on their own tests, and on evidence that was kept. No way leads from here to a secret, no challenge is used, and nothing is
/// written: what evidence would get is told to those who write the policies.
/// </summary>
internal sealed class ReleaseTrial(ReleaseJudge judge, KeyStore keys, FreezeStore freezes, TransparencyLog log)
{
    private const string NoRecipient = "no-key-to-seal-to";

    /// <summary>Runs a policy's own tests; null where it has none.</summary>
    public async Task<PolicyTestReport?> TestAsync(string id, CompiledRelease policy, CancellationToken cancellation) =>
        policy.Tests.IsEmpty ? null : await PolicyTests.RunAsync(policy.Tests, judge.Now(), (evidence, challenge, time) => JudgeAsync(id, policy, evidence, challenge, time, cancellation)).ConfigureAwait(false);

    /// <summary>What the key's policy, or another one in its place, says to a machine now. Null without a fault where there is no policy, and with one where evidence and challenge cannot be put together.</summary>
    /// <param name="tenant">Whose key.</param>
    /// <param name="id">Which key.</param>
    /// <param name="draft">The other policy; null: the one in force.</param>
    /// <param name="evidence">The machine's; null: the policy's own tests alone.</param>
    /// <param name="challenge">What it answers; null: the nonce that it states.</param>
    /// <param name="at">The instant at which it is judged; null: now.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    public async Task<(ReleaseTrialReport? Report, string? Fault)> DryRunAsync(string tenant, string id, CompiledRelease? draft, MachineEvidence? evidence, string? challenge, DateTimeOffset? at, CancellationToken cancellation)
    {
        var record = await keys.OpenAsync(tenant, id, cancellation).ConfigureAwait(false) ?? throw new InvalidOperationException("the caller looks whether there is such a key");
        if ((draft ?? (record.Policy is { } text ? judge.Compile(tenant, id, text) : null)) is not { } policy)
        {
            return (null, null);
        }

        var tests = await TestAsync(id, policy, cancellation).ConfigureAwait(false);
        var why = ImmutableArray.CreateBuilder<string>();
        if (record.State != KeyStore.Enabled)
        {
            why.Add($"key-{record.State}");
        }

        why.AddRange((await freezes.ListAsync(tenant, cancellation).ConfigureAwait(false)).Where(freeze => freeze.Covers(id)).Select(freeze => $"frozen:{freeze.Id}"));
        if (evidence is null)
        {
            return (new ReleaseTrialReport(false, why.ToImmutable(), null, null, null, [], [], policy.Digest.ToString(), tests), null);
        }

        var time = at is { } stated ? new EvaluationTime(stated, Checks.TimeSource.Stated) : judge.Now();
        var found = await JudgeAsync(id, policy, evidence, challenge ?? evidence.StatedNonce, time, cancellation).ConfigureAwait(false);
        if (found.Verdict is not { } verdict)
        {
            return (null, found.Fault);
        }

        (string Reason, bool Applies)[] all =
        [
            ("evidence-refused", !verdict.Passed),
            ("verdict-weakened", verdict.Passed && !found.Weakenings.IsEmpty),
            ("conditions-unmet", found.Unmet.Any(name => name != NoRecipient)),
            (ManifestEndpoints.NotLogged, policy.Manifest is { } manifest && log.LastSeen(tenant, ManifestEndpoints.SubjectOf(manifest)) is null),
            (NoRecipient, verdict.Passed && found.Unmet.Contains(NoRecipient)),
        ];
        why.AddRange(all.Where(item => item.Applies).Select(item => item.Reason));
        return (new ReleaseTrialReport(why.Count == 0, why.ToImmutable(), verdict.Word, verdict.Binding, ReleaseTier.Of(verdict), [.. found.Failing.Where(name => name != NoRecipient)], found.Weakenings, policy.Digest.ToString(), tests), null);
    }

    private async Task<PolicyCase> JudgeAsync(string id, CompiledRelease policy, MachineEvidence evidence, string? challenge, EvaluationTime time, CancellationToken cancellation)
    {
        var (verdict, fault) = await judge.JudgeAsync(id, policy, evidence, challenge, time, cancellation).ConfigureAwait(false);
        return verdict is null ? new PolicyCase(null, fault, [], [])
            : new PolicyCase(verdict, null, policy.Expectations.Unaccepted(verdict), [.. policy.Unmet(verdict), .. ReleaseJudge.RecipientOf(verdict) is null ? [NoRecipient] : Array.Empty<string>()]);
    }
}
