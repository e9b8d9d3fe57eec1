using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Assay.Benchmarks;

/// <summary>What <c>wrk</c> saw.</summary>
/// <param name="Answers">How many 200 were answered.</param>
/// <param name="Seconds">In which time.</param>
/// <param name="P50">Milliseconds.</param>
/// <param name="P99">Milliseconds.</param>
internal sealed record WrkResult(long Answers, double Seconds, double P50, double P99);

/// <summary>Sends each line of a file once, as the body of a request.</summary>
internal static partial class Wrk
{
    // wrk asks for one request that it does not send, to look at it. A body that was sent is spent: after the last one the connections wait, and what they would ask is harmless.
    private const string Script = """
        local bodies, sent, passed, failed, mean = {}, -1, 0, 0, 0
        function init(arguments)
            math.randomseed(1)
            for line in io.lines(arguments[1]) do bodies[#bodies + 1] = line end
            mean = tonumber(arguments[2])
            wrk.headers["Authorization"] = "Bearer " .. arguments[3]
            wrk.headers["Content-Type"] = "application/json"
        end
        function delay()
            if sent >= #bodies then return 1e6 end
            if mean == 0 then return 0 end
            return math.floor(-math.log(1 - math.random()) * mean)
        end
        function request()
            sent = sent + 1
            if sent == 0 or sent > #bodies then return wrk.format("GET", "/healthz") end
            return wrk.format("POST", wrk.path, nil, bodies[sent])
        end
        function response(status, headers, body)
            if status == 200 then passed = passed + 1
            else failed = failed + 1 if failed == 1 then print("first failure: " .. status .. " " .. body) end end
            if passed + failed == #bodies then
                print("finished")
                io.flush()
            end
        end
        """;

    public static bool IsInstalled => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "wrk")));

    /// <summary>Runs it to the last body.</summary>
    /// <param name="address">With the path.</param>
    /// <param name="key">The API key.</param>
    /// <param name="bodies">One for each request.</param>
    /// <param name="connections">At the same time.</param>
    /// <param name="meanDelay">For how long a connection waits before a request, milliseconds, on average (exponentially distributed); 0: not at all.</param>
    public static async Task<WrkResult> SendAsync(string address, string key, IReadOnlyList<string> bodies, int connections, double meanDelay)
    {
        var (script, file) = (Path.GetTempFileName(), Path.GetTempFileName());
        try
        {
            await File.WriteAllTextAsync(script, Script).ConfigureAwait(false);
            await File.WriteAllLinesAsync(file, bodies).ConfigureAwait(false);
            using var process = Process.Start(new ProcessStartInfo(
                "wrk", ["-t1", string.Create(CultureInfo.InvariantCulture, $"-c{connections}"), "-d600s", "--timeout", "60s", "--latency", "-s", script, address, "--", file, meanDelay.ToString(CultureInfo.InvariantCulture), key])
            { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = await UntilFinishedAsync(process).ConfigureAwait(false);
            await process.WaitForExitAsync().ConfigureAwait(false);
            var (p50, p99, sum) = (Percentile(50).Match(output), Percentile(99).Match(output), Sum().Match(output));
            return process.ExitCode == 0 && p50.Success && p99.Success && sum.Success && !output.Contains("first failure", StringComparison.Ordinal)
                ? new WrkResult(bodies.Count, Milliseconds(sum.Groups[2].Value) / 1000, Milliseconds(p50.Groups[1].Value), Milliseconds(p99.Groups[1].Value))
                : throw new InvalidOperationException($"wrk {address}: {output}{await process.StandardError.ReadToEndAsync().ConfigureAwait(false)}");
        }
        finally
        {
            File.Delete(script);
            File.Delete(file);
        }
    }

    // Its own way to stop early ends the sending, and not the time that it was told: an interrupt ends both, and it reports.
    private static async Task<string> UntilFinishedAsync(Process process)
    {
        var lines = new StringBuilder();
        while (await process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lines.Append(line).Append('\n');
            if (line == "finished")
            {
                using var interrupt = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
                await interrupt.WaitForExitAsync().ConfigureAwait(false);
            }
        }

        return lines.ToString();
    }

    private static double Milliseconds(string text)
    {
        var unit = text.TrimStart([.. "0123456789."]);
        return double.Parse(text[..^unit.Length], CultureInfo.InvariantCulture) * unit switch { "us" => 1e-3, "ms" => 1, "s" => 1e3, "m" => 6e4, _ => throw new FormatException($"wrk: a time was expected and {text} was found") };
    }

    private static Regex Percentile(int percent) => new($@"^\s+{percent.ToString(CultureInfo.InvariantCulture)}%\s+([0-9.]+[a-z]+)", RegexOptions.Multiline | RegexOptions.CultureInvariant);

    [GeneratedRegex(@"([0-9]+) requests in ([0-9.]+[a-z]+),")]
    private static partial Regex Sum();
}
