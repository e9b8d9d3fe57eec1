using System.Text;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>JSON of some commands wrote every apostrophe, plus sign and umlaut as \u….</summary>
public class Bug0214_EscapedLettersTests
{
    [Theory]
    [InlineData("it's <é> & \"ü\" + 漢", "\"it's <é> & \\\"ü\\\" + 漢\"")]
    [InlineData("a\u202Eb", "\"a\\u202eb\"")]
    [InlineData("a\u001B[31m\u007F\u0085", "\"a\\u001b[31m\\u007f\\u0085\"")]
    [InlineData("\u200B\uE000", "\"\\u200b\\ue000\"")]
    public void Letters_stay_and_what_acts_on_a_terminal_is_escaped(string text, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(HarmlessJson.Write(writer => writer.WriteStringValue(text))), ignoreCase: true);

    [Fact]
    public void The_commands_write_letters() => Assert.DoesNotContain("\\u0027", new Cli.AssayCommand().Says(0, "explain", "device.chain.not-revoked", "--format", "json"), StringComparison.OrdinalIgnoreCase);
}
