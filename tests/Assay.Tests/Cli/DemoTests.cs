using System.Text.Json;

namespace Assay.Tests.Cli;

/// <summary>The demonstration as people run it.</summary>
public sealed class DemoTests : IDisposable
{
    private const int LeastAttacks = 24;
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-demo-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_machine_passes_its_token_is_accepted_and_every_attack_is_refused_by_its_own_check()
    {
        var (code, text) = Run("demo", "--format", "json");

        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(text);
        Assert.Equal("pass", json.RootElement.GetProperty("honest").GetString());
        Assert.Equal("pass", json.RootElement.GetProperty("shipped").GetString());
        Assert.True(json.RootElement.GetProperty("tokenAccepted").GetBoolean());
        Assert.Equal("pass", json.RootElement.GetProperty("machine").GetString());
        Assert.Equal("boot-event", json.RootElement.GetProperty("binding").GetString());
        var outage = json.RootElement.GetProperty("outage");
        Assert.Equal(["pass", "pass", "pass"], new[] { "throughProxy", "fromCache", "fromBundle" }.Select(name => outage.GetProperty(name).GetString()));
        Assert.Equal("bundle.current", outage.GetProperty("pastGoodUntil").GetString());
        var attacks = json.RootElement.GetProperty("attacks").EnumerateArray().ToArray();
        Assert.True(attacks.Length >= LeastAttacks);
        Assert.All(attacks, attack => Assert.True(attack.GetProperty("refused").GetBoolean(), attack.GetProperty("attack").GetString()));
        Assert.All(attacks, attack => Assert.False(string.IsNullOrEmpty(attack.GetProperty("reason").GetString())));
    }

    [Theory]
    [InlineData("devices", "Attacks, each refused", "The confidential VM", "An outage:")]
    [InlineData("machine", "The confidential VM", "A simulated machine:", "An outage:")]
    [InlineData("outage", "An outage:", "A simulated machine:", "The confidential VM")]
    public void A_chapter_is_shown_alone(string chapter, string expected, params string[] absent)
    {
        var (code, text) = Run("demo", chapter);

        Assert.Equal(0, code);
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.All(absent, heading => Assert.DoesNotContain(heading, text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_chapter_is_written_alone_for_programs()
    {
        var (code, text) = Run("demo", "outage", "--format", "json");

        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(text);
        Assert.Equal(["outage", "asExpected"], json.RootElement.EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public void The_whole_of_it_fits_into_a_hundred_lines()
    {
        var (code, text) = Run("demo");

        Assert.Equal(0, code);
        Assert.InRange(text.Split('\n').Length, 50, 100);
    }

    [Fact]
    public void A_chapter_that_does_not_exist_is_refused() => Assert.Equal(2, Run("demo", "weather").Code);

    [Fact]
    public void What_it_writes_is_verified_by_the_command_that_it_prints()
    {
        var set = Path.Combine(_folder, "it's a set");

        var (code, text) = Run("demo", "--out", set);

        Assert.Equal(0, code);
        Assert.Contains("PASS  anchors: simulated", text, StringComparison.Ordinal);
        Assert.DoesNotContain("PASSED", text, StringComparison.Ordinal);
        var commands = text.Split('\n').Where(line => line.Contains(" verify --evidence ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, commands.Length);
        foreach (var command in commands.Select(line => line.Trim()))
        {
            var arguments = command[command.IndexOf(' ', StringComparison.Ordinal)..];
            var shell = Peer.Require("bash").Run("-c", $"{string.Join(' ', AssayProgram.Words("assay").Select(word => $"'{word}'"))}{arguments}");
            Assert.True(shell.Accepted, shell.Output);
        }
    }

    [Fact]
    public void A_folder_with_something_in_it_is_left_alone()
    {
        File.WriteAllText(Path.Combine(_folder, "mine.txt"), "mine");

        var (code, text) = Run("demo", "--out", _folder);

        Assert.Equal(2, code);
        Assert.Contains("exists and is not an empty folder", text, StringComparison.Ordinal);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder));
    }

    private static (int Code, string Text) Run(params string[] arguments)
    {
        var answer = new AssayCommand().Run(arguments);
        return (answer.ExitCode, answer.Output);
    }
}
