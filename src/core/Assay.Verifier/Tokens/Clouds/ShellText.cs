using System.Buffers;

namespace Assay.Tokens.Clouds;

/// <summary>Words of a POSIX shell.</summary>
internal static class ShellText
{
    private static readonly SearchValues<char> s_plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-");

    /// <summary>One word, as the shell reads it back: between quotes unless every character is plain.</summary>
    public static string Quote(string word) => word.Length > 0 && !word.AsSpan().ContainsAnyExcept(s_plain) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>A command line of these words.</summary>
    public static string Line(params IEnumerable<string> words) => string.Join(' ', words.Select(Quote));
}
