using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Service;

/// <summary><c>assay demo service</c> as people run it.</summary>
public sealed class DemoServiceTests
{
    [Fact]
    public async Task The_chapter_gives_a_VM_a_token_that_discovery_verifies_and_refuses_every_attack()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "demo", "service", "--format", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await output;

        Assert.True(process.ExitCode == 0, $"{said}{await error}");
        var json = JsonElement.Parse(said);
        Assert.Equal((3, 1, 4), (json.GetProperty("steps").GetArrayLength(), json.GetProperty("nvidia").GetArrayLength(), json.GetProperty("attacks").GetArrayLength()));
        Assert.True(json.GetProperty("asExpected").GetBoolean());
    }
}
