using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Assay.Attestation.Appraisals;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using TimeSource = Assay.Checks.TimeSource;

namespace Assay.Attestation.Policies;

/// <summary>How a policy's own tests went.</summary>
/// <param name="Passed">Whether there is one, and all passed.</param>
/// <param name="Tests">Each of them.</param>
public sealed record PolicyTestReport(bool Passed, ImmutableArray<PolicyTestAnswer> Tests);

/// <summary>How one test went.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Passed">Whether the verdict is the expected one.</param>
/// <param name="Expected">The verdict that was expected.</param>
/// <param name="Found">The verdict that came.</param>
/// <param name="Detail">What failed, or what was not accepted; null: nothing.</param>
public sealed record PolicyTestAnswer(string Name, bool Passed, string Expected, string Found, string? Detail);

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

    // Of a stored case neither can be otherwise: it may be judged at an instant of its own, and need not answer a challenge.
    private static readonly string[] s_ofRecordings = ["time-stated", "nonce-not-given"];

    /// <summary>Runs a version's own tests.</summary>
    public async Task<PolicyTestReport> TestAsync(CompiledPolicy policy, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var answers = ImmutableArray.CreateBuilder<PolicyTestAnswer>();
        foreach (var test in policy.Document.Tests)
        {
            answers.Add(await TestAsync(policy, test, cancellation).ConfigureAwait(false));
        }

        return new PolicyTestReport(answers.Count > 0 && answers.All(answer => answer.Passed), answers.ToImmutable());
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

    private async Task<PolicyTestAnswer> TestAsync(CompiledPolicy policy, PolicyTest test, CancellationToken cancellation)
    {
        if (!MachineEvidence.TryParse(JsonMarshal.GetRawUtf8Value(test.Evidence), test.Name, out var evidence, out var fault))
        {
            return new PolicyTestAnswer(test.Name, false, test.Expect, "malformed", fault.ToString());
        }

        var time = test.At is { } at ? new EvaluationTime(at, TimeSource.Stated) : service.Now();
        var (verdict, wrong) = await service.JudgeAsync(evidence, policy, test.Challenge ?? evidence.StatedNonce, time, cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            return new PolicyTestAnswer(test.Name, false, test.Expect, "malformed", wrong);
        }

        var unaccepted = policy.Unaccepted(verdict).Except(s_ofRecordings, StringComparer.Ordinal).ToArray();
        var found = verdict.Passed && unaccepted.Length > 0 ? "fail" : verdict.Word;
        var failed = AppraisalRoad.FindingsOf(verdict).Where(finding => finding.State is CheckState.Failed || finding.Cause is NotCheckedCause.Missing).Select(finding => finding.Id).Distinct(StringComparer.Ordinal).ToArray();
        var unseen = test.Failing.Except(failed, StringComparer.Ordinal).ToArray();
        return new PolicyTestAnswer(
            test.Name, found == test.Expect && unseen.Length == 0, test.Expect, found,
            unseen.Length > 0 ? $"expected among the failing checks: {string.Join(", ", unseen)}" : verdict.Passed && unaccepted.Length > 0 ? $"not accepted: {string.Join(", ", unaccepted)}" : failed.Length > 0 ? string.Join(", ", failed) : null);
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
            : (verdict.Word, [.. AppraisalRoad.FindingsOf(verdict).Where(finding => finding.State is CheckState.Failed || finding.Cause is NotCheckedCause.Missing).Select(finding => finding.Id).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)]);
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
