using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Assay.Attestation.Appraisals;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Service.Judging;
using TimeSource = Assay.Checks.TimeSource;

namespace Assay.Attestation.Policies;

/// <summary>What a version would answer to the machines that were judged lately.</summary>
/// <param name="Tried">How many appraisals.</param>
/// <param name="WouldRefuse">Machines that passed, and would not.</param>
/// <param name="WouldAccept">Machines that did not pass, and would.</param>
/// <param name="FromClaims">Of how many only the verdict is left, so that no more than binding, counts and weakenings could be compared.</param>
/// <param name="Changes">Those that would change.</param>
public sealed record DryRunReport(int Tried, int WouldRefuse, int WouldAccept, int FromClaims, ImmutableArray<DryRunChange> Changes);

/// <summary>One machine's answer that would change.</summary>
/// <param name="Appraisal">Which appraisal.</param>
/// <param name="Was">What it got.</param>
/// <param name="WouldBe">What it would get.</param>
/// <param name="Basis"><c>evidence</c>: its raw evidence was judged again; <c>claims</c>: only those are left.</param>
/// <param name="Why">The checks, or weakenings, that make the difference.</param>
public sealed record DryRunChange(string Appraisal, string Was, string WouldBe, string Basis, ImmutableArray<string> Why);

/// <summary>Tries a version of a policy: on its own tests, and on what was judged lately. Nothing that comes out of it is a token.</summary>
public sealed class PolicyTrial(AttestationService service, AppraisalStore appraisals)
{
    /// <summary>Appraisals that one dry run judges at the most.</summary>
    public const int MostTried = 1000;

    /// <summary>Runs a version's own tests.</summary>
    public Task<PolicyTestReport> TestAsync(CompiledPolicy policy, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return PolicyTests.RunAsync(
            policy.Document.Tests, service.Now(),
            async (evidence, challenge, time) =>
            {
                var (verdict, fault) = await service.JudgeAsync(evidence, policy, challenge, time, cancellation).ConfigureAwait(false);
                return new PolicyCase(verdict, fault, verdict is null ? [] : policy.Unaccepted(verdict), []);
            });
    }

    /// <summary>Judges the latest appraisals of the policy again, as they would be judged now.</summary>
    public async Task<DryRunReport> DryRunAsync(CompiledPolicy policy, int most, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var changes = ImmutableArray.CreateBuilder<DryRunChange>();
        var (tried, fromClaims) = (0, 0);
        foreach (var (row, verdict, evidence) in await appraisals.OfPolicyAsync(policy.Document.Id, policy.Tenant, most, cancellation).ConfigureAwait(false))
        {
            tried++;
            fromClaims += evidence is null ? 1 : 0;
            var (wouldBe, why) = evidence is not null ? await JudgeAsync(policy, evidence, row.Nonce, cancellation).ConfigureAwait(false) : OfClaims(policy, verdict, row);
            var was = row.TokenId is not null ? "pass" : row.Verdict is "pass" ? "weakened" : row.Verdict;
            if (was != wouldBe)
            {
                changes.Add(new DryRunChange(row.Id, was, wouldBe, evidence is null ? "claims" : "evidence", why));
            }
        }

        return new DryRunReport(tried, changes.Count(change => change.Was is "pass"), changes.Count(change => change.WouldBe is "pass"), fromClaims, changes.ToImmutable());
    }

    private async Task<(string Word, ImmutableArray<string> Why)> JudgeAsync(CompiledPolicy policy, byte[] evidence, string nonce, CancellationToken cancellation)
    {
        if (!MachineEvidence.TryParse(evidence, "stored", out var machine, out _))
        {
            return ("fail", ["malformed"]);
        }

        var (verdict, fault) = await service.JudgeAsync(machine, policy, nonce, service.Now(), cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            return ("fail", [fault!]);
        }

        var unaccepted = verdict.Passed ? policy.Unaccepted(verdict) : [];
        return !unaccepted.IsEmpty ? ("weakened", unaccepted)
            : (verdict.Word, VerdictFindings.FailedOrMissing(verdict));
    }

    // What can be said without evidence: never that it would pass where it did not.
    private static (string Word, ImmutableArray<string> Why) OfClaims(CompiledPolicy policy, byte[]? verdict, AppraisalRow row)
    {
        var was = row.TokenId is not null ? "pass" : row.Verdict is "pass" ? "weakened" : row.Verdict;
        if (verdict is null || was != "pass")
        {
            return (was, []);
        }

        using var document = JsonDocument.Parse(verdict);
        var (root, expect) = (document.RootElement, policy.Document.Expect);
        var devices = root.GetProperty("devices").EnumerateArray().CountBy(device => device.GetProperty("type").GetString() ?? "").ToDictionary(pair => pair.Key, pair => pair.Value);
        var why = ImmutableArray.CreateBuilder<string>();
        why.AddRange(root.GetProperty("weakened").EnumerateArray().Select(name => name.GetString()!).Where(name => !expect.AcceptWeakened.Contains(name)));
        if (expect.Gpus is { } gpus && devices.GetValueOrDefault("gpu") != gpus)
        {
            why.Add("machine.gpus.count");
        }

        if (expect.Switches is { } switches && devices.GetValueOrDefault("nvswitch") != switches)
        {
            why.Add("machine.switches.count");
        }

        if (expect.Binding is "boot-event" && root.GetProperty("binding").GetString() != "boot-event")
        {
            why.Add("machine.gpu.bound");
        }

        return why.Count > 0 ? ("fail", why.ToImmutable()) : (was, []);
    }
}
