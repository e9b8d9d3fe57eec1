using System.Diagnostics;
using System.Globalization;
using Assay.Cli.Demo;
using Npgsql;

namespace Assay.Tests.Service;

/// <summary>A PostgreSQL server of the distribution's, on loopback, of one test or benchmark alone: started by it, and stopped by its process id.</summary>
internal sealed class PostgresProcess : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-postgres-").FullName;
    private readonly int _port = DemoChannel.FreePort();
    private readonly string _programs;
    private Process? _process;

    private PostgresProcess(string programs) => _programs = programs;

    public string Connection => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Database=postgres;Username=postgres;Maximum Pool Size=20");

    /// <summary>The same as an address, for its own programs.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"postgresql://postgres@127.0.0.1:{_port}/postgres");

    /// <summary>Where the distribution's newest one is; null: it is not installed.</summary>
    public static string? Programs { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Select(version => Path.Combine(version, "bin")).LastOrDefault(bin => File.Exists(Path.Combine(bin, "initdb")))
        : null;

    public static async Task<PostgresProcess> StartAsync(string programs, params string[] settings)
    {
        var server = new PostgresProcess(programs);
        server.Initialize();
        await server.RunAsync(settings).ConfigureAwait(false);
        return server;
    }

    /// <summary>The power goes off.</summary>
    public async Task KillAsync()
    {
        // The postmaster alone: its children see that and end, as after a crash.
        _process!.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        File.Delete(Path.Combine(_folder, "data", "postmaster.pid"));
    }

    public async Task RunAsync(params string[] settings)
    {
        string[] words = [Path.Combine(_programs, "postgres"), "-D", Path.Combine(_folder, "data"), "-p", _port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={_folder}", "-c", "max_connections=200", .. settings];
        _process = Start(words);
        _ = _process.StandardError.ReadToEndAsync();
        _ = _process.StandardOutput.ReadToEndAsync();
        using var patience = new CancellationTokenSource(DemoVm.Patience);
        while (!await AnswersAsync().ConfigureAwait(false))
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException("PostgreSQL does not start");
            }

            await Task.Delay(50, patience.Token).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            // SIGINT is its fast stop: it ends its sessions, and its children with it.
            using var stop = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
            await stop.WaitForExitAsync().ConfigureAwait(false);
            await _process.WaitForExitAsync().ConfigureAwait(false);
        }

        _process?.Dispose();
        NpgsqlConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    private void Initialize()
    {
        // It refuses to run as an administrator.
        if (Environment.UserName == "root")
        {
            using var give = Process.Start("chown", ["postgres", _folder]);
            give.WaitForExit();
        }

        using var made = Start([Path.Combine(_programs, "initdb"), "-D", Path.Combine(_folder, "data"), "-A", "trust", "-U", "postgres", "--no-sync"]);
        var output = made.StandardOutput.ReadToEndAsync();
        var error = made.StandardError.ReadToEnd();
        made.WaitForExit();
        if (made.ExitCode != 0)
        {
            throw new InvalidOperationException($"{output.Result}{error}");
        }
    }

    private static Process Start(string[] words)
    {
        string[] all = Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", .. words] : words;
        return Process.Start(new ProcessStartInfo(all[0], all[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            var connection = new NpgsqlConnection($"{Connection};Pooling=false;Timeout=2");
            await using (connection.ConfigureAwait(false))
            {
                await connection.OpenAsync().ConfigureAwait(false);
                return true;
            }
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}
