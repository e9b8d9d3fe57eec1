using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Guest;

/// <summary><c>assay demo channel</c> as people run it: curl reaches the server through both proxies, and what a policy does not accept is refused by the id that has to refuse it.</summary>
public sealed class DemoChannelTests
{
    [Fact]
    public async Task A_client_that_knows_nothing_reaches_its_server_and_diverted_and_relayed_connections_are_refused()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "demo", "channel", "--format", "json"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var said = await output;

        Assert.True(process.ExitCode == 0, $"{said}{await error}");
        var json = JsonDocument.Parse(said).RootElement;
        Assert.Equal("curl", json.GetProperty("client").GetString());
        Assert.Equal(["booted", "called", "passed"], Column("steps", "outcome"));
        // What a weaker policy permits is shown, too.
        Assert.Equal(["refused", "opened", "opened", "refused"], Column("attacks", "outcome"));
        Assert.Equal(["channel.operator.ca", "", "", "channel.verdict"], Column("attacks", "fault"));
        Assert.Contains("channel-any-operator", Column("attacks", "reason")[1], StringComparison.Ordinal);
        Assert.Contains("report.nonce.match", Column("attacks", "reason")[3], StringComparison.Ordinal);
        Assert.Equal(["good", "refused"], Column("checks", "outcome"));
        Assert.StartsWith("channel.verdict: ", Column("checks", "reason")[1], StringComparison.Ordinal);
        Assert.True(json.GetProperty("asExpected").GetBoolean());

        string[] Column(string list, string member) => [.. json.GetProperty(list).EnumerateArray().Select(line => line.GetProperty(member).GetString() ?? "")];
    }
}
