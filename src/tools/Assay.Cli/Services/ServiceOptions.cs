using System.CommandLine;
using System.Text;
using Assay.Cli.Explain;
using Assay.Client.Service;
using Assay.Collateral.Http;

namespace Assay.Cli.Services;

/// <summary>Options of commands that ask an Assay service.</summary>
/// <param name="isRequired">Whether the command always asks one.</param>
internal sealed class ServiceOptions(bool isRequired = true)
{
    private const int MostCredential = 16 * 1024;

    // A tile has 256 entries of at most 65,535 bytes.
    private const int LargestAnswer = 20 * 1024 * 1024;

    public Option<string> Service { get; } = new("--service") { Description = "address of the service", HelpName = "URL", Required = isRequired };

    public Option<string> Credential { get; } = new("--credential") { Description = "file with an API key or a bearer token; - is standard input", HelpName = "FILE", Required = isRequired };

    public Option<string> Format { get; } = Options.Format();

    /// <summary>A command with its argument, its own options, and these.</summary>
    public DescribedCommand AddTo(DescribedCommand command, Option[] own, Argument? argument)
    {
        if (argument is not null)
        {
            command.Arguments.Add(argument);
        }

        foreach (var option in own.Concat([Service, Credential, Format]))
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>Whether programs read the answer.</summary>
    public bool IsJson(ParseResult parsed) => parsed.GetValue(Format) == Options.Json;

    /// <summary>Connects and runs. A refusal of the service is told, and gives the exit code.</summary>
    public async Task<int> RunAsync(ParseResult parsed, Func<ServiceConnection, Task<int>> run)
    {
        if (parsed.GetValue(Service) is null || parsed.GetValue(Credential) is null)
        {
            Output.Error("cli.arguments", "--service URL and --credential FILE are expected: a service is asked here");
            return ExitCode.Unusable;
        }

        if (!ServiceAddress.TryParse(parsed.GetValue(Service)!, out var address, out var fault))
        {
            Output.Error("cli.url", $"--service: {fault.Problem}");
            return ExitCode.Unusable;
        }

        if (!InputFile.TryRead(parsed.GetValue(Credential)!, MostCredential, out var bytes, out var whyNot))
        {
            Output.Error("cli.file", $"--credential: {whyNot}");
            return ExitCode.Unusable;
        }

        // RFC 6750 §2.1.
        var key = Encoding.ASCII.GetString(bytes).Trim();
        if (key.Length == 0 || !key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' or '+' or '/' or '='))
        {
            Output.Error("cli.file", $"--credential: {parsed.GetValue(Credential)}: an API key or a bearer token on one line is expected");
            return ExitCode.Unusable;
        }

        using var connection = new ServiceConnection(address, key, timeout: null, LargestAnswer);
        try
        {
            return await run(connection).ConfigureAwait(false);
        }
        catch (ServiceRefusedException exception)
        {
            // The broker's problems say what; what to do is in the documents.
            var cure = Explanations.Find(exception.Problem) is { } found && found.Document.StartsWith("docs/troubleshooting/broker.md", StringComparison.Ordinal) ? $". {found.Cure}" : "";
            Output.Error("cli.service", $"{exception.Message.TrimEnd('.')}{cure}");
            return exception.IsTransient ? ExitCode.Incomplete : ExitCode.Refused;
        }
    }
}
