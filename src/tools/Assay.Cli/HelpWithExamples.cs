using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Assay.Cli;

/// <summary>The library's help, and under it the examples and exit codes that the command declares.</summary>
internal sealed class HelpWithExamples(HelpAction help, string rootExitCodes, IReadOnlyList<string> rootExamples) : SynchronousCommandLineAction
{
    /// <summary>Adds them to the help of every command.</summary>
    public static void AddTo(RootCommand root, string exitCodes, IReadOnlyList<string> examples)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction help)
            {
                option.Action = new HelpWithExamples(help, exitCodes, examples);
            }
        }
    }

    public override int Invoke(ParseResult parseResult)
    {
        var result = help.Invoke(parseResult);
        var (exitCodes, examples) = parseResult.CommandResult.Command is DescribedCommand command ? (command.ExitCodes, command.Examples) : (rootExitCodes, rootExamples);
        Console.Out.WriteLine("Examples:");
        foreach (var example in examples)
        {
            Console.Out.WriteLine($"  {example}");
        }

        Console.Out.WriteLine();
        Console.Out.WriteLine($"Exit codes: {exitCodes} · {ExitCode.Internal} internal error");
        return result;
    }

    /// <summary>The words behind "assay": the same word is used under several commands.</summary>
    public static string NameOf(CommandResult command) => command switch
    {
        { Command: RootCommand } => "assay",
        { Parent: CommandResult { Command: not RootCommand } outer } => $"{NameOf(outer)} {command.Command.Name}",
        _ => command.Command.Name,
    };
}
