using System.Text;
using Spectre.Console;

namespace Assay.Cli;

/// <summary>
/// Lines for a terminal: folded at spaces, and set in under their own beginning. A word is never broken: an address or a digest that is wider than the
/// terminal is left to it, so that it can be copied.
/// </summary>
internal static class Folded
{
    private const int Narrowest = 20;
    private const int Unfolded = 100_000;

    /// <summary>Folds a line; what continues it is set in by two columns more than it.</summary>
    public static string To(string line, int width) => To(line, width, line.Length - line.TrimStart().Length + 2);

    /// <summary>Folds a line; what continues it is set in by so many columns, as under the text behind a bullet.</summary>
    public static string To(string line, int width, int indent)
    {
        if (line.Length <= width || width - indent < Narrowest)
        {
            return line;
        }

        var folded = new StringBuilder();
        var rest = line.AsSpan();
        // What stands before the text itself is never a place to cut.
        var before = rest.Length - rest.TrimStart().Length;
        var room = width;
        while (rest.Length > room)
        {
            // A space right behind the last column is a place to cut too.
            var space = rest[before..(room + 1)].LastIndexOf(' ');
            var next = space > 0 ? space : rest[before..].IndexOf(' ');
            if (next < 0)
            {
                break;
            }

            var cut = before + next;
            folded.Append(rest[..cut].TrimEnd()).Append('\n').Append(' ', indent);
            rest = rest[cut..].TrimStart();
            (room, before) = (width - indent, 0);
        }

        return folded.Append(rest).ToString();
    }

    /// <summary>Prints what is folded already: the console would fold it once more, and break words.</summary>
    public static void Print(IAnsiConsole console, string folded)
    {
        var width = console.Profile.Width;
        console.Profile.Width = Unfolded;
        console.WriteLine(folded);
        console.Profile.Width = width;
    }
}
