using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Tests.Cli;

/// <summary><c>assay verify --policy X.rego</c>: NVIDIA's policies over real evidence, what refuses, and what is never asked about.</summary>
public sealed partial class RegoVerifyTests(ReadyMadePolicyTests.Authority authority) : IClassFixture<ReadyMadePolicyTests.Authority>
{
    private const string Always = "package policy\nimport rego.v1\nnv_match := true";

    private static readonly DateTimeOffset s_now = EvaluationTime.ReleaseDate.AddDays(1);

    public static TheoryData<string> Faults => [.. SimulatedFaults.All.Where(fault => !fault.NeedsMachine && fault.WhyNot?.Invoke(DeviceProfile.Hopper580) is null).Select(fault => fault.Name)];

    [Theory]
    [InlineData("switch_relying_party_policy.rego", true, false)]
    [InlineData("rp-policy-permissive.rego", false, true)]
    [InlineData("allow_trust_outpost_ocsp.rego", false, false)]
    public void NVIDIAs_policies_decide_about_real_sets_as_they_are_described(string policy, bool acceptsSwitch, bool acceptsGpu)
    {
        var file = Recorded.PathOf($"nvidia/policies/rego/{policy}");
        string[] common = ["verify", "--dangerously-skip-revocation", "--policy", file];

        var s1 = new AssayCommand().Says(
            acceptsSwitch ? 0 : 1,
            [.. common, "--evidence", Recorded.PathOf("nvidia/switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json"), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_switch"), "--at", "2026-11-01T00:00:00Z"]);
        var g1 = new AssayCommand().Says(
            acceptsGpu ? 0 : 1,
            [.. common, "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--at", "2024-06-01T00:00:00Z"]);

        // Nothing but the policy refused.
        Assert.Contains(acceptsSwitch ? "policy.rules.satisfied             data.policy.nv_match is true" : "data.policy.nv_match is false", s1, StringComparison.Ordinal);
        Assert.Contains(acceptsGpu ? "policy.rules.satisfied             data.policy.nv_match is true" : "data.policy.nv_match is false", g1, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nv_match if input[0].nope == 1", "is undefined")]
    [InlineData("default nv_match := false", "is false")]
    [InlineData("nv_match := 1", "is a number and not a boolean")]
    [InlineData("nv_match := \"true\"", "is a string and not a boolean")]
    [InlineData("nv_match := [true]", "is an array and not a boolean")]
    [InlineData("nv_match := null", "is null and not a boolean")]
    [InlineData("nv_match contains true", "is a set and not a boolean")]
    [InlineData("nv_match if count(numbers.range(1, 1000000000)) > 0", "eval_budget_error")]
    [InlineData("nv_match if count([1 | some x in numbers.range(1, 9999); some y in numbers.range(1, 9999); x + y == 0]) == 0", "eval_budget_error")]
    [InlineData("nv_match := answer if some answer in [true, false]", "eval_conflict_error")]
    [InlineData("nv_match if to_number(\"x\") > 0", "is undefined")]
    public async Task Whatever_is_not_true_refuses_with_its_reason(string rule, string reason)
    {
        var judge = PolicyJudge.Of($"package policy\nimport rego.v1\n{rule}\n");
        using var world = World("none");

        var verdict = await judge.JudgeAsync(world, Answers.Fresh);

        Assert.Equal(1, judge.Asked);
        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains(verdict.PolicyFindings, finding => finding.Reason?.Contains(reason, StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData(null, "data.policy.nv_match", null, "name it with --policy")]
    [InlineData(null, null, "{}", "name it with --policy")]
    [InlineData("nv_match if input.x", "data.policy.nv_mtach", null, "data.policy.nv_mtach is no rule of it; it has data.policy.nv_match")]
    [InlineData("nv_match if input.x", "nv_match", null, "is no rule of it; it has")]
    [InlineData("nv_match if input.x", "1 == 1", null, "1 == 1 is no rule of it")]
    [InlineData("nv_match if input.x", "true", null, "true is no rule of it")]
    [InlineData("nv_match if input.x", null, """{"policy":{"nv_match":true}}""", "where the rule is undefined, the data would be used instead")]
    [InlineData("nv_match if input.x", "data.limits.ok", """{"limits":{"ok":true}}""", "data.limits.ok is no rule of it")]
    [InlineData("nv_match if input.x", null, "[]", "one JSON object is expected, found an array")]
    public void Nothing_but_a_rule_of_the_policy_decides(string? rule, string? query, string? data, string reason)
    {
        var folder = Directory.CreateTempSubdirectory("assay-rego-").FullName;
        try
        {
            List<string> arguments =
            [
                "verify", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"),
                "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"),
            ];
            if (rule is not null)
            {
                File.WriteAllText(Path.Combine(folder, "p.rego"), $"package policy\nimport rego.v1\n{rule}\n");
                arguments.AddRange(["--policy", Path.Combine(folder, "p.rego")]);
            }

            if (query is not null)
            {
                arguments.AddRange(["--query", query]);
            }

            if (data is not null)
            {
                File.WriteAllText(Path.Combine(folder, "data.json"), data);
                arguments.AddRange(["--policy-data", Path.Combine(folder, "data.json")]);
            }

            Assert.Contains(reason, new AssayCommand().Says(2, arguments), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task The_clock_of_a_policy_is_the_instant_of_judgement()
    {
        using var world = World("none");
        var nanoseconds = ((world.Now - DateTimeOffset.UnixEpoch).Ticks * 100).ToString(CultureInfo.InvariantCulture);

        Assert.Equal(VerdictKind.Pass, (await PolicyJudge.Of($"package policy\nimport rego.v1\nnv_match if time.now_ns() == {nanoseconds}").JudgeAsync(world, Answers.Fresh)).Kind);
        Assert.Equal(VerdictKind.Fail, (await PolicyJudge.Of($"package policy\nimport rego.v1\nnv_match if time.now_ns() != {nanoseconds}").JudgeAsync(world, Answers.Fresh)).Kind);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task No_policy_is_asked_about_what_claims_do_not_show(string fault)
    {
        var judge = PolicyJudge.Of(Always);
        using var world = World(fault);
        // An answer about revocation that is not authentic is none: what is missing comes before any policy.
        var isNoAnswer = fault is "device-responder-without-authority" or "rim-responder-without-authority" or "device-status-forged";
        var isShown = world.Fault.Outcome is FaultOutcome.Refused && !isNoAnswer && world.Findings.All(finding => Shown().IsMatch(finding));

        var verdict = await judge.JudgeAsync(world, Answers.Fresh);

        Assert.Equal(isShown ? 1 : 0, judge.Asked);
        Assert.Equal(isShown, verdict.Kind is VerdictKind.Pass);
        Assert.Equal(isShown, world.Findings.All(finding => verdict.AllowedAlthough.Any(allowed => allowed.Finding.Id == finding)));
    }

    [Theory]
    [InlineData("replayed-switch")]
    [InlineData("gpu-twice")]
    [InlineData("missing-switch")]
    [InlineData("foreign-switch")]
    [InlineData("two-moments")]
    [InlineData("mixed-modes")]
    public async Task No_policy_is_asked_about_a_machine_that_is_none(string fault)
    {
        Assert.True(
            SimulatedWorld.TryCreateMachine(
                authority.Value, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, 2, 2, SimulatedFaults.Find(fault)!, new FaultTarget(), s_now, out var world, out var whyNot),
            whyNot);
        using var _ = world;
        var judge = PolicyJudge.Of(Always);

        var verdict = await judge.JudgeAsync(world, Answers.Fresh);

        Assert.Equal(0, judge.Asked);
        Assert.NotEqual(VerdictKind.Pass, verdict.Kind);
    }

    [Fact]
    public async Task Another_rule_sees_the_EAR_and_Trustees_data()
    {
        using var world = World("none");
        var source = Encoding.UTF8.GetBytes("package policy\nimport rego.v1\nallow if {\n\tinput.submods.gpu0[\"ear.status\"] == \"affirming\"\n\tdata.plugin == \"resource\"\n}\n");

        Assert.Equal(VerdictKind.Pass, (await new PolicyJudge("trustee.rego", source, null).JudgeAsync(world, Answers.Fresh)).Kind);
        Assert.Equal(VerdictKind.Fail, (await new PolicyJudge("trustee.rego", source, "{}", "data.policy.allow").JudgeAsync(world, Answers.Fresh)).Kind);
    }

    private SimulatedWorld World(string fault)
    {
        Assert.True(SimulatedWorld.TryCreate(authority.Value, DeviceProfile.Hopper580, SimulatedFaults.Find(fault)!, new FaultTarget(), s_now, out var world, out var whyNot), whyNot);
        return world;
    }

    [GeneratedRegex(@"\.chain\.(current|not-revoked|not-held)$|^measurements\.((driver|vbios|switch)\.match|min-svn\.met)$")]
    private static partial Regex Shown();
}
