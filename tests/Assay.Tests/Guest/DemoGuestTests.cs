using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Guest;

/// <summary><c>assay demo guest</c> as people run it: the honest boot binds, and every attack on the boot ends closed.</summary>
public sealed class DemoGuestTests
{
    [Fact]
    public async Task The_guest_boots_through_its_gate_to_boot_event_and_every_attack_ends_closed()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "demo", "guest", "--format", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await output;

        Assert.True(process.ExitCode == 0, $"{said}{await error}");
        var json = JsonDocument.Parse(said).RootElement;
        Assert.Equal(("open", "pass", "boot-event"), (json.GetProperty("gate").GetString(), json.GetProperty("verdict").GetString(), json.GetProperty("binding").GetString()));
        var attacks = json.GetProperty("attacks").EnumerateArray().ToArray();
        Assert.Equal(6, attacks.Length);
        Assert.All(attacks, attack => Assert.True(attack.GetProperty("closed").GetBoolean(), $"{attack}"));
    }
}
