using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Service;

/// <summary><c>assay demo service</c> and <c>assay demo broker</c> as people run them.</summary>
public sealed class DemoServiceTests
{
    [Fact]
    public async Task The_chapter_gives_a_VM_a_token_that_discovery_verifies_and_refuses_every_attack()
    {
        var json = await RunAsync("service");
        Assert.Equal((3, 1, 4), (json.GetProperty("steps").GetArrayLength(), json.GetProperty("nvidia").GetArrayLength(), json.GetProperty("attacks").GetArrayLength()));
    }

    [Fact]
    public async Task The_chapter_releases_a_key_to_a_VM_denies_it_to_impostors_and_proves_it_from_the_log()
    {
        var json = await RunAsync("broker");
        Assert.Equal((5, 2, 5, 2), (json.GetProperty("steps").GetArrayLength(), json.GetProperty("protocols").GetArrayLength(), json.GetProperty("attacks").GetArrayLength(), json.GetProperty("log").GetArrayLength()));
    }

    private static async Task<JsonElement> RunAsync(string chapter)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "demo", chapter, "--format", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await output;

        Assert.True(process.ExitCode == 0, $"{said}{await error}");
        var json = JsonElement.Parse(said);
        Assert.True(json.GetProperty("asExpected").GetBoolean());
        return json;
    }
}
