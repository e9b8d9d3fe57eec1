using Assay.Tests.Channels;

namespace Assay.Tests.Published;

/// <summary>Attested channels of the native binary: TLS and judgement are compiled ahead of time.</summary>
public sealed class PublishedChannelTests
{
    [Fact]
    public async Task Its_proxy_opens_a_channel_and_its_check_tells_what_stands_behind_it()
    {
        var binary = PublishedBinary.Require();
        await using var server = await StreamingServer.StartAsync();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);

        using var proxy = await RunningProxy.StartAsync(["proxy", "--listen", "127.0.0.1:0", "--upstream", worker.Url, "--policy", worker.Policy], binary.Program);
        Assert.Equal("hello\n", Peer.Require("curl").Run("-s", $"{proxy.Address}hello").Output);

        var check = binary.Run("client", "check", worker.Url, "--policy", worker.Policy);
        Assert.True(check.ExitCode == 0, check.Text);
        await proxy.SignalAsync("TERM");
        Assert.Equal(0, await proxy.EndAsync());
    }
}
