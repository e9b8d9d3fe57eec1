using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>A line of the demonstration: a word in colour, what was tried, and under it why it ended so.</summary>
internal static class DemoLine
{
    private const int Indent = 11;

    public static void Print(IAnsiConsole console, bool isGood, string word, string title, string? reason = null)
    {
        var folded = Folded.To(new string(' ', Indent) + title, console.Profile.Width, Indent).TrimStart();
        console.MarkupLineInterpolated($"  [{(isGood ? "green" : "red")}]{word,-7}[/]  {folded}");
        if (reason is not null)
        {
            Folded.Print(console, Folded.To($"{new string(' ', Indent)}{Printable.Of(reason)}", console.Profile.Width));
        }
    }
}
