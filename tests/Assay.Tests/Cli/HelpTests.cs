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
        var text = Page("assay bundle create", 10_000);

        Assert.EndsWith($"Examples:\n{string.Concat(command.Examples.Select(example => $"  {example}\n"))}\nExit codes: {command.ExitCodes} · 70 internal error · 130 interrupted\n", text, StringComparison.Ordinal);
        Assert.All(command.Options, option => Assert.Contains($"\n  {option.Name}", text, StringComparison.Ordinal));
    }

    /// <summary>At every width: no line is wider but for a word that is, no word is lost or broken, and an example is one command line to a shell.</summary>
    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_folds_between_words(string name)
    {
        var words = Words(Page(name, 10_000));
        foreach (var width in Enumerable.Range(60, 61))
        {
            var page = Page(name, width);
            Assert.All(page.Split('\n'), line => Assert.True(line.Length <= width || !line.Trim().TrimEnd('\\').Trim().Contains(' ', StringComparison.Ordinal), $"{width}: {line}"));
            Assert.Equal(words, Words(page.Replace(" \\\n", "\n", StringComparison.Ordinal)));
            Assert.Equal(Examples(Page(name, 10_000)), Examples(page.Replace(" \\\n      ", " ", StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData("assay", "help")]
    [InlineData("assay verify", "help-verify")]
    [InlineData("assay bundle create", "help-bundle-create")]
    [InlineData("assay collateral serve", "help-collateral-serve")]
    [InlineData("assay cloud-profile", "help-cloud-profile")]
    [InlineData("assay cloud-profile aws", "help-cloud-profile-aws")]
    [InlineData("assay cloud-profile gcp", "help-cloud-profile-gcp")]
    [InlineData("assay cloud-profile azure", "help-cloud-profile-azure")]
    [InlineData("assay cloud-profile vault", "help-cloud-profile-vault")]
    public void Help_is_what_it_was(string name, string golden)
    {
        foreach (var width in new[] { 60, HelpPage.StandardWidth, 120 })
        {
            var file = Path.Combine(Repository.Root, "vectors", "golden-text", $"{golden}.{width}.txt");
            var page = Page(name, width);
            if (Environment.GetEnvironmentVariable("ASSAY_UPDATE_GOLDEN") is "1")
            {
                File.WriteAllText(file, page);
            }

            Assert.Equal(File.ReadAllText(file), page);
        }
    }

    [Theory]
    [InlineData(null, null, 80)]
    [InlineData(null, "60", 60)]
    [InlineData(null, "", 80)]
    [InlineData(null, "wide", 80)]
    [InlineData(null, "0", 80)]
    [InlineData(null, "7", 60)]
    [InlineData(null, "300", 120)]
    [InlineData(100, "60", 100)]
    [InlineData(300, null, 120)]
    public void A_pipe_is_as_wide_as_COLUMNS_says_and_80_without(int? terminal, string? columns, int expected) => Assert.Equal(expected, HelpPage.WidthOf(terminal, columns));

    [Fact]
    public void The_help_of_verify_has_each_option_in_one_group()
    {
        var command = (DescribedCommand)All(s_root, "assay").Single(item => item.Name == "assay verify").Command;
        var grouped = command.Groups.SelectMany(group => group.Options).Select(option => option.Name).ToArray();
        var text = new AssayCommand().Says(0, "verify", "--help");

        Assert.Equal(command.Options.Select(option => option.Name).Where(name => name != "--help").Order(StringComparer.Ordinal), grouped.Order(StringComparer.Ordinal));
        Assert.All(command.Groups, group => Assert.Contains($"\n{group.Title}:\n", text, StringComparison.Ordinal));
        Assert.All(grouped, name => Assert.Contains(name, text, StringComparison.Ordinal));
        Assert.All(text[..text.IndexOf("Examples:", StringComparison.Ordinal)].Split('\n'), line => Assert.True(line.Length <= HelpPage.StandardWidth, line));
    }

    private static string Page(string name, int width) =>
        new HelpPage("0 done", ["assay version"]).Text(s_root.Parse([.. name.Split(' ')[1..], "--help"]).CommandResult, width).ReplaceLineEndings("\n");

    private static string[] Words(string page) => page.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private static string Examples(string page) => page[page.IndexOf("Examples:", StringComparison.Ordinal)..page.IndexOf("\n\nExit codes:", StringComparison.Ordinal)];

    private static IEnumerable<(string Name, Command Command)> All(Command command, string name) =>
        command.Subcommands.SelectMany(inner => All(inner, $"{name} {inner.Name}").Prepend(($"{name} {inner.Name}", inner)));

    // What a shell would run: each side of &&, without redirections; of <(…) what is in it.
    private static IEnumerable<string> Calls(string example) =>
        example.Split(" && ").Select(part => part.StartsWith("source <(", StringComparison.Ordinal) ? part["source <(".Length..].TrimEnd(')') : part.Split(" > ")[0]);
}
