using Assay.Simulator;

namespace Assay.Tests.Guest;

/// <summary>S-30: the guest reads measured files only. What somebody says on the command line, in the environment or in another file changes nothing.</summary>
public sealed class GateOverrideTests
{
    [Theory]
    [InlineData("gate", "--dangerously-accept-devtools")]
    [InlineData("gate", "--config=/tmp/mine.json")]
    [InlineData("gate", "--gpus", "0")]
    [InlineData("gate", "--anchors", "mine.json")]
    [InlineData("seal-boot", "--force")]
    [InlineData("agent", "--socket", "/tmp/other.sock")]
    public async Task An_option_is_refused_before_anything_is_read(params string[] words)
    {
        await using var world = await GuestWorld.StartAsync();

        var answer = world.Run(words);

        Assert.Equal(2, answer.ExitCode);
        Assert.Contains("guest.arguments", answer.Error, StringComparison.Ordinal);
        Assert.Empty(world.Events());
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task Variables_of_the_environment_change_nothing()
    {
        (string, string)[] variables =
        [
            ("ASSAY_GPUS", "0"), ("ASSAY_CONFIG", "/tmp/mine.json"), ("ASSAY_ANCHORS", "/tmp/mine.json"), ("ASSAY_DANGEROUSLY_ACCEPT_DEVTOOLS", "1"), ("ASSAY_COLLATERAL_URL", "http://127.0.0.1:1"),
            ("NVAT_OCSP_BASE_URL", "http://127.0.0.1:1"), ("DCAP_TDX_RTMR_SYSFS_PATH", "/tmp/rtmr"), ("DCAP_TDX_QUOTE_CONFIGFS_PATH", "/tmp/tsm"),
        ];
        await using var world = await GuestWorld.StartAsync();
        using (var honest = world.Begin(variables, "gate"))
        {
            Assert.Equal(0, GuestWorld.EndOf(honest).ExitCode);
        }

        var policy = world.Report().GetProperty("gpuPolicy").GetString();
        Assert.Equal(policy, world.Run("digest", world.At("/usr/lib/assay/guest.json")).Output.Trim());

        world.Reboot();
        world.Hardware.Fault = GuestFault.DevTools;
        using var attacked = world.Begin(variables, "gate");
        Assert.Equal(1, GuestWorld.EndOf(attacked).ExitCode);
        Assert.Equal("gate.cc.devtools", world.FaultId());
    }

    [Fact]
    public async Task Other_files_are_not_looked_for()
    {
        await using var world = await GuestWorld.StartAsync();
        const string mine = """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""";
        foreach (var path in new[] { "/etc/assay/guest.json", "/usr/lib/assay/guest.json.d/override.json", "/run/assay/guest.json", "/etc/assay.json" })
        {
            world.Write(path, mine);
        }

        File.WriteAllText(Path.Combine(world.Folder, "guest.json"), mine);
        world.Hardware.Fault = GuestFault.CcOff;

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.cc.off", world.FaultId());
    }

    [Fact]
    public async Task A_skipped_check_is_said_by_its_name_and_writes_an_event_of_its_own()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("gate", "\"dangerously-skip\""), ("devices", null), ("collateralUrl", null));
        world.Hardware.Fault = GuestFault.DevTools;

        Assert.Equal(0, world.Run("gate").ExitCode);
        Assert.Equal(["gpu-policy", "gpu-skipped"], world.Events());
        Assert.Equal("skipped", world.Report().GetProperty("state").GetString());
    }

    [Fact]
    public async Task Where_no_device_is_expected_one_that_is_there_closes_the_gate()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("gate", "\"expect-none\""), ("devices", null), ("collateralUrl", null));

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.devices.count", world.FaultId());
    }
}
