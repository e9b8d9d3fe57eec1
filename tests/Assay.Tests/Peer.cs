using System.Diagnostics;

namespace Assay.Tests;

/// <summary>What another program answered: its exit code, and both its outputs as one text.</summary>
internal sealed record PeerAnswer(int ExitCode, string Output)
{
    public bool Accepted => ExitCode == 0;
}

/// <summary>
/// An independent program that judges the same bytes. Absent peer: a failure where CI=true, a visible skip elsewhere.
/// </summary>
internal sealed class Peer
{
    private readonly string _path;

    private Peer(string path) => _path = path;

    /// <summary>Where it is.</summary>
    public string Program => _path;

    public static Peer Require(string program)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
        if (found is null && Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail($"{program} is not installed; eng/test installs it where it may");
        }

        Assert.SkipWhen(found is null, $"{program} is not installed");
        return new Peer(found!);
    }

    /// <summary>An interpreter that has a module. Debian's own, because modules of the distribution are not seen by others.</summary>
    public static Peer RequireModule(string interpreter, string module, string package)
    {
        var peer = new Peer(interpreter);
        var present = File.Exists(interpreter) && peer.Run("-c", $"import {module}").Accepted;
        if (!present && Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail($"{package} is not installed; eng/test installs it where it may");
        }

        Assert.SkipUnless(present, $"{package} is not installed");
        return peer;
    }

    /// <summary>Runs the program to its end.</summary>
    public PeerAnswer Run(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(_path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience.Long))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{Path.GetFileName(_path)} did not end within {Patience.Long}");
        }

        return new PeerAnswer(process.ExitCode, output.Result + error.Result);
    }
}
