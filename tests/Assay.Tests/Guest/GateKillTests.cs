namespace Assay.Tests.Guest;

/// <summary>A gate that is killed: SIGKILL before each of its steps leaves nothing open (S-28). The unit's ExecStopPost is <c>assay-guest revoke</c>.</summary>
public sealed class GateKillTests
{
    public static TheoryData<string> Steps =>
        ["configuration", "log", "ready-off", "gpu-policy", "devices", "mode", "nonce", "collect", "verify", "gpu-attestation", "model", "workload", "ready", "notify"];

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_gate_that_is_killed_at_a_step_leaves_the_devices_unready_and_the_boundary_undrawn(string step)
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.HoldAt = step;
        using var gate = world.Begin("gate");
        Assert.True(SpinWait.SpinUntil(() => world.Hardware.Steps.Contains(step), Patience.Long));

        gate.Kill();
        gate.WaitForExit();
        world.Hardware.Release();

        // Only between the ready state and the word to systemd are the devices ready, and there the unit takes it back.
        Assert.Equal(step is "notify", world.Hardware.IsReady);
        Assert.Equal(0, world.Run("revoke").ExitCode);
        Assert.False(world.Hardware.IsReady);
        Assert.Equal("unfinished", world.Report().GetProperty("state").GetString());
        Assert.Equal(1, world.Run("seal-boot").ExitCode);
        Assert.DoesNotContain("system-ready", world.Events());
    }
}
