using System.Diagnostics;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>304, found by a new user: the page of the first key ended without a release on one machine, because nothing made the reference values and the evidence that it speaks of.</summary>
public sealed class Bug0304_APageThatEndsInAReleaseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-kept-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_demonstration_of_the_broker_leaves_what_each_party_has_and_runs_for_commands_that_are_typed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no signals");
        var kept = Path.Combine(_folder, "broker");
        var words = AssayProgram.Interruptible([.. AssayProgram.Words("assay"), "demo", "broker", "--out", kept]);
        using var demo = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = demo.StandardError.ReadToEndAsync(Cancellation);
        List<string> commands = [];
        while (commands.Count < 7 && await demo.StandardOutput.ReadLineAsync(Cancellation) is { } line)
        {
            if (line.StartsWith("  ./assay ", StringComparison.Ordinal) || line.StartsWith("  dotnet ", StringComparison.Ordinal))
            {
                commands.Add(line.Trim());
            }
        }

        Assert.True(commands.Count == 7, demo.HasExited ? await error : "no commands");
        var answers = commands.Select(command => Run(command.Split(' '))).ToArray();
        _ = Peer.Require("kill").Run("-INT", $"{demo.Id}");
        await demo.WaitForExitAsync(Cancellation);

        Assert.Equal("0 0 0 0 0 0 1", string.Join(' ', answers.Select(answer => answer.ExitCode)));
        Assert.Contains("would be released", answers[1].Output, StringComparison.Ordinal);
        Assert.Matches("^[0-9a-f]{64} ", answers[2].Output);
        Assert.Contains("key.release", answers[3].Output, StringComparison.Ordinal);
        Assert.Contains("does not release the key weights to this machine", answers[6].Output, StringComparison.Ordinal);
        Assert.DoesNotContain(".:", answers[6].Output, StringComparison.Ordinal);
        Assert.Equal(0, demo.ExitCode);
        Assert.All(["server.json", "owner.key", "machine.key", "operator.key", "log.key", "references.json", "policy.json", "evidence.json"], name => Assert.True(File.Exists(Path.Combine(kept, name)), name));
    }

    private static PeerAnswer Run(string[] words) => words[0] == "./assay" ? new AssayCommand().Run(words[1..]) : Peer.Require(words[0]).Run(words[1..]);
}
