using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Guest;

/// <summary><c>assay demo seal</c> as people run it: the file opens in the VM to which it was sealed, and every other attempt is refused by the fault that has to refuse it.</summary>
public sealed class DemoSealTests
{
    [Fact]
    public async Task What_is_sealed_to_a_judged_VM_opens_there_and_everything_else_is_refused()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "demo", "seal", "--format", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await output;

        Assert.True(process.ExitCode == 0, $"{said}{await error}");
        var json = JsonDocument.Parse(said).RootElement;
        var steps = json.GetProperty("steps").EnumerateArray().ToArray();
        Assert.Equal(4, steps.Length);
        Assert.All(steps, step => Assert.True(step.GetProperty("done").GetBoolean(), $"{step}"));
        var attacks = json.GetProperty("attacks").EnumerateArray().ToArray();
        Assert.All(attacks, attack => Assert.True(attack.GetProperty("refused").GetBoolean(), $"{attack}"));
        Assert.Equal(
            [
                "sealing.pack.id", "sealing.pack.recipient", "sealing.pack.chunk", "sealing.pack.chunk", "sealing.pack.length", "sealing.not-opened",
                "sealing.pack.recipient", "sealing.not-opened", "gate.devices.count", "sealing.pack.recipient",
                "tdx.report-data.match", "tdx.report-data.match", "agent.not-verified", "boot.gpu.attested",
            ],
            attacks.Select(attack => attack.GetProperty("fault").GetString()));
        Assert.All(attacks, attack => Assert.StartsWith($"{attack.GetProperty("fault").GetString()}: ", attack.GetProperty("reason").GetString(), StringComparison.Ordinal));
        Assert.True(json.GetProperty("asExpected").GetBoolean());
    }
}
