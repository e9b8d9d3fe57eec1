using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Assay.Cli;

/// <summary>
/// The help of a command: what it does, how it is called, its options in groups where it has many, and the examples and exit codes that it declares.
/// No line is wider than the terminal, but for words that are.
/// </summary>
/// <param name="rootExitCodes">Of <c>assay</c> itself.</param>
/// <param name="rootExamples">Of <c>assay</c> itself.</param>
internal sealed class HelpPage(string rootExitCodes, IReadOnlyList<string> rootExamples) : SynchronousCommandLineAction
{
    /// <summary>The width where none is known, as of a pipe without COLUMNS: whoever reads it there may have no wider window.</summary>
    public const int StandardWidth = 80;

    private const int Narrowest = 60;
    private const int Widest = 120;
    private const int WidestNames = 40;
    private const int Gap = 2;

    /// <summary>Adds it to every command, and leaves the option the names that people use here: /? and /h are another system's.</summary>
    public static void AddTo(RootCommand root, string exitCodes, IReadOnlyList<string> examples)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Aliases.Remove("/?");
            option.Aliases.Remove("/h");
            option.Action = new HelpPage(exitCodes, examples);
        }
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        Console.Out.Write(Text(parseResult.CommandResult, WidthOf(Console.IsOutputRedirected ? null : Output.Out.Profile.Width, Environment.GetEnvironmentVariable("COLUMNS"))));
        return ExitCode.Verified;
    }

    /// <summary>The words behind "assay": the same word is used under several commands.</summary>
    public static string NameOf(CommandResult command) => command switch
    {
        { Command: RootCommand } => "assay",
        { Parent: CommandResult { Command: not RootCommand } outer } => $"{NameOf(outer)} {command.Command.Name}",
        _ => command.Command.Name,
    };

    /// <summary>How wide a page is: as the terminal, else as COLUMNS says.</summary>
    internal static int WidthOf(int? terminal, string? columns) => Math.Clamp(
        terminal ?? (int.TryParse(columns, NumberStyles.None, CultureInfo.InvariantCulture, out var stated) && stated > 0 ? stated : StandardWidth), Narrowest, Widest);

    /// <summary>The whole page.</summary>
    internal string Text(CommandResult result, int width)
    {
        var command = result.Command;
        var name = command is RootCommand ? "assay" : $"assay {NameOf(result)}";
        var lines = new List<string> { Folded.To(command.Description ?? "", width, 0), "", $"Usage: {name}{Usage(command)}" };
        Section(lines, "Commands", [.. command.Subcommands.Select(inner => (inner.Name, inner.Description ?? ""))], width);
        Section(lines, "Arguments", [.. command.Arguments.Select(argument => (argument.HelpName ?? argument.Name, argument.Description ?? ""))], width);
        foreach (var (title, options) in GroupsOf(command))
        {
            Section(lines, title, [.. options.Select(option => (NamesOf(option), TextOf(option)))], width);
        }

        var (exitCodes, examples) = command is DescribedCommand described ? (described.ExitCodes, described.Examples) : (rootExitCodes, rootExamples);
        lines.AddRange(["", "Examples:", .. examples.SelectMany(example => Example(example, width))]);
        lines.AddRange(["", Folded.To($"Exit codes: {exitCodes} · {ExitCode.Internal} internal error · {ExitCode.Interrupted} interrupted", width, Gap)]);
        return string.Join('\n', lines).Replace("\n", Environment.NewLine, StringComparison.Ordinal) + Environment.NewLine;
    }

    private static string Usage(Command command) =>
        (command.Subcommands.Count > 0 ? " COMMAND" : "") + (command.Options.Count > 0 && command.Subcommands.Count == 0 ? " [options]" : "")
        + string.Concat(command.Arguments.Select(argument => argument.Arity.MinimumNumberOfValues == 0 ? $" [{argument.HelpName ?? argument.Name}]" : $" {argument.HelpName ?? argument.Name}"));

    private static IEnumerable<(string Title, IReadOnlyList<Option> Options)> GroupsOf(Command command) =>
        command is DescribedCommand { Groups: { Count: > 0 } groups } ? groups : [("Options", [.. command.Options])];

    private static string NamesOf(Option option)
    {
        var names = string.Join(", ", option.Aliases.Append(option.Name).OrderBy(alias => alias.Length));
        var words = option.HelpName ?? string.Join('|', option.GetCompletions(CompletionContext.Empty).Select(word => word.Label));
        return option.ValueType == typeof(bool) || words.Length == 0 ? names : $"{names} {words}";
    }

    private static string TextOf(Option option) => $"{option.Description}{(option.Required ? " (required)" : "")}{Standard(option)}";

    private static string Standard(Option option) =>
        !option.HasDefaultValue || option.ValueType == typeof(bool) ? ""
        : option.GetDefaultValue() switch
        {
            string or int => $" [{option.GetDefaultValue()} where it is not given]",
            string[] { Length: > 0 } all => $" [{string.Join(' ', all)} where it is not given]",
            _ => "",
        };

    // Names on the left as far as they have room there; a longer one has a line of its own.
    private static void Section(List<string> lines, string title, (string Name, string Text)[] rows, int width)
    {
        if (rows.Length == 0)
        {
            return;
        }

        lines.AddRange(["", $"{title}:"]);
        var column = Math.Min(Math.Min(WidestNames, width * 2 / 5), rows.Max(row => row.Name.Length) + Gap + Gap);
        foreach (var (name, text) in rows)
        {
            var isShort = name.Length + Gap + Gap <= column;
            if (!isShort)
            {
                lines.Add($"  {name}");
            }

            // Folded behind the name, which is put in its place afterwards.
            var folded = Folded.To(new string(' ', column) + text, width, column);
            lines.Add(isShort ? $"  {name}{folded[(Gap + name.Length)..]}" : folded);
        }
    }

    // A shell reads it as one line; an option stays with its values where they fit.
    private static IEnumerable<string> Example(string example, int width)
    {
        const string indent = "  ";
        const string further = "      ";
        const string onwards = " \\";
        var line = indent;
        foreach (var part in Parts(example))
        {
            var pieces = further.Length + part.Length + onwards.Length > width ? part.Split(' ') : [part];
            foreach (var piece in pieces)
            {
                var isEmpty = line.AsSpan().Trim().IsEmpty;
                if (!isEmpty && line.Length + 1 + piece.Length + onwards.Length > width)
                {
                    yield return line + onwards;
                    (line, isEmpty) = (further, true);
                }

                line += isEmpty ? piece : $" {piece}";
            }
        }

        yield return line;
    }

    private static IEnumerable<string> Parts(string example)
    {
        var part = "";
        foreach (var word in example.Split(' '))
        {
            if (part.Length > 0 && (word.StartsWith('-') || word is "&&" or ">"))
            {
                yield return part;
                part = "";
            }

            part += part.Length == 0 ? word : $" {word}";
        }

        yield return part;
    }
}
