using System.Text.RegularExpressions;
using Assay.Tests.Cli;

namespace Assay.Tests.Docs;

/// <summary>What README.md shows of a verification is what its command prints.</summary>
public sealed partial class TranscriptTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void The_verdict_about_a_recorded_GPU_is_what_its_command_prints()
    {
        var (command, shown) = Shown("PASS weakened · 1 GPU", "./assay verify --evidence $V/nvidia/gpu/hopper");

        Assert.Equal(shown, s_assay.Says(0, [.. command.Split(' ')[1..].Select(word => word.StartsWith("$V/", StringComparison.Ordinal) ? Recorded.PathOf(word[3..]) : word)]));
    }

    [Fact]
    public void The_verdict_about_a_machine_is_what_its_command_prints()
    {
        var (command, shown) = Shown("PASS weakened · 8 GPUs", "./assay verify --evidence dm/machine.json");
        var printed = s_assay.Says(0, [.. command.Split(' ')[1..].Select(word => word.StartsWith("dm/", StringComparison.Ordinal) ? Path.Combine(machine.Folder, word[3..]) : word)]);

        Assert.Equal(Settled(shown), Settled(printed));
    }

    private static (string Command, string Shown) Shown(string beginning, string command)
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md")).ReplaceLineEndings("\n");
        var shown = Text().Matches(readme).Select(match => match.Groups[1].Value).Single(block => block.StartsWith(beginning, StringComparison.Ordinal));
        return (readme.Split('\n').Single(line => line.StartsWith(command, StringComparison.Ordinal)), shown);
    }

    // Times, keys and digests differ from run to run.
    private static string Settled(string text) => Changing().Replace(text, "…");

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[0-9a-f]{16}…|(?<![\w-])[\w-]{43}(?![\w-])")]
    private static partial Regex Changing();

    [GeneratedRegex(@"```text\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Text();
}
