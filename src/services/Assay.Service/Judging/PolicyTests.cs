using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;

namespace Assay.Service.Judging;

/// <summary>Evidence, and the verdict that the policy must give it.</summary>
public sealed record PolicyTest
{
    /// <summary>A sentence.</summary>
    public required string Name { get; init; }

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>.</summary>
    public required string Expect { get; init; }

    /// <summary>The evidence, as an appraisal takes it.</summary>
    public required JsonElement Evidence { get; init; }

    /// <summary>The challenge that it answers; null: the nonce that the evidence states. Where it states none, none is asked, and a pass is then weakened by nonce-not-given, which the test overlooks.</summary>
    public string? Challenge { get; init; }

    /// <summary>The instant at which it is judged, in UTC; null: now. No token is ever written at a stated time (S-13).</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>Checks that must be among those that fail.</summary>
    public ImmutableArray<string> Failing { get; init; } = [];

    /// <summary>What is wrong with it; null: nothing.</summary>
    public string? WhyNot(int index) =>
        Name.Length is 0 or > 200 ? $"$.tests[{index}].name: 1 to 200 characters are expected"
        : Expect is not ("pass" or "fail" or "incomplete") ? $"$.tests[{index}].expect: pass, fail or incomplete is expected"
        : Failing.IsDefault ? $"$.tests[{index}].failing: an array is expected"
        : null;
}

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

/// <summary>What a policy made of a case.</summary>
/// <param name="Verdict">Null where evidence and challenge cannot be put together.</param>
/// <param name="Fault">Why not.</param>
/// <param name="Unaccepted">Weakenings that the policy does not accept.</param>
/// <param name="Unmet">What it asks for beside the verdict and did not get.</param>
public sealed record PolicyCase(Verdict? Verdict, string? Fault, ImmutableArray<string> Unaccepted, ImmutableArray<string> Unmet)
{
    /// <summary>Of a stored case neither can be otherwise: it may be judged at an instant of its own, and need not answer a challenge.</summary>
    public static ImmutableArray<string> OfRecordings { get; } = ["time-stated", "nonce-not-given"];

    /// <summary>Weakenings that are not accepted, and are no consequence of its being stored.</summary>
    public ImmutableArray<string> Weakenings => [.. Unaccepted.Except(OfRecordings, StringComparer.Ordinal)];

    /// <summary>Checks that failed or miss something, and what is unmet; sorted.</summary>
    public ImmutableArray<string> Failing => [.. (Verdict is null ? [] : VerdictFindings.FailedOrMissing(Verdict)).Concat(Unmet).Order(StringComparer.Ordinal)];

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>: a verdict that the policy does not accept as it is counts as <c>fail</c>.</summary>
    public string Word => Verdict is not { } verdict ? "malformed" : verdict.Passed && (!Weakenings.IsEmpty || !Unmet.IsEmpty) ? "fail" : verdict.Word;
}

/// <summary>Runs tests of policies, whatever the policy decides about.</summary>
public static class PolicyTests
{
    /// <summary>Runs them, one after the other.</summary>
    /// <param name="tests">The policy's.</param>
    /// <param name="now">The instant of a test that states none.</param>
    /// <param name="judge">What the policy makes of evidence, a challenge and an instant.</param>
    public static async Task<PolicyTestReport> RunAsync(ImmutableArray<PolicyTest> tests, EvaluationTime now, Func<MachineEvidence, string?, EvaluationTime, Task<PolicyCase>> judge)
    {
        ArgumentNullException.ThrowIfNull(judge);
        var answers = ImmutableArray.CreateBuilder<PolicyTestAnswer>();
        foreach (var test in tests)
        {
            answers.Add(await RunAsync(test, now, judge).ConfigureAwait(false));
        }

        return new PolicyTestReport(answers.Count > 0 && answers.All(answer => answer.Passed), answers.ToImmutable());
    }

    private static async Task<PolicyTestAnswer> RunAsync(PolicyTest test, EvaluationTime now, Func<MachineEvidence, string?, EvaluationTime, Task<PolicyCase>> judge)
    {
        if (!MachineEvidence.TryParse(JsonMarshal.GetRawUtf8Value(test.Evidence), test.Name, out var evidence, out var fault))
        {
            return new PolicyTestAnswer(test.Name, false, test.Expect, "malformed", fault.ToString());
        }

        var found = await judge(evidence, test.Challenge ?? evidence.StatedNonce, test.At is { } at ? new EvaluationTime(at, TimeSource.Stated) : now).ConfigureAwait(false);
        var (failing, weakenings) = (found.Failing, found.Weakenings);
        var unseen = test.Failing.Except(failing, StringComparer.Ordinal).ToArray();
        return new PolicyTestAnswer(
            test.Name, found.Word == test.Expect && unseen.Length == 0, test.Expect, found.Word,
            found.Fault is not null ? found.Fault
            : unseen.Length > 0 ? $"expected among the failing checks: {string.Join(", ", unseen)}"
            : found.Verdict is { Passed: true } && weakenings.Length > 0 ? $"not accepted: {string.Join(", ", weakenings)}"
            : failing.Length > 0 ? string.Join(", ", failing) : null);
    }
}
