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

    /// <summary>Before the boundary's event and after it: a killed <c>seal-boot</c> never tells systemd, so that no workload starts.</summary>
    [Theory]
    [InlineData("system-ready", false)]
    [InlineData("sealed", true)]
    public async Task A_boundary_that_is_killed_while_it_is_drawn_is_drawn_once_or_never_and_no_workload_is_told(string step, bool isDrawn)
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        using var told = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Unspecified);
        var address = Path.Combine(world.Folder, "notify.sock");
        told.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(address));
        world.Hardware.HoldAt = step;
        using var seal = world.Begin([("NOTIFY_SOCKET", address)], "seal-boot");
        Assert.True(SpinWait.SpinUntil(() => world.Hardware.Steps.Contains(step), Patience.Long));

        seal.Kill();
        seal.WaitForExit();
        world.Hardware.Release();

        Assert.Equal(0, told.Available);
        Assert.Equal(isDrawn, world.Events().Contains("system-ready"));
        // The unit is not started again in this boot; whoever did by hand gets the event once.
        Assert.Equal(isDrawn ? 1 : 0, world.Run("seal-boot").ExitCode);
        Assert.Single(world.Events(), name => name == "system-ready");
    }
}
