using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Reflection;
using Assay.Wire;

namespace Assay.Server;

/// <summary>The command <c>assay-server</c>: what a user typed wrong is told in a line on standard error, with exit code 2 and nothing on standard output.</summary>
internal static class CommandLine
{
    private const int Internal = 70;

    private const string ExitCodes = "0 done · 1 it cannot be done, or the self test failed · 2 unusable command line or configuration · 70 internal error";

    private static readonly Dictionary<string, string[]> s_examples = new(StringComparer.Ordinal)
    {
        ["assay-server"] = ["assay-server init-key /etc/assay/kek", "assay-server run --config /etc/assay/server.json"],
        ["run"] = ["assay-server run --config /etc/assay/server.json", "ASSAY_DATABASE=\"$(cat database.txt)\" assay-server run --config server.json"],
        ["selftest"] = ["assay-server selftest --config server.json", "assay-server selftest --config server.json --format json --report selftest.jws"],
        ["init-key"] = ["assay-server init-key /etc/assay/kek", "assay-server init-key /run/assay/kek --from /run/secrets/kek", "assay-server init-key --config /etc/assay/server.json"],
        ["create-key"] = ["assay-server create-key --config server.json --scope operator", "assay-server create-key --config server.json --tenant site --scope attest read --days 90"],
        ["rewrap"] = ["assay-server rewrap --config /etc/assay/server.json --to /etc/assay/server-new.json"],
        ["completion"] = ["source <(assay-server completion)"],
        ["version"] = ["assay-server version"],
    };

    public static async Task<int> RunAsync(string[] arguments)
    {
        var root = Create();
        if (arguments is [])
        {
            await root.Parse("--help").InvokeAsync().ConfigureAwait(false);
            return ServerExit.Unusable;
        }

        arguments = arguments is ["help", .. var asked] ? [.. asked, "--help"] : arguments;
        // Without response files: the name of a file must not bring options along.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpWithExamples)
        {
            foreach (var message in parsed.Errors.Where(error => parsed.UnmatchedTokens.Count == 0 || !error.Message.StartsWith("Required command", StringComparison.Ordinal)).Select(error => Words(parsed, error.Message)).Distinct(StringComparer.Ordinal))
            {
                await Console.Error.WriteLineAsync($"assay-server: service.arguments: {Printable.Of(message)}").ConfigureAwait(false);
            }

            await Console.Error.WriteLineAsync($"Try: {PathOf(parsed.CommandResult.Command)} --help").ConfigureAwait(false);
            return ServerExit.Unusable;
        }

        try
        {
            // The drain says how long a stop takes, and the service manager how long it may: not the command line's own limit, which is two seconds.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Timeout.InfiniteTimeSpan }).ConfigureAwait(false);
        }
        // The last line of defence: whatever it is, the server did not start.
        catch (Exception exception)
        {
            await Console.Error.WriteLineAsync(Printable.Of($"assay-server: service.internal: this is a bug, please report it: {exception.GetType()}: {exception.Message}")).ConfigureAwait(false);
            foreach (var line in (exception.StackTrace ?? "").Split('\n'))
            {
                await Console.Error.WriteLineAsync(Printable.Of(line)).ConfigureAwait(false);
            }

            return Internal;
        }
    }

    internal static RootCommand Create()
    {
        var root = new RootCommand("Assay's services: attestation and collateral, by configuration.")
        {
            RunCommand.Create(), SelfTestCommand.Create(), InitKeyCommand.Create(), CreateKeyCommand.Create(), RewrapCommand.Create(), Completion(), Version(),
        };
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Aliases.Remove("/?");
            option.Aliases.Remove("/h");
            option.Action = new HelpWithExamples((HelpAction)option.Action!);
        }

        return root;
    }

    private static Command Completion()
    {
        var command = new Command("completion", "Prints the completion script of bash.");
        command.SetAction(_ => Console.Out.WriteLine("""
            _assay_server() {
                local IFS=$'\n'
                COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
                [ "${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o filenames -F _assay_server assay-server
            """));
        return command;
    }

    private static Command Version()
    {
        var command = new Command("version", "Shows the version.");
        command.SetAction(_ => Console.Out.WriteLine($"assay-server {typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown"}"));
        return command;
    }

    // The library names types of the runtime, and lists allowed values on lines of their own.
    private static string Words(ParseResult parsed, string message) =>
        message.Contains("Nullable`1[System.Int32]", StringComparison.Ordinal) || message.Contains("System.Int32", StringComparison.Ordinal) ? $"{message.Split(' ')[3]}: a whole number is expected{Option(parsed)}"
        : message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal);

    private static string Option(ParseResult parsed) =>
        parsed.CommandResult.Children.OfType<OptionResult>().FirstOrDefault(option => option.Errors.Any()) is { } result ? $" for {result.Option.Name}" : "";

    private static string PathOf(Command command) => command is RootCommand ? "assay-server" : $"assay-server {command.Name}";

    /// <summary>The library's page, and what it does not have: examples and exit codes.</summary>
    private sealed class HelpWithExamples(HelpAction page) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var code = page.Invoke(parseResult);
            var command = parseResult.CommandResult.Command;
            Console.Out.WriteLine($"Examples:\n  {string.Join("\n  ", s_examples[command is RootCommand ? "assay-server" : command.Name])}\n\nExit codes: {ExitCodes}");
            return code;
        }
    }
}
