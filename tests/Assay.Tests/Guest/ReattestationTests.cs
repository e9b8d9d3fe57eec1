using Assay.Collateral.Http;
using Assay.Guest;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Simulator;
using Assay.Simulator.Cli;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Guest;

/// <summary>The agent verifies again: what speaks against a device takes the ready state at once, and what could not be asked only after a measured time.</summary>
public sealed class ReattestationTests
{
    [Fact]
    public async Task Collateral_that_cannot_be_had_keeps_the_ready_state_until_its_measured_age()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var clock = new MovedClock();
        var state = StateOf(world, "http://127.0.0.1:1", clock);

        var kept = await state.VerifyAsync(TestContext.Current.CancellationToken);
        Assert.True(kept.IsReady);
        Assert.Equal("gate.collateral.missing", kept.Fault!.Id);
        Assert.True(world.Hardware.IsReady);

        clock.Ahead = TimeSpan.FromDays(1.5);
        var dropped = await state.VerifyAsync(TestContext.Current.CancellationToken);
        Assert.False(dropped.IsReady);
        Assert.Equal("agent.collateral-too-old", dropped.Fault!.Id);
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task A_clock_that_is_set_back_makes_no_verdict_younger()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var clock = new MovedClock();
        var state = StateOf(world, "http://127.0.0.1:1", clock);

        // A day and a half went by, and the host says that it is last month.
        (clock.Ahead, clock.Passed) = (TimeSpan.FromDays(-30), TimeSpan.FromDays(1.5));
        Assert.True(state.Age > TimeSpan.FromDays(1.4));
        var dropped = await state.VerifyAsync(TestContext.Current.CancellationToken);

        Assert.False(dropped.IsReady);
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task An_agent_that_starts_again_does_not_give_back_what_the_one_before_took_away()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        Assert.Equal(0, world.Run("seal-boot").ExitCode);
        world.Hardware.Answer("{\"op\":\"gpu.set-ready\",\"ready\":0}"u8.ToArray());

        using var agent = RunningAgent.Start(world);
        var health = await agent.JsonAsync("Health");

        Assert.False(health.GetProperty("ready").GetBoolean());
        Assert.Equal("agent.ready.lost", health.GetProperty("fault").GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_device_that_was_revoked_since_takes_the_ready_state_at_once()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        Assert.True(world.Devices.TryWith(SimulatedFaults.Find("revoked-device")!, new FaultTarget(), out var revoked, out var whyNot), whyNot);
        await using var services = ServeCommand.Build(revoked, 0);
        await services.StartAsync(TestContext.Current.CancellationToken);
        var state = StateOf(world, services.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), TimeProvider.System);

        var dropped = await state.VerifyAsync(TestContext.Current.CancellationToken);

        Assert.False(dropped.IsReady);
        Assert.Equal("gate.verdict", dropped.Fault!.Id);
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task Genuine_devices_that_are_not_those_of_the_boot_take_the_ready_state_at_once()
    {
        await using var world = await GuestWorld.StartAsync();
        await using var other = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var (own, foreign) = (new HardwareInProcess(world.Hardware), new HardwareInProcess(other.Hardware));
        other.Hardware.Answer("{\"op\":\"gpu.set-ready\",\"ready\":1}"u8.ToArray());
        var state = new AgentState(ConfigurationOf(world, other.Url), own.Sources with { Gpus = foreign, Switches = foreign, Bus = foreign }, new GuestPaths(world.Root), TimeProvider.System);

        var dropped = await state.VerifyAsync(TestContext.Current.CancellationToken);

        Assert.False(dropped.IsReady);
        Assert.Equal("agent.device.replaced", dropped.Fault!.Id);
        Assert.False(other.Hardware.IsReady);
    }

    [Fact]
    public async Task An_honest_machine_stays_ready_with_a_newer_verdict()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var state = StateOf(world, world.Url, TimeProvider.System);
        var before = state.Snapshot.VerifiedAt;

        var again = await state.VerifyAsync(TestContext.Current.CancellationToken);

        Assert.True(again.IsReady);
        Assert.Null(again.Fault);
        Assert.True(again.VerifiedAt > before);
        Assert.Equal(["gpu-policy", "gpu-attestation"], world.Events());
    }

    private static AgentState StateOf(GuestWorld world, string url, TimeProvider clock) =>
        new(ConfigurationOf(world, url), new HardwareInProcess(world.Hardware).Sources, new GuestPaths(world.Root), clock);

    private static GuestConfiguration ConfigurationOf(GuestWorld world, string url) =>
        GuestConfigurationReader.Read(new GuestPaths(world.Root).Configuration, new GuestPaths(world.Root), MeasuredPlace.Anywhere) with { CollateralUrl = ServiceAddress.TryParse(url, out var address, out var fault) ? address : throw new InvalidOperationException($"{fault}") };

    private sealed class MovedClock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        /// <summary>What a clock that only goes on has seen pass.</summary>
        public TimeSpan Passed { get; set; }

        public override long GetTimestamp() => System.GetTimestamp() + (long)(Passed.TotalSeconds * TimestampFrequency);

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }
}
