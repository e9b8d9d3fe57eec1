using System.CommandLine;
using System.CommandLine.Parsing;
using Assay.Cli.Audit;
using Assay.Cli.Bundles;
using Assay.Cli.Channels;
using Assay.Cli.Clouds;
using Assay.Cli.Collateral;
using Assay.Cli.Configuration;
using Assay.Cli.Demo;
using Assay.Cli.Explain;
using Assay.Cli.Inspection;
using Assay.Cli.Keys;
using Assay.Cli.Measure;
using Assay.Cli.Policies;
using Assay.Cli.Seal;
using Assay.Cli.Tokens;
using Assay.Cli.Verify;

namespace Assay.Cli;

/// <summary>The command <c>assay</c>: it parses arguments and prints, nothing else.</summary>
internal static class CommandLine
{
    /// <summary>Of the help of <c>assay</c> itself.</summary>
    public static string[] Examples { get; } =
    [
        "assay demo --out machine",
        "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE",
        "assay verify --help",
    ];

    /// <summary>The command with all of its commands.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("Proves that a GPU is genuine, runs known firmware and is a confidential VM's own, and says what it could not prove.")
        {
            VerifyCommand.Create(),
            InitCommand.Create(),
            InspectCommand.Create(),
            MeasureCommand.Create(),
            TokenCommand.Create(),
            CloudProfileCommand.Create(),
            PolicyCommand.Create(),
            CollateralCommand.Create(),
            BundleCommand.Create(),
            SealCommand.Create(),
            KeyCommand.Create(),
            TestKeyCommand.Create(),
            AuditCommand.Create(),
            ProxyCommand.Create(),
            ClientCommand.Create(),
            AnchorsCommand.Create(),
            ExplainCommand.Create(),
            DemoCommand.Create(),
            CompletionCommand.Create(),
            VersionCommand.Create(),
        };
        HelpPage.AddTo(root, VerifyCommand.ExitCodes, Examples);
        return root;
    }

    public static async Task<int> RunAsync(string[] arguments)
    {
        var root = Create();
        // "assay help verify" is how half of all programs say it.
        if (arguments is ["help", .. var asked] && !asked.Contains("--help"))
        {
            arguments = [.. asked, "--help"];
        }

        // Without response files: the name of an evidence file, as a shell finds it, must not bring options along.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        // A command that there is not has no help. Any other question for help is answered, whatever else is missing; a bare command is one too.
        if (arguments is not [['[', ..], ..] && UnknownCommand(parsed) is { } word)
        {
            var holder = parsed.CommandResult.Command;
            var near = word == "bench" ? "; it is a command of a checkout: ./assay bench" : Nearest.Asked(word, holder.Subcommands.Select(command => command.Name));
            Output.Error("cli.command", $"\"{Printable.Of(word)}\" is not a command of {PathOf(parsed)}{near}");
            await Console.Error.WriteLineAsync($"Try: {PathOf(parsed)} --help").ConfigureAwait(false);
            return ExitCode.Unusable;
        }

        // Where a variable is unset, the next option is taken for the value of this one.
        if (Swallowed(parsed) is var (option, next))
        {
            Output.Error("cli.arguments", $"{option}: a value is expected, found {next} (an unset variable?)");
            return ExitCode.Unusable;
        }

        if (parsed.Errors.Count > 0 && parsed.Action is not HelpPage)
        {
            if (arguments.Length == 0)
            {
                await root.Parse("--help").InvokeAsync().ConfigureAwait(false);
                return ExitCode.Unusable;
            }

            foreach (var error in parsed.Errors)
            {
                // The library lists allowed values on lines of their own.
                Output.Error("cli.arguments", error.Message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal) + NearOption(parsed, error.Message));
            }

            if (HelpPage.NameOf(parsed.CommandResult) is "verify" && parsed.UnmatchedTokens.FirstOrDefault(word => !word.StartsWith('-') && File.Exists(word)) is { } file && !arguments.Contains("--evidence"))
            {
                await Console.Error.WriteLineAsync($"Evidence is given as --evidence {Printable.Of(file)}").ConfigureAwait(false);
            }

            await Console.Error.WriteLineAsync($"Try: {PathOf(parsed)} --help").ConfigureAwait(false);
            return ExitCode.Unusable;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Output.Error("cli.cancelled", "interrupted; no verdict was reached");
            return ExitCode.Interrupted;
        }
        // A full disk or a closed terminal is nobody's bug; what was to be printed may be cut.
        catch (IOException exception) when (exception.StackTrace?.Contains("ConsoleStream", StringComparison.Ordinal) ?? false)
        {
            Output.Error("cli.output", $"standard output cannot be written: {exception.Message}");
            return ExitCode.Internal;
        }
        // The last line of defence: whatever it is, it is no verdict.
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Output.Error("cli.internal", $"this is a bug, please report it: {exception.GetType()}: {exception.Message}");
            foreach (var line in (exception.StackTrace ?? "").Split('\n'))
            {
                await Console.Error.WriteLineAsync(Printable.Of(line.TrimEnd('\r'))).ConfigureAwait(false);
            }

            return ExitCode.Internal;
        }
    }

    private static (string Option, string Next)? Swallowed(ParseResult parsed)
    {
        var known = parsed.CommandResult.Command.Options.Select(option => option.Name).Where(name => name.StartsWith("--", StringComparison.Ordinal)).ToHashSet(StringComparer.Ordinal);
        return parsed.CommandResult.Children.OfType<OptionResult>().Where(result => !result.Implicit)
            .SelectMany(result => result.Tokens.Select(token => (result.Option.Name, token.Value))).Where(pair => known.Contains(pair.Value)).Select(pair => ((string, string)?)pair).FirstOrDefault();
    }

    private static string PathOf(ParseResult parsed) => parsed.CommandResult.Command is RootCommand ? "assay" : $"assay {HelpPage.NameOf(parsed.CommandResult)}";

    // Only where a command is expected: elsewhere a word is an argument, and the library's to refuse.
    private static string? UnknownCommand(ParseResult parsed) =>
        parsed.CommandResult.Command.Subcommands.Count > 0 ? parsed.UnmatchedTokens.FirstOrDefault(word => !word.StartsWith('-')) : null;

    // The library names the word in its message; it does not say which of several options was meant.
    private static string NearOption(ParseResult parsed, string message) =>
        parsed.UnmatchedTokens.FirstOrDefault(word => word.StartsWith("--", StringComparison.Ordinal) && message.Contains(word, StringComparison.Ordinal)) is { } unknown
            ? Nearest.Asked(unknown.Split('=')[0], parsed.CommandResult.Command.Options.Select(option => option.Name)) : "";
}
