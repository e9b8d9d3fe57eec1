namespace Assay.Tests.Regressions;

/// <summary>Two of ./assay, ./assay-sim and ./assay bench at one time built the same files at one time, and each built for itself what the others had.</summary>
public sealed class Bug0281_TwoBuildsAtOnceTests : IDisposable
{
    // Notes when it builds while another does, and leaves a process behind, as the compiler's server is.
    private const string Compiler = """
        #!/bin/sh
        cd "$(dirname "$0")"
        [ "$1" = build ] || { echo "ran $(basename "$1")"; exit 0; }
        mkdir building 2>/dev/null || echo both >>log
        [ ! -e broken ] || { rmdir building; echo "error CS0000"; exit 1; }
        [ ! -e terminated ] || { rmdir building; exit 0; }
        sleep 1.5
        mkdir -p src/tools/Assay.Cli/bin/Release/net10.0 src/tools/Assay.Simulator.Cli/bin/Release/net10.0 bench/Assay.Benchmarks/bin/Release/net10.0
        touch src/tools/Assay.Cli/bin/Release/net10.0/assay.dll src/tools/Assay.Simulator.Cli/bin/Release/net10.0/assay-sim.dll bench/Assay.Benchmarks/bin/Release/net10.0/Assay.Benchmarks.dll
        rmdir building
        echo "Build succeeded."
        echo built >>log
        sleep 600 >/dev/null 2>&1 </dev/null &
        echo $! >>left
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("assay-build-").FullName;

    public Bug0281_TwoBuildsAtOnceTests()
    {
        foreach (var script in (string[])["assay", "assay-sim"])
        {
            File.Copy(Path.Combine(Repository.Root, script), At(script));
        }

        foreach (var folder in (string[])["src", "bench", "eng", "docs/troubleshooting"])
        {
            Directory.CreateDirectory(At(folder));
        }

        foreach (var file in (string[])["src/Program.cs", "Directory.Build.props", "global.json", "eng/Binary.props"])
        {
            File.WriteAllText(At(file), "");
        }

        File.WriteAllText(At("dotnet"), Compiler);
        _ = Peer.Require("chmod").Run("755", At("dotnet"));
    }

    public void Dispose()
    {
        foreach (var process in File.Exists(At("left")) ? File.ReadAllLines(At("left")) : [])
        {
            _ = Peer.Require("kill").Run(process);
        }

        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task Two_at_one_time_build_once_and_both_run()
    {
        var both = await Task.WhenAll(Task.Run(() => Run("./assay version")), Task.Run(() => Run("./assay-sim faults")));

        Assert.Contains("ran assay.dll", both[0].Output, StringComparison.Ordinal);
        Assert.Contains("ran assay-sim.dll", both[1].Output, StringComparison.Ordinal);
        Assert.Equal("built\n", Log);
        Assert.Equal("ran Assay.Benchmarks.dll\n", Run("./assay bench").Output);
        Assert.Equal("built\n", Log);
    }

    [Fact]
    public void What_changed_is_built_again_and_what_an_earlier_build_left_running_holds_up_none()
    {
        Assert.StartsWith("ran assay.dll\n", Run("./assay version").Output, StringComparison.Ordinal);
        _ = Run("touch src/Program.cs");

        // Where it waited it would say so, and wait for ten minutes.
        Assert.DoesNotContain("waiting", Run("./assay version").Output, StringComparison.Ordinal);
        Assert.Equal("built\nbuilt\n", Log);
    }

    [Fact]
    public void A_build_that_fails_shows_why_and_runs_nothing()
    {
        File.WriteAllText(At("broken"), "");

        var answer = Run("./assay version");

        Assert.Equal(70, answer.ExitCode);
        Assert.Contains("error CS0000", answer.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ran", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_build_that_was_terminated_is_no_build_though_its_exit_code_is_0()
    {
        _ = Run("./assay version");
        _ = Run("touch terminated src/Program.cs");
        Assert.Equal(70, Run("./assay version").ExitCode);

        _ = Run("rm terminated");
        Assert.Equal(0, Run("./assay version").ExitCode);
        Assert.Equal("built\nbuilt\n", Log);
    }

    [Fact]
    public void A_terminal_shows_the_seconds_and_a_file_one_line()
    {
        var piped = Run("./assay version").Output;
        _ = Run("touch src/Program.cs");
        var terminal = Run("TERM=xterm script -qec './assay version' /dev/null").Output;

        Assert.Equal("ran assay.dll\nassay: building, once; the first time packages are restored and it takes a minute or two\n", piped);
        Assert.Contains("two: 1 s", terminal, StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[Kran assay.dll\r\n", terminal, StringComparison.Ordinal);
    }

    private string Log => File.ReadAllText(At("log"));

    private string At(string name) => Path.Combine(_root, name);

    private PeerAnswer Run(string command) => Peer.Require("bash").Run("-c", $"cd '{_root}' && PATH='{_root}':\"$PATH\" && {command}");
}
