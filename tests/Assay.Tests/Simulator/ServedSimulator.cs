using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Assay.Tests.Simulator;

/// <summary>A server that runs until it is disposed; it is ended by its own process id.</summary>
internal sealed partial class ServedSimulator : IDisposable
{
    private readonly Process _process;

    private ServedSimulator(Process process, string address) => (_process, Address) = (process, address);

    public string Address { get; }

    /// <param name="program">The command <c>assay-sim</c>, in words.</param>
    /// <param name="arguments">Its arguments.</param>
    public static ServedSimulator Start(string[] program, params string[] arguments)
    {
        var command = AssayProgram.Interruptible([.. program, .. arguments]);
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true })!;
        var first = process.StandardOutput.ReadLine();
        var address = Printed().Match(first ?? "");
        if (!address.Success)
        {
            process.Kill();
            Assert.Fail($"assay-sim serve printed: {first}");
        }

        return new ServedSimulator(process, address.Value);
    }

    /// <summary>Ends it as an interrupt does, and tells the rest of what it printed.</summary>
    public (int ExitCode, string Said) Stop()
    {
        _ = Peer.Require("kill").Run("-INT", $"{_process.Id}");
        var said = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        return (_process.ExitCode, said);
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    [GeneratedRegex("http://127\\.0\\.0\\.1:[0-9]+")]
    private static partial Regex Printed();
}
