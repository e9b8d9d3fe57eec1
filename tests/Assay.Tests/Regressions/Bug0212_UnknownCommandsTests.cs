using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>Words that are no command were answered with the help of another and exit code 0, and no word said what was meant.</summary>
public class Bug0212_UnknownCommandsTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("verfy", "assay; did you mean verify?")]
    [InlineData("verfy --help", "assay; did you mean verify?")]
    [InlineData("help verfy", "assay; did you mean verify?")]
    [InlineData("collateral serv", "assay collateral; did you mean serve?")]
    [InlineData("bench", "./assay bench")]
    [InlineData("zzzzzzzz", "is not a command of assay\n")]
    public void An_unknown_command_exits_2_and_names_the_nearest(string line, string expected) => Assert.Contains(expected, s_assay.Says(2, line.Split(' ')), StringComparison.Ordinal);

    [Fact]
    public void An_unknown_option_names_the_nearest() => Assert.Contains("did you mean --evidence?", s_assay.Says(2, "verify", "--evidnce", "gpu.json"), StringComparison.Ordinal);

    [Theory]
    [InlineData("help verify", "verify --help")]
    [InlineData("help bundle create", "bundle create --help")]
    [InlineData("help", "--help")]
    public void Help_is_a_word_too(string word, string option) => Assert.Equal(s_assay.Says(0, option.Split(' ')), s_assay.Says(0, word.Split(' ')));

    [Fact]
    public void Completion_offers_no_names_of_another_system()
    {
        var offered = s_assay.Says(0, "[suggest:13]", "assay verify ").Split('\n');

        Assert.Contains("--evidence", offered);
        Assert.DoesNotContain("/?", offered);
        Assert.DoesNotContain("/h", offered);
    }

    [Fact]
    public void Help_of_the_benchmarks_needs_no_build()
    {
        var help = Peer.Require("bash").Run(Path.Combine(Repository.Root, "assay"), "bench", "--help");
        Assert.True(help.Accepted, help.Output);
        Assert.StartsWith("Measures", help.Output, StringComparison.Ordinal);
        var suite = File.ReadAllText(Path.Combine(Repository.Root, "bench", "Assay.Benchmarks", "Suite.cs"));
        Assert.All(["devices", "processors", "machines", "bundles", "simulator", "policies", "sealing", "process", "guest", "channels"], subject =>
        {
            Assert.Contains($"(\"{subject}\", ", suite, StringComparison.Ordinal);
            Assert.Contains(subject, help.Output, StringComparison.Ordinal);
        });
        Assert.Equal(10, suite.Split("\n        (\"").Length - 1);
    }
}
