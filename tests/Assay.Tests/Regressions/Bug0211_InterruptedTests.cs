using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Assay.Tests.Regressions;

/// <summary>Ctrl-C ended a verification with 70, the code of a bug, and shells did not see that it was interrupted.</summary>
public class Bug0211_InterruptedTests
{
    [Fact]
    public async Task An_interrupted_verification_exits_130()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no signals");
        var cancellation = TestContext.Current.CancellationToken;
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}";
        var arguments = AssayProgram.Interruptible(
        [
            .. AssayProgram.Words("assay"), "verify", "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), "--rim-url", url, "--dangerously-skip-revocation",
        ]);
        using var process = Process.Start(new ProcessStartInfo(arguments[0], arguments[1..]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        using var asked = await silent.AcceptTcpClientAsync(cancellation);
        _ = Peer.Require("kill").Run("-INT", $"{process.Id}");
        await process.WaitForExitAsync(cancellation);

        Assert.Equal(130, process.ExitCode);
    }
}
