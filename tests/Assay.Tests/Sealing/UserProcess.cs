using System.Diagnostics;
using System.Globalization;

namespace Assay.Tests.Sealing;

/// <summary>
/// A program under an ordinary user of its own, and what root and another process of that user can do to it. A shell waits for it and says how it ended:
/// "core dumped" where the kernel wrote a core, wherever cores go.
/// </summary>
internal sealed class UserProcess : IDisposable
{
    /// <summary>Nobody else's.</summary>
    public const string User = "61234";

    private readonly Process _shell;

    /// <param name="folder">Where it runs.</param>
    /// <param name="words">The program and its arguments.</param>
    public UserProcess(string folder, params IEnumerable<string> words)
    {
        var script = $"cd {folder}; ulimit -c unlimited || exit; {Shell([.. AsUnprivileged(), .. words])}; echo ended $?";
        _shell = Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        // Where cores are forbidden (the machine's limit, or a test that hardened its own process), the shell says so and ends: without cores nothing is shown.
        // The shell's child becomes setpriv, and setpriv the program.
        int? child = null;
        Assert.True(SpinWait.SpinUntil(() => (child = Child()) is not null || _shell.HasExited, Patience.Long));
        Assert.False(child is null, child is null ? End() : "");
        Id = child!.Value;
    }

    public int Id { get; }

    public StreamWriter Input => _shell.StandardInput;

    public StreamReader Output => _shell.StandardOutput;

    public StreamReader Error => _shell.StandardError;

    public bool HasEnded => _shell.HasExited;

    /// <summary>Looking into a process of another user, and starting one, is for root alone.</summary>
    public static void RequireRoot()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "only root can look into another process and give it a user of its own");
        _ = Peer.Require("gdb");
        _ = Peer.Require("setpriv");
    }

    public static IEnumerable<string> AsUnprivileged() => Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={User}", $"--regid={User}", "--clear-groups"] : ["env"];

    public static string Shell(IEnumerable<string> words) => string.Join(' ', words.Select(word => $"'{word}'"));

    /// <summary>Runs a program as another process of the same user.</summary>
    public static PeerAnswer AsUser(params IEnumerable<string> words) => Peer.Require("setpriv").Run([.. AsUnprivileged().Skip(1), .. words]);

    /// <summary>Whether a process of the same user reads this memory.</summary>
    public bool IsReadBySameUser(ulong address, int length)
    {
        var answer = AsUser("/usr/bin/python3", "-c", $"import os; m = os.open('/proc/{Id}/mem', os.O_RDONLY); print(len(os.pread(m, {length}, {address})))");
        return answer.Accepted && answer.Output.Trim() == $"{length}";
    }

    /// <summary>Whether a process of the same user takes a core of it.</summary>
    public bool IsDumpedBySameUser(string folder)
    {
        var file = Path.Combine(folder, $"stolen.{Id}");
        _ = AsUser("gdb", "--nx", "--batch", "--readnever", "-ex", $"attach {Id}", "-ex", $"gcore {file}", "-ex", "detach");
        return File.Exists(file);
    }

    /// <summary>A core that root takes.</summary>
    public string Core(string folder)
    {
        var answer = Peer.Require("gcore").Run("-o", Path.Combine(folder, "core"), Id.ToString(CultureInfo.InvariantCulture));
        var file = Path.Combine(folder, $"core.{Id}");
        Assert.True(File.Exists(file), answer.Output);
        return file;
    }

    /// <summary>Ends it as a crash does, with the signal SYS, which no runtime catches; what was said until then, and how it ended.</summary>
    public string Crash()
    {
        Assert.True(Peer.Require("bash").Run("-c", $"kill -SYS {Id}").Accepted);
        return End();
    }

    /// <summary>What was said until the end.</summary>
    public string End()
    {
        var error = _shell.StandardError.ReadToEndAsync();
        var output = _shell.StandardOutput.ReadToEnd();
        return output + error.Result;
    }

    public void Dispose()
    {
        _shell.Kill(entireProcessTree: true);
        _shell.WaitForExit();
        _shell.Dispose();
    }

    private int? Child()
    {
        try
        {
            return File.ReadAllText($"/proc/{_shell.Id}/task/{_shell.Id}/children").Trim().Split(' ') is [{ Length: > 0 } child, ..]
                && File.ResolveLinkTarget($"/proc/{child}/exe", returnFinalTarget: false)?.Name is not (null or "bash" or "setpriv" or "env")
                ? int.Parse(child, CultureInfo.InvariantCulture) : null;
        }
        // It comes into being, or is gone.
        catch (IOException)
        {
            return null;
        }
    }
}
