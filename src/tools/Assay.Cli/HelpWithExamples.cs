using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Assay.Cli;

/// <summary>The library's help, with options in groups where a command has many, and under it the examples and exit codes that the command declares.</summary>
internal sealed class HelpWithExamples(HelpAction help, string rootExitCodes, IReadOnlyList<string> rootExamples) : SynchronousCommandLineAction
{
    private const int NameWidth = 40;
    private const int WidestText = 120;

    /// <summary>Adds them to the help of every command, and leaves it the names that people use here: /? and /h are another system's.</summary>
    public static void AddTo(RootCommand root, string exitCodes, IReadOnlyList<string> examples)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Aliases.Remove("/?");
            option.Aliases.Remove("/h");
            if (option.Action is HelpAction help)
            {
                option.Action = new HelpWithExamples(help, exitCodes, examples);
            }
        }
    }

    public override int Invoke(ParseResult parseResult)
    {
        var command = parseResult.CommandResult.Command as DescribedCommand;
        var result = 0;
        if (command is { Groups.Count: > 0 })
        {
            WriteGroups(command, $"assay {NameOf(parseResult.CommandResult)}");
        }
        else
        {
            result = help.Invoke(parseResult);
        }

        var (exitCodes, examples) = command is not null ? (command.ExitCodes, command.Examples) : (rootExitCodes, rootExamples);
        Console.Out.WriteLine("Examples:");
        foreach (var example in examples)
        {
            Console.Out.WriteLine($"  {example}");
        }

        Console.Out.WriteLine();
        Console.Out.WriteLine($"Exit codes: {exitCodes} · {ExitCode.Internal} internal error · {ExitCode.Interrupted} interrupted");
        return result;
    }

    /// <summary>The words behind "assay": the same word is used under several commands.</summary>
    public static string NameOf(CommandResult command) => command switch
    {
        { Command: RootCommand } => "assay",
        { Parent: CommandResult { Command: not RootCommand } outer } => $"{NameOf(outer)} {command.Command.Name}",
        _ => command.Command.Name,
    };

    private static void WriteGroups(DescribedCommand command, string name)
    {
        var width = Console.IsOutputRedirected ? WidestText : Math.Min(Output.Out.Profile.Width, WidestText);
        Console.Out.WriteLine(Folded.To(command.Description!, width));
        Console.Out.WriteLine();
        Console.Out.WriteLine($"Usage: {name} [options]");
        foreach (var (title, options) in command.Groups)
        {
            Console.Out.WriteLine();
            Console.Out.WriteLine($"{title}:");
            foreach (var option in options)
            {
                WriteOption(option, width);
            }
        }

        Console.Out.WriteLine();
    }

    private static void WriteOption(Option option, int width)
    {
        var words = option.HelpName ?? string.Join('|', option.GetCompletions(CompletionContext.Empty).Select(word => word.Label));
        var names = $"  {string.Join(", ", option.Aliases.Append(option.Name).OrderBy(alias => alias.Length))}{(option.ValueType == typeof(bool) || words.Length == 0 ? "" : $" {words}")}";
        var standard = option.HasDefaultValue && option.ValueType != typeof(bool) && option.GetDefaultValue() is string or int ? $" [{option.GetDefaultValue()} where it is not given]" : "";
        var text = Folded.To((option.Description ?? "") + standard, width - NameWidth).Replace("\n  ", "\n" + new string(' ', NameWidth), StringComparison.Ordinal);
        Console.Out.WriteLine(names.Length < NameWidth ? names.PadRight(NameWidth) + text : $"{names}\n{new string(' ', NameWidth)}{text}");
    }
}
