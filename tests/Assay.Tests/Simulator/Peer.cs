using System.ComponentModel;
using System.Diagnostics;
using Xunit;

namespace Assay.Tests.Simulator;

/// <summary>What another program answered.</summary>
internal sealed record PeerAnswer(int ExitCode, string Output)
{
    public bool Accepted => ExitCode == 0;
}

/// <summary>
/// Runs another implementation beside ours. Where it is not installed the test is skipped, except under CI,
/// where a missing peer is a failure.
/// </summary>
internal static class Peer
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public static PeerAnswer Run(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        try
        {
            using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
            return Wait(process, program);
        }
        catch (Win32Exception missing) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip($"{program} is not installed: {missing.Message}");
            throw;
        }
    }

    private static PeerAnswer Wait(Process process, string program)
    {
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} did not finish within {s_patience}.");
        }

        return new PeerAnswer(process.ExitCode, output.GetAwaiter().GetResult() + error.GetAwaiter().GetResult());
    }
}
