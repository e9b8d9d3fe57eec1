using System.CommandLine;
using Assay.Cli;

namespace Assay.Tests.Cli;

/// <summary>What every command says of itself: examples that the parser takes, and what it returns.</summary>
public class HelpTests
{
    private static readonly RootCommand s_root = CommandLine.Create();

    public static TheoryData<string> Commands => [.. All(s_root, "assay").Select(item => item.Name)];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_has_an_example_of_itself_and_its_exit_codes(string name)
    {
        var command = Assert.IsType<DescribedCommand>(All(s_root, "assay").Single(item => item.Name == name).Command);
        // A command that only holds others is shown by one of them.
        var own = command.Examples.SelectMany(Calls).Where(call => call == name || call.StartsWith($"{name} ", StringComparison.Ordinal));

        Assert.NotEmpty(own);
        string[] codes = [.. command.ExitCodes.Split(" · ").Select(code => code.Split(' ')[0])];
        Assert.Equal(codes.Distinct().Order(StringComparer.Ordinal), codes);
        Assert.All(command.ExitCodes.Split(" · "), code => Assert.Matches("^[0-9] [a-z]", code));
        // Any command line can be wrong.
        Assert.Contains("2", codes);
    }

    [Fact]
    public void Every_example_parses()
    {
        string[] examples = [.. CommandLine.Examples, .. All(s_root, "assay").SelectMany(item => item.Command is DescribedCommand command ? command.Examples : [])];

        Assert.All(examples, example =>
        {
            var calls = Calls(example).ToArray();
            Assert.NotEmpty(calls);
            Assert.All(calls, call => Assert.Empty(s_root.Parse(call.Split(' ')[1..]).Errors));
        });
    }

    [Fact]
    public void Help_prints_what_the_command_declares()
    {
        var command = (DescribedCommand)All(s_root, "assay").Single(item => item.Name == "assay bundle create").Command;
        var text = new AssayCommand().Says(0, "bundle", "create", "--help");

        Assert.EndsWith($"Examples:\n{string.Concat(command.Examples.Select(example => $"  {example}\n"))}\nExit codes: {command.ExitCodes} · 70 internal error · 130 interrupted\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_help_of_verify_has_each_option_in_one_group()
    {
        var command = (DescribedCommand)All(s_root, "assay").Single(item => item.Name == "assay verify").Command;
        var grouped = command.Groups.SelectMany(group => group.Options).Select(option => option.Name).ToArray();
        var text = new AssayCommand().Says(0, "verify", "--help");

        Assert.Equal(command.Options.Select(option => option.Name).Where(name => name != "--help").Order(StringComparer.Ordinal), grouped.Order(StringComparer.Ordinal));
        Assert.All(command.Groups, group => Assert.Contains($"\n{group.Title}:\n", text, StringComparison.Ordinal));
        Assert.All(grouped, name => Assert.Contains(name, text, StringComparison.Ordinal));
        Assert.All(text[..text.IndexOf("Examples:", StringComparison.Ordinal)].Split('\n'), line => Assert.True(line.Length <= 120, line));
    }

    private static IEnumerable<(string Name, Command Command)> All(Command command, string name) =>
        command.Subcommands.SelectMany(inner => All(inner, $"{name} {inner.Name}").Prepend(($"{name} {inner.Name}", inner)));

    // What a shell would run: each side of &&, without redirections; of <(…) what is in it.
    private static IEnumerable<string> Calls(string example) =>
        example.Split(" && ").Select(part => part.StartsWith("source <(", StringComparison.Ordinal) ? part["source <(".Length..].TrimEnd(')') : part.Split(" > ")[0]);
}
