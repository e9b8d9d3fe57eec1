using System.CommandLine;
using System.Text.Json;
using Assay.Attestation.SelfTests;
using Assay.Service;
using Assay.Wire;

namespace Assay.Server;

/// <summary><c>assay-server selftest</c>: tries a configuration before it takes traffic. Exit code 1 where something did not come out as it must.</summary>
internal static class SelfTestCommand
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static Command Create()
    {
        var config = ServerExit.Configuration();
        var format = new Option<string>("--format") { Description = "text or json", HelpName = "FORMAT", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("text", "json");
        var report = new Option<string?>("--report") { Description = "where the report is written, signed by the service: a file that does not exist", HelpName = "FILE" };
        var command = new Command("selftest", "Runs positive and negative cases on the live configuration, its keys and its database, and listens to nothing. With SQLite the server must not run meanwhile.") { config, format, report };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(config)!, parsed.GetValue(format)!, parsed.GetValue(report), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string path, string format, string? file, CancellationToken cancellation)
    {
        if (!ServerExit.TryRead(path, out var configuration))
        {
            return ServerExit.Unusable;
        }

        if (!configuration!.HasAttestation)
        {
            Console.Error.WriteLine("assay-server: service.configuration: roles: \"attestation\" is expected: only that role has a self test");
            return ServerExit.Unusable;
        }

        if (file is not null && Path.Exists(file))
        {
            return ServerExit.Tell(new ServiceException("service.selftest.report", $"--report: {file} exists: name a file that does not"));
        }

        try
        {
            var host = await ServerHost.PrepareAsync(configuration, TimeProvider.System, RunCommand.Log, cancellation).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
            {
                var report = await host.SelfTestAsync(cancellation).ConfigureAwait(false);
                Console.Out.WriteLine(format is "json" ? JsonSerializer.Serialize(report, s_json) : Text(report));
                if (file is not null)
                {
                    await WriteAsync(file, host.Services.GetRequiredService<SelfTest>().Sign(report), cancellation).ConfigureAwait(false);
                }

                return report.Passed ? ServerExit.Done : ServerExit.NotDone;
            }
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
    }

    private static string Text(SelfTestReport report)
    {
        var lines = report.Lines.Select(line => $"{(line.Passed ? "ok    " : "FAILED")}  {line.Part,-8}  {line.Name}: {line.Found}{(line.Passed ? "" : $", {line.Expected} was expected")}{(line.Detail is { Length: > 0 } detail ? $" ({detail})" : "")}");
        return string.Join('\n', lines.Append($"{(report.Passed ? "passed" : "FAILED")}: {report.Lines.Count(line => line.Passed)} of {report.Lines.Length} as expected, release {report.Release}, {report.Issuer}").Select(Printable.Of));
    }

    private static async Task WriteAsync(string file, string report, CancellationToken cancellation)
    {
        try
        {
            var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write);
            await using (stream.ConfigureAwait(false))
            {
                await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(report + "\n"), cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ServiceException("service.selftest.report", $"--report: {exception.Message}", exception);
        }
    }
}
