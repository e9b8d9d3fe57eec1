using System.Text;

namespace Assay.Cli;

/// <summary>Lines for a terminal: folded at spaces where there are any, and set in under their own beginning.</summary>
internal static class Folded
{
    private const int Narrowest = 20;

    public static string To(string line, int width)
    {
        var indent = line.Length - line.TrimStart().Length + 2;
        if (line.Length <= width || width - indent < Narrowest)
        {
            return line;
        }

        var folded = new StringBuilder();
        var rest = line.AsSpan();
        var room = width;
        while (rest.Length > room)
        {
            var space = rest[..room].TrimStart().LastIndexOf(' ');
            var cut = space > 0 ? rest[..room].LastIndexOf(' ') : room;
            folded.Append(rest[..cut].TrimEnd()).Append('\n').Append(' ', indent);
            rest = rest[cut..].TrimStart();
            room = width - indent;
        }

        return folded.Append(rest).ToString();
    }
}
