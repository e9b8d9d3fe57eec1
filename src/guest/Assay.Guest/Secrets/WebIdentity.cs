using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Assay.Guest.Agent;

namespace Assay.Guest.Secrets;

/// <summary>
/// Runs a program with a token in a file where clouds' SDKs look for one, and writes the file again before the token ends. The file is of mode 600 on a
/// tmpfs, and is removed when the program ends.
/// </summary>
internal static class WebIdentity
{
    private const string Memory = "/dev/shm";
    private const string Part = ".new";
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(10);

    // S-21.
    private static readonly TimeSpan s_longestLife = TimeSpan.FromMinutes(5);
    private static readonly string[] s_folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    private static readonly string[] s_variables = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE", "ASSAY_TOKEN_FILE"];

    /// <summary>Returns the program's exit code.</summary>
    /// <param name="paths">Where the agent listens.</param>
    /// <param name="audience">For whom the token is.</param>
    /// <param name="file">Where it is put: a path that does not exist; null for one in a new folder on <c>/dev/shm</c>.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="clock">Says when the token ends.</param>
    /// <param name="cancellation">Ends the program.</param>
    /// <exception cref="GuestException">There is no token, the file exists, or the program does not start.</exception>
    public static async Task<int> RunAsync(GuestPaths paths, string audience, string? file, string[] command, TimeProvider clock, CancellationToken cancellation)
    {
        var program = ProgramOf(command[0]);
        // Before the program starts: where there is no token, it does not run.
        var (token, ends) = await GetAsync(paths, audience, cancellation).ConfigureAwait(false);
        using var signals = new Signals();
        var folder = file is null ? Folder(paths) : null;
        var path = file is null ? Path.Combine(folder!, "token") : Path.GetFullPath(file);
        try
        {
            Write(path, token, isNew: true);
            try
            {
                return await RunAsync(paths, audience, path, ends, Start(path, program, command[1..]), signals, clock, cancellation).ConfigureAwait(false);
            }
            finally
            {
                File.Delete(path);
                File.Delete(path + Part);
            }
        }
        finally
        {
            if (folder is not null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static async Task<int> RunAsync(GuestPaths paths, string audience, string path, DateTimeOffset ends, Process started, Signals signals, TimeProvider clock, CancellationToken cancellation)
    {
        using var process = started;
        signals.Pass(process);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var renewing = RenewAsync(paths, audience, path, ends, clock, over.Token);
        try
        {
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            await renewing.ConfigureAwait(false);
        }

        return process.ExitCode;
    }

    private static async Task RenewAsync(GuestPaths paths, string audience, string path, DateTimeOffset ends, TimeProvider clock, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                // Two thirds of its life: a service that is away for a while is tried again before the token ends. A clock that was set says no more than a
                // token's longest life.
                var rest = TimeSpan.FromTicks(Math.Clamp((ends - clock.GetUtcNow()).Ticks, 0, s_longestLife.Ticks)) * 2 / 3;
                await Task.Delay(rest > s_again ? rest : s_again, clock, cancellation).ConfigureAwait(false);
                try
                {
                    (var token, ends) = await GetAsync(paths, audience, cancellation).ConfigureAwait(false);
                    Write(path, token, isNew: false);
                }
                catch (GuestException exception)
                {
                    await Console.Error.WriteLineAsync($"assay-guest: the token could not be renewed and is asked for again: {exception.Fault}").ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The program ended.
        }
    }

    private static async Task<(string Token, DateTimeOffset Ends)> GetAsync(GuestPaths paths, string audience, CancellationToken cancellation)
    {
        var (status, answer) = await AgentClient.AskAsync(paths.AgentSocket, "GetToken", AgentClient.Body(("audience", audience)), cancellation).ConfigureAwait(false);
        try
        {
            using var document = JsonDocument.Parse(answer);
            var root = document.RootElement;
            return status == 200 ? (root.GetProperty("token").GetString()!, root.GetProperty("expiresAt").GetDateTimeOffset())
                : throw new GuestException(root.GetProperty("type").GetString()!.Split(':')[^1], root.GetProperty("title").GetString()!, root.GetProperty("detail").GetString()!);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new GuestException("ctl.agent", Encoding.UTF8.GetString(answer.Span), "see that the agent runs");
        }
    }

    private static string Folder(GuestPaths paths)
    {
        var folder = Path.Combine(paths.Under(Memory), $"assay-token-{Path.GetRandomFileName()}");
        try
        {
            // On a disk it would be the host's.
            if (paths.Root.Length == 0 && new DriveInfo(Memory).DriveFormat is not "tmpfs")
            {
                throw new IOException($"{Memory} is no tmpfs");
            }

            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return folder;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("ctl.token-file", exception.Message, "mount a tmpfs on /dev/shm, or give --file");
        }
    }

    // Never half a token: who reads while it is written again reads the old one or the new one.
    private static void Write(string path, string token, bool isNew)
    {
        var part = isNew ? path : path + Part;
        try
        {
            if (!isNew)
            {
                // Of a time before that was killed.
                File.Delete(part);
            }

            using (var stream = new FileStream(part, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                stream.Write(Encoding.ASCII.GetBytes(token));
            }

            if (!isNew)
            {
                File.Move(part, path, overwrite: true);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("ctl.token-file", exception.Message, "give a path that does not exist, in a folder of this user's");
        }
    }

    // Of a bare name in the system's own folders alone: .NET would take a program of that name out of the current folder, and S-30 forbids PATH.
    private static string ProgramOf(string name) => name.Contains('/', StringComparison.Ordinal) ? Path.GetFullPath(name)
        : s_folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new GuestException("ctl.token-program", $"{name}: not in {string.Join(", ", s_folders)}", "give the program's path");

    private static Process Start(string path, string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false };
        foreach (var variable in s_variables)
        {
            start.Environment[variable] = path;
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new GuestException("ctl.token-program", $"{program}: {exception.Message}", "give a program that exists and may be run");
        }
    }

    /// <summary>What would end this process is passed on: the file is removed when the program ended, and not before.</summary>
    private sealed class Signals : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly PosixSignalRegistration[] _registrations;
        private Process? _process;
        private int _early;

        public Signals() => _registrations =
        [
            // A terminal sends it to the program as well.
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Take(context, 15)),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Take(context, 1)),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => Take(context, 3)),
        ];

        public void Pass(Process process)
        {
            lock (_lock)
            {
                _process = process;
                if (_early != 0)
                {
                    _ = NativeMethods.Kill(process.Id, _early);
                }
            }
        }

        public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());

        private void Take(PosixSignalContext context, int signal)
        {
            context.Cancel = true;
            lock (_lock)
            {
                _early = signal;
                if (_process is { HasExited: false } process)
                {
                    _ = NativeMethods.Kill(process.Id, signal);
                }
            }
        }
    }

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "kill")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Kill(int process, int signal);
    }
}
