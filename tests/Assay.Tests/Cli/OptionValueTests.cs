using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Assay.Cli;
using Assay.Simulator.Cli;

namespace Assay.Tests.Cli;

/// <summary>Values that an option does not take: refused before anything is read, in words that name the option and no type of the library.</summary>
public partial class OptionValueTests
{
    private static readonly RootCommand s_root = CommandLine.Create();
    private static readonly RootCommand s_simulator = SimulatorCommandLine.Create();
    private static readonly string[] s_noNumbers = ["x", "1.5", "1e3", "0x10", "99999999999999999999999", "\u0661", " 1"];

    public static TheoryData<string, string> Numbers => Options(s_root, "assay", IsNumber);

    public static TheoryData<string, string> Others => Options(s_root, "assay", option => !IsNumber(option));

    public static TheoryData<string, string> OfSimulator => Options(s_simulator, "assay-sim", IsNumber);

    [Theory]
    [MemberData(nameof(Numbers))]
    public void What_is_no_number_between_the_bounds_is_refused_in_plain_words(string command, string option)
    {
        foreach (var text in s_noNumbers)
        {
            Assert.NotEmpty(ErrorsOf(s_root, command, option, text));
        }

        var bounds = Bounds().Match(ErrorsOf(s_root, command, option, "x")[0]);
        Assert.True(bounds.Success, $"{command} {option}");
        var least = long.Parse(bounds.Groups["least"].Value, CultureInfo.InvariantCulture);
        Assert.NotEmpty(ErrorsOf(s_root, command, option, $"{least - 1}"));
        Assert.Empty(ErrorsOf(s_root, command, option, $"{least}"));
        if (bounds.Groups["most"] is { Success: true, Value: var most })
        {
            Assert.NotEmpty(ErrorsOf(s_root, command, option, $"{long.Parse(most, CultureInfo.InvariantCulture) + 1}"));
            Assert.Empty(ErrorsOf(s_root, command, option, most));
        }
    }

    /// <summary>Switches, words of a list and text: what is refused names the option.</summary>
    [Theory]
    [MemberData(nameof(Others))]
    public void A_word_that_is_not_taken_is_refused_in_plain_words(string command, string option)
    {
        var known = OptionOf(s_root, command, option);
        var errors = ErrorsOf(s_root, command, option, "no-such-word");

        // A list of words is a promise to take no others. What stands behind a switch is an argument where the command takes one.
        Assert.True(known.ValueType == typeof(bool) || known.Validators.Count == 0 || !known.GetCompletions(CompletionContext.Empty).Any() || errors.Length > 0);
    }

    [Theory]
    [InlineData("verify", "--format")]
    [InlineData("verify", "--claims")]
    [InlineData("verify", "--token-format")]
    [InlineData("verify", "--boot-phase")]
    [InlineData("verify", "--require-binding")]
    [InlineData("verify", "--dangerously-accept-binding")]
    [InlineData("verify", "--dangerously-accept-tcb")]
    [InlineData("bundle create", "--certid")]
    [InlineData("bundle create", "--tcb-update")]
    [InlineData("bundle plan", "--certid")]
    [InlineData("token verify", "--accept-anchors")]
    [InlineData("token verify", "--require-binding")]
    [InlineData("collateral serve", "--nonce")]
    [InlineData("policy test", "--format")]
    [InlineData("measure", "--also")]
    public void Lists_of_words_are_told(string command, string option)
    {
        var words = OptionOf(s_root, $"assay {command}", option).GetCompletions(CompletionContext.Empty).Select(word => word.Label).ToArray();
        var error = Assert.Single(ErrorsOf(s_root, $"assay {command}", option, "no-such-word"));

        Assert.All(words, word => Assert.Contains(word, error, StringComparison.Ordinal));
        Assert.All(words, word => Assert.Empty(ErrorsOf(s_root, $"assay {command}", option, word)));
        Assert.EndsWith("is expected, found \"no-such-word\"", error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(OfSimulator))]
    public void The_simulator_says_it_in_plain_words_too(string command, string option) => Assert.NotEmpty(ErrorsOf(s_simulator, command, option, "x"));

    [Theory]
    [InlineData("--gate-register", "99")]
    [InlineData("--gate-register", "7")]
    [InlineData("--dangerously-accept-tcb-grace", "0")]
    [InlineData("--timeout", "3601")]
    [InlineData("--token-lifetime", "0")]
    [InlineData("--minimum-reference-sequence", "-1")]
    public void They_exit_2_and_reach_no_verdict(string option, string value)
    {
        var text = new AssayCommand().Says(2, "verify", "--evidence", "none.json", option, value);

        Assert.StartsWith($"assay: cli.arguments: {option}: a whole number from ", text, StringComparison.Ordinal);
    }

    // Of what exists, what is said of the value: options that are missing beside it are another matter.
    private static string[] ErrorsOf(RootCommand root, string command, string option, string value)
    {
        var parsed = root.Parse([.. command.Split(' ')[1..], $"{option}={value}"], new ParserConfiguration { ResponseFileTokenReplacer = null });
        string[] all = [.. parsed.Errors.Select(error => root == s_root ? error.Message : SimulatorCommandLine.Plain(error)).Where(message => !message.Contains("is required", StringComparison.Ordinal) && !message.StartsWith("Required argument", StringComparison.Ordinal))];
        Assert.All(all, message => Assert.DoesNotContain("System.", message, StringComparison.Ordinal));
        Assert.All(all, message => Assert.DoesNotContain("not recognized", message, StringComparison.Ordinal));
        return [.. all.Where(message => message.Contains(option, StringComparison.Ordinal) || message.Contains("Unrecognized", StringComparison.Ordinal))];
    }

    private static bool IsNumber(Option option) => (Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType) is var type && (type == typeof(int) || type == typeof(long));

    private static Option OptionOf(RootCommand root, string command, string option) => command.Split(' ')[1..].Aggregate((Command)root, (holder, word) => holder.Subcommands.Single(inner => inner.Name == word)).Options.Single(one => one.Name == option);

    private static TheoryData<string, string> Options(Command command, string name, Func<Option, bool> which) =>
        [.. All(command, name).SelectMany(item => item.Command.Options.Where(option => option.Name.StartsWith("--", StringComparison.Ordinal) && option.Name is not ("--help" or "--version") && which(option)).Select(option => (item.Name, option.Name)))];

    private static IEnumerable<(string Name, Command Command)> All(Command command, string name) =>
        command.Subcommands.SelectMany(inner => All(inner, $"{name} {inner.Name}").Prepend(($"{name} {inner.Name}", inner)));

    [GeneratedRegex(": a whole number from (?<least>-?[0-9]+)(?: to (?<most>[0-9]+))? is expected, found ")]
    private static partial Regex Bounds();
}
