using Assay.Cli;

namespace Assay.Tests.Regressions;

/// <summary>What stood before a folded text was not counted, so that bullets were one to four columns too wide and the terminal broke their words.</summary>
public class Bug0210_LinesWiderThanTheTerminalTests
{
    public static TheoryData<string, int> Lines => new()
    {
        { "  - That a confidential VM uses these devices: GPU evidence alone is not bound to a VM, and a host can relay it.", 4 },
        { "  * Get OCSP answers: --ocsp-url nvidia, or a folder of them as --ocsp-store.", 4 },
        { "              device.chain.not-revoked           revocation was not checked: a revoked certificate would pass", 16 },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void No_line_is_wider_and_no_word_is_broken(string line, int indent)
    {
        foreach (var width in Enumerable.Range(56, 80))
        {
            var folded = Folded.To(line, width, indent);

            Assert.All(folded.Split('\n'), part => Assert.True(part.Length <= width, part));
            Assert.All(folded.Split('\n')[1..], part => Assert.StartsWith(new string(' ', indent), part, StringComparison.Ordinal));
            Assert.Equal(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), folded.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        }
    }

    /// <summary>A word that ends in the last column fits.</summary>
    [Fact]
    public void The_last_column_is_used() => Assert.Equal("aaaaaaaaaa bbbbbbbbbb cccccccc\n  dd", Folded.To("aaaaaaaaaa bbbbbbbbbb cccccccc dd", 30));
}
