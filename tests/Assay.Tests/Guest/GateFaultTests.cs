using Assay.Simulator;

namespace Assay.Tests.Guest;

/// <summary>What must not open the gate, each closed for its own reason, with the GPUs not ready and no boundary behind it.</summary>
public sealed class GateFaultTests
{
    public static TheoryData<GuestFault, string> OfTheHardware => new()
    {
        { GuestFault.CcOff, "gate.cc.off" },
        { GuestFault.DevTools, "gate.cc.devtools" },
        { GuestFault.NotProtected, "gate.cc.mode" },
        { GuestFault.SwitchUnlocked, "gate.switch.mode" },
        { GuestFault.DriverMissesGpu, "gate.driver.count" },
        { GuestFault.MissingGpu, "gate.devices.count" },
        { GuestFault.ForeignDisplay, "gate.bus.foreign" },
        { GuestFault.Replayed, "gate.verdict" },
        { GuestFault.Twice, "gate.verdict" },
        { GuestFault.DeadGpu, "source.gpu.failed" },
        { GuestFault.NoDriver, "source.gpu.absent" },
        { GuestFault.NoSwitchLibrary, "source.switch.absent" },
        { GuestFault.EmptyChain, "gate.verdict" },
        { GuestFault.NoReport, "source.cpu.failed" },
        { GuestFault.OtherReport, "gate.report.other" },
        { GuestFault.RegisterRefuses, "source.register.failed" },
        { GuestFault.RegisterIgnores, "gate.register.ignored" },
        { GuestFault.RegisterTouched, "gate.log.mismatch" },
        { GuestFault.ReadyRefuses, "source.gpu.failed" },
        { GuestFault.ReadyIgnores, "gate.ready.ignored" },
        { GuestFault.ReadySticks, "gate.ready.ignored" },
    };

    [Theory]
    [MemberData(nameof(OfTheHardware))]
    public async Task Hardware_that_is_not_as_configured_ends_the_gate_closed(GuestFault fault, string expected)
    {
        await using var world = await GuestWorld.StartAsync();
        world.Hardware.Fault = fault;

        AssertClosed(world, world.Run("gate"), expected);
    }

    [Theory]
    [InlineData("forged-signature")]
    [InlineData("foreign-authority")]
    [InlineData("swapped-fwid")]
    [InlineData("revoked-device")]
    [InlineData("held-device")]
    [InlineData("device-status-forged")]
    [InlineData("mismatch")]
    [InlineData("replayed-switch")]
    [InlineData("foreign-switch")]
    [InlineData("mixed-modes")]
    [InlineData("altered-rim")]
    [InlineData("revoked-rim-signer")]
    [InlineData("missing-rim")]
    [InlineData("device-status-missing")]
    public async Task Devices_that_do_not_verify_end_the_gate_closed_by_the_check_that_finds_it(string name)
    {
        // The driver's word is about the first GPU: a mode that differs is another's.
        await using var world = await GuestWorld.StartAsync(name, device: name is "mixed-modes" ? 1 : 0);
        var fault = SimulatedFaults.Find(name)!;

        var answer = world.Run("gate");

        AssertClosed(world, answer, fault.Outcome is FaultOutcome.Incomplete ? "gate.collateral.missing" : "gate.verdict");
        var reason = world.Report().GetProperty("fault").GetProperty("reason").GetString()!;
        Assert.Contains(world.Devices.Findings, id => reason.Contains(id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_cache_that_cannot_be_reached_ends_the_gate_closed()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("collateralUrl", "\"http://127.0.0.1:1\""));

        AssertClosed(world, world.Run("gate"), "gate.collateral.missing");
    }

    [Theory]
    [InlineData("devices", """{"gpus":3,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie"}""", "gate.devices.count")]
    [InlineData("devices", """{"gpus":2,"switches":1,"architectures":["HOPPER","LS10"],"mode":"ppcie"}""", "gate.switches.count")]
    [InlineData("devices", """{"gpus":2,"switches":2,"architectures":["BLACKWELL","LS10"],"mode":"ppcie"}""", "gate.architecture")]
    [InlineData("devices", """{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"on"}""", "gate.cc.mode")]
    [InlineData("devices", """{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"devtools"}""", "gate.config.malformed")]
    [InlineData("devices", """{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie","allowDevtools":true}""", "gate.config.malformed")]
    [InlineData("devices", """{"gpus":2,"gpus":0,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie"}""", "gate.config.malformed")]
    [InlineData("devices", null, "gate.config.malformed")]
    [InlineData("gate", "\"skip\"", "gate.config.malformed")]
    [InlineData("gate", null, "gate.config.malformed")]
    [InlineData("gate", "\"expect-none\"", "gate.config.malformed")]
    [InlineData("version", "2", "gate.config.malformed")]
    [InlineData("register", "\"pcr16\"", "gate.config.malformed")]
    [InlineData("register", "\"pcr23\"", "gate.config.malformed")]
    [InlineData("collateralUrl", null, "gate.config.malformed")]
    [InlineData("collateralUrl", "\"http://192.0.2.1\"", "gate.config.malformed")]
    [InlineData("minimumTime", "\"2036-01-01T00:00:00Z\"", "gate.clock")]
    [InlineData("workload", """{"kind":"compose","path":"/etc/app/absent.yaml"}""", "gate.workload.missing")]
    [InlineData("bundle", """{"path":"/var/lib/assay/b","keys":"/usr/lib/assay/absent.json","minimumSequence":0}""", "gate.config.missing")]
    public async Task A_configuration_that_is_not_met_or_not_understood_ends_the_gate_closed(string member, string? json, string expected)
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure((member, json));

        AssertClosed(world, world.Run("gate"), expected);
    }

    [Fact]
    public async Task Without_a_configuration_the_gate_ends_closed()
    {
        await using var world = await GuestWorld.StartAsync();
        File.Delete(world.At("/usr/lib/assay/guest.json"));

        AssertClosed(world, world.Run("gate"), "gate.config.missing");
    }

    [Fact]
    public async Task A_gate_runs_once_in_a_boot_and_again_in_the_next()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);

        AssertClosed(world, world.Run("gate"), "gate.already-ran");

        world.Reboot();
        Assert.Equal(0, world.Run("gate").ExitCode);
        Assert.True(world.Hardware.IsReady);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_hides_that_the_gate_ran_is_found_by_the_register(bool deletes)
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var log = world.At("/run/assay/events.jsonl");
        if (deletes)
        {
            File.Delete(log);
        }
        else
        {
            File.WriteAllLines(log, File.ReadAllLines(log)[..1]);
        }

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.log.mismatch", world.FaultId());
        Assert.False(world.Hardware.IsReady);
    }

    private static void AssertClosed(GuestWorld world, GuestAnswer answer, string expected)
    {
        Assert.True(answer.ExitCode == 1, $"{answer.ExitCode}: {answer.Output}{answer.Error}");
        Assert.Equal(expected, world.FaultId());
        Assert.Contains(expected, answer.Error, StringComparison.Ordinal);
        Assert.Equal("failed", world.Report().GetProperty("state").GetString());
        Assert.False(world.Hardware.IsReady);
        Assert.Equal(1, world.Run("seal-boot").ExitCode);
        Assert.DoesNotContain("system-ready", world.Events());
    }
}
