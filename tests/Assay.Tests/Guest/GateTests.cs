namespace Assay.Tests.Guest;

/// <summary>The gate as a process on simulated hardware: what it writes, in which order, and when the GPUs become ready (S-28).</summary>
public sealed class GateTests
{
    [Fact]
    public async Task An_honest_machine_opens_the_gate_and_its_events_stand_in_their_order()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("model", $"\"{new string('a', 96)}\""), ("workload", "{\"kind\":\"compose\",\"path\":\"/etc/app/compose.yaml\"}"));
        world.Write("/etc/app/compose.yaml", "services: {}\n");

        var answer = world.Run("gate");

        Assert.Equal((0, ""), (answer.ExitCode, answer.Error));
        Assert.True(world.Hardware.IsReady);
        Assert.Equal(["gpu-policy", "gpu-attestation", "model", "workload"], world.Events());
        Assert.Equal("verified", world.Report().GetProperty("state").GetString());

        Assert.Equal(0, world.Run("seal-boot").ExitCode);
        Assert.Equal("system-ready", world.Events()[^1]);
    }
}
