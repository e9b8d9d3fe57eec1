using Assay.Simulator;

namespace Assay.Tests.Guest;

/// <summary>
/// The units under a real systemd: what starts a workload, and what does not (S-28). The gate runs on simulated hardware; the order, the kills and the
/// revocation are systemd's own.
/// </summary>
public sealed class SystemdBootTests(BootedRoot root) : IClassFixture<BootedRoot>
{
    // As docs/operations/guest-image.md says that a workload is written.
    private const string Workload = """
        [Unit]
        Requires=assay-gate.service assay-seal-boot.service
        After=assay-gate.service assay-seal-boot.service
        BindsTo=assay-gate.service assay-seal-boot.service

        [Service]
        ExecStart=/bin/sleep 100000

        """;

    [Fact]
    public async Task A_workload_starts_after_gate_and_boundary_and_ends_with_the_gate()
    {
        await using var world = await GuestWorld.StartAsync();
        var mode = File.GetUnixFileMode("/dev/null");
        using var machine = root.Start(world, Workload);

        machine.WaitFor("workload.service", "active");
        // Bug0295: the console was a link to the /dev/null of the machine that runs the tests, which got the console's mode: no user could write to it any more.
        Assert.Equal(mode, File.GetUnixFileMode("/dev/null"));
        Assert.Equal(["gpu-policy", "gpu-attestation", "system-ready"], world.Events());
        Assert.True(world.Hardware.IsReady);

        machine.Says("systemctl", "stop", "assay-gate.service");
        Assert.Equal("inactive", machine.StateOf("workload.service"));
        Assert.Equal("inactive", machine.StateOf("assay-seal-boot.service"));
        Assert.False(world.Hardware.IsReady);

        // A second gate in this boot, by whatever hand, opens nothing.
        machine.Says("systemctl", "start", "workload.service");
        machine.WaitForQuiet();
        Assert.Equal("gate.already-ran", world.FaultId());
        Assert.Equal("inactive", machine.StateOf("workload.service"));
        Assert.False(world.Hardware.IsReady);
    }

    [Theory]
    [InlineData("collect")]
    [InlineData("verify")]
    [InlineData("ready")]
    [InlineData("notify")]
    public async Task A_gate_that_is_killed_leaves_the_devices_off_and_nothing_started(string step)
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.HoldAt = step;
        using var machine = root.Start(world, Workload);
        BootedMachine.Until(() => world.Hardware.Steps.Contains(step));
        Assert.Equal("activating", machine.StateOf("assay-gate.service"));

        machine.Says("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "assay-gate.service");
        machine.WaitFor("assay-gate.service", "failed");
        machine.WaitForQuiet();

        Assert.Equal("signal", machine.ResultOf("assay-gate.service"));
        Assert.False(world.Hardware.IsReady);
        Assert.Equal("inactive", machine.StateOf("workload.service"));
        Assert.Equal("inactive", machine.StateOf("assay-seal-boot.service"));
        Assert.Equal("unfinished", world.Report().GetProperty("state").GetString());
        Assert.DoesNotContain("system-ready", world.Events());
    }

    [Fact]
    public async Task A_workload_that_is_started_by_hand_between_gate_and_boundary_waits()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.HoldAt = "system-ready";
        using var machine = root.Start(world, Workload);
        BootedMachine.Until(() => world.Hardware.Steps.Contains("system-ready"));

        machine.Says("systemctl", "start", "--no-block", "workload.service");

        Assert.Equal("active", machine.StateOf("assay-gate.service"));
        Assert.Equal("inactive", machine.StateOf("workload.service"));
        world.Hardware.Release();
        machine.WaitFor("workload.service", "active");
        Assert.Equal("system-ready", world.Events()[^1]);
    }

    [Fact]
    public async Task What_is_fetched_in_the_boot_phase_is_there_before_the_boundary()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.HoldAt = "system-ready";
        var fetched = Path.Combine(world.Folder, "fetched");
        root.Write("key.service", $"""
            [Unit]
            After=assay-gate.service
            Before=assay-boot-phase.target

            [Service]
            Type=oneshot
            ExecStart=/bin/sh -c 'sleep 2; touch {fetched}'

            """, wantedBy: "assay-boot-phase.target");
        try
        {
            using var machine = root.Start(world, Workload);

            BootedMachine.Until(() => world.Hardware.Steps.Contains("system-ready"));

            Assert.True(File.Exists(fetched));
        }
        finally
        {
            root.Remove("key.service", wantedBy: "assay-boot-phase.target");
        }
    }

    [Fact]
    public async Task A_gate_that_ends_closed_is_not_started_again_and_nothing_behind_it_is()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.Fault = GuestFault.CcOff;
        using var machine = root.Start(world, Workload);
        machine.WaitFor("assay-gate.service", "failed");
        machine.WaitForQuiet();

        machine.Says("systemctl", "start", "workload.service");

        Assert.Equal("inactive", machine.StateOf("workload.service"));
        Assert.Equal("inactive", machine.StateOf("assay-seal-boot.service"));
        Assert.False(world.Hardware.IsReady);
        Assert.Equal("0", machine.Says("systemctl", "show", "--property=NRestarts", "--value", "assay-gate.service"));
    }
}
