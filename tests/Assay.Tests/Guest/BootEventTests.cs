using System.Text.Json.Nodes;
using Assay.Checks;
using Assay.Policy;

namespace Assay.Tests.Guest;

/// <summary>The strongest binding, written by our own gate: the verdict over what it wrote is <c>boot-event</c>, from its own log (S-1).</summary>
public sealed class BootEventTests
{
    private const string Challenge = "Y2hhbGxlbmdlIG9mIGEgcmVseWluZyBwYXJ0eQ==";
    private const string Asked = $$"""{"challenge":"{{Challenge}}","key":"release"}""";

    [Fact]
    public async Task The_verdict_over_what_the_gate_wrote_is_boot_event()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var (status, bundle) = await agent.AskAsync("GetEvidence", Asked);
        var verdict = await GuestVerdict.OfAsync(world, bundle, Challenge);

        Assert.Equal(200, status);
        Assert.True(verdict.Passed, $"{verdict}");
        Assert.Equal("boot-event", verdict.Binding);
        Assert.Equal("proven", verdict.Freshness);
    }

    [Fact]
    public async Task Before_the_boundary_the_same_evidence_binds_nothing_in_the_run_phase()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        using var agent = RunningAgent.Start(world);

        var (_, bundle) = await agent.AskAsync("GetEvidence", Asked);
        var verdict = await GuestVerdict.OfAsync(world, bundle, Challenge);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.NotEqual("boot-event", verdict.Binding);
    }

    [Fact]
    public async Task A_guest_that_skipped_the_check_is_never_one_that_verified_its_devices()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("gate", "\"dangerously-skip\""), ("devices", null), ("collateralUrl", null));
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var (_, bundle) = await agent.AskAsync("GetEvidence", Asked);
        var verdict = await GuestVerdict.OfAsync(world, bundle, Challenge);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.NotEqual("boot-event", verdict.Binding);
    }

    [Fact]
    public async Task A_policy_that_the_relying_party_does_not_list_is_refused()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);

        var (_, bundle) = await agent.AskAsync("GetEvidence", Asked);
        var verdict = await GuestVerdict.OfAsync(world, bundle, Challenge, policy: new string('0', 96));

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains(verdict.Machine!.Parts.Boot!.Findings, finding => finding.State is CheckState.Failed);
    }

    [Fact]
    public async Task Another_log_does_not_explain_the_quote_of_this_boot()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        var (_, bundle) = await agent.AskAsync("GetEvidence", Asked);
        var forged = JsonNode.Parse(bundle.Span)!.AsObject();
        var log = JsonNode.Parse(Convert.FromBase64String(forged["cpu"]!["eventLog"]!.GetValue<string>()))!.AsArray();
        log.RemoveAt(log.Count - 2);
        forged["cpu"]!["eventLog"] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(log.ToJsonString()));

        var verdict = await GuestVerdict.OfAsync(world, System.Text.Encoding.UTF8.GetBytes(forged.ToJsonString()), Challenge);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.NotEqual("boot-event", verdict.Binding);
    }
}
