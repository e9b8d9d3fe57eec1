namespace Assay.Tests.Cli;

/// <summary>The command as a user runs it: a process of its own, arguments in, exit code and text out.</summary>
internal sealed class AssayCommand
{
    private readonly string[] _words = AssayProgram.Words("assay");

    public PeerAnswer Run(params IEnumerable<string> arguments) => Peer.Require(_words[0]).Run([.. _words[1..], .. arguments]);

    /// <summary>Runs it, and expects this exit code.</summary>
    public string Says(int code, params IEnumerable<string> arguments)
    {
        var answer = Run(arguments);
        Assert.True(code == answer.ExitCode, $"{answer.ExitCode}: {answer.Output}");
        return answer.Output;
    }
}
