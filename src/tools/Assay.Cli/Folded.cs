using System.Text;

namespace Assay.Cli;

/// <summary>Lines for a terminal: folded at spaces where there are any, and set in under their own beginning.</summary>
internal static class Folded
{
    private const int Narrowest = 20;

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
            var cut = space > 0 ? before + space : room;
            folded.Append(rest[..cut].TrimEnd()).Append('\n').Append(' ', indent);
            rest = rest[cut..].TrimStart();
            (room, before) = (width - indent, 0);
        }

        return folded.Append(rest).ToString();
    }
}
