using System.Diagnostics;
using System.Globalization;
using Assay.Cli.Demo;
using Npgsql;

namespace Assay.Tests.Service;

/// <summary>A PostgreSQL server of the distribution's, on loopback, of this test alone: started by it, and stopped by its process id.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-postgres-").FullName;
    private readonly int _port = DemoChannel.FreePort();
    private readonly string _programs;
    private Process? _process;

    private PostgresServer(string programs) => _programs = programs;

    public string Connection => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Database=postgres;Username=postgres;Maximum Pool Size=20");

    public static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        var programs = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Select(version => Path.Combine(version, "bin")).LastOrDefault(bin => File.Exists(Path.Combine(bin, "initdb"))) : null;
        if (programs is null && Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail("postgresql is not installed; eng/test installs it where it may");
        }

        Assert.SkipWhen(programs is null, "postgresql is not installed");
        var server = new PostgresServer(programs!);
        server.Initialize();
        await server.RunAsync(settings);
        return server;
    }

    /// <summary>The power goes off.</summary>
    public async Task KillAsync()
    {
        // The postmaster alone: its children see that and end, as after a crash.
        _process!.Kill();
        await _process.WaitForExitAsync();
        File.Delete(Path.Combine(_folder, "data", "postmaster.pid"));
    }

    public async Task RunAsync(params string[] settings)
    {
        string[] words = [Path.Combine(_programs, "postgres"), "-D", Path.Combine(_folder, "data"), "-p", _port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={_folder}", "-c", "max_connections=200", .. settings];
        _process = Start(words);
        _ = _process.StandardError.ReadToEndAsync();
        _ = _process.StandardOutput.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Patience.Long);
        while (!await AnswersAsync())
        {
            Assert.False(_process.HasExited, "PostgreSQL does not start");
            await Task.Delay(50, patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            // SIGINT is its fast stop: it ends its sessions, and its children with it.
            using var stop = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
            await stop.WaitForExitAsync();
            await _process.WaitForExitAsync();
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
        Assert.True(made.ExitCode == 0, $"{output.Result}{error}");
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
            await using var connection = new NpgsqlConnection($"{Connection};Pooling=false;Timeout=2");
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}
