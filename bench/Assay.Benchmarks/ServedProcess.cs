using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Cli.Demo;

namespace Assay.Benchmarks;

/// <summary><c>assay-server</c> as a process, with its metrics and its processor time.</summary>
internal sealed partial class ServedProcess : IAsyncDisposable
{
    // USER_HZ of proc(5): the same on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    private readonly Process _process;
    private readonly string _management;
    private readonly HttpClient _client = new();

    private ServedProcess(Process process, string address, string management, double startMilliseconds) =>
        (_process, Address, _management, StartMilliseconds, StartCpuMilliseconds) = (process, address, management, startMilliseconds, CpuOf(process.Id));

    /// <summary>How old what <see cref="CountAsync"/> returns may be.</summary>
    public static TimeSpan MetricsAge { get; } = TimeSpan.FromSeconds(1);

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "assay-server.dll");

    /// <summary>Where it serves.</summary>
    public string Address { get; }

    /// <summary>From the start of the process until it serves: wall time.</summary>
    public double StartMilliseconds { get; }

    /// <summary>The same: processor time.</summary>
    public double StartCpuMilliseconds { get; }

    /// <summary>Processor time so far.</summary>
    public double CpuMilliseconds => CpuOf(_process.Id);

    /// <summary>Resident memory, megabytes.</summary>
    public double ResidentMegabytes => double.Parse(
        File.ReadLines($"/proc/{_process.Id}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;

    /// <summary>Starts one with this configuration, on ports of its own.</summary>
    public static async Task<ServedProcess> StartAsync(string folder, string name, JsonObject configuration)
    {
        var (address, management) = (Own(), Own());
        configuration["listen"] = new JsonArray(address);
        configuration["management"] = management;
        var file = Path.Combine(folder, $"{name}.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString()).ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        var process = DemoVm.Begin("dotnet", [Program, "run", "--config", file]);
        var log = process.StandardError.ReadToEndAsync();
        return await process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is not null
            ? new ServedProcess(process, $"http://{address}", $"http://{management}", watch.Elapsed.TotalMilliseconds)
            : throw new InvalidOperationException(await log.ConfigureAwait(false));

        static string Own() => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{DemoChannel.FreePort()}");
    }

    /// <summary>The sum of a counter over its labels.</summary>
    public async Task<double> CountAsync(string metric)
    {
        var text = await _client.GetStringAsync(new Uri($"{_management}/metrics")).ConfigureAwait(false);
        return Sample().Matches(text).Where(match => match.Groups[1].Value == metric).Sum(match => double.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private static double CpuOf(int process)
    {
        // proc(5): the name, in brackets, may have spaces; user and system time are fields 14 and 15.
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) * 1000 / TicksPerSecond;
    }

    [GeneratedRegex(@"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{[^\n]*\})? ([0-9.eE+-]+)", RegexOptions.Multiline)]
    private static partial Regex Sample();
}
