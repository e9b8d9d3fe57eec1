namespace Assay.Tests.Cli;

/// <summary>The command as a user runs it: a process of its own, arguments in, exit code and text out.</summary>
internal sealed class AssayCommand
{
    private readonly Peer _dotnet = Peer.Require("dotnet");

    public PeerAnswer Run(params IEnumerable<string> arguments) => _dotnet.Run([Path.Combine(AppContext.BaseDirectory, "assay.dll"), .. arguments]);

    /// <summary>Runs it, and expects this exit code.</summary>
    public string Says(int code, params IEnumerable<string> arguments)
    {
        var answer = Run(arguments);
        Assert.True(code == answer.ExitCode, $"{answer.ExitCode}: {answer.Output}");
        return answer.Output;
    }
}
