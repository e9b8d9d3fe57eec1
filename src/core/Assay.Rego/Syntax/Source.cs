using System.Globalization;
using Assay.Rego.Diagnostics;

namespace Assay.Rego.Syntax;

/// <summary>A source text with its name, and the errors about it.</summary>
internal sealed class Source(string file, string text)
{
    public string File { get; } = file;

    public string Text { get; } = text;

    public SourceLocation Locate(Position at) => new(File, at.Line, at.Column);

    public RegoError Error(RegoErrorCode code, Position at, string message) => new(code, message, Locate(at), LineAt(at));

    public string LineAt(Position at)
    {
        var offset = Math.Min(at.Offset, Text.Length);
        var start = offset == 0 ? 0 : Text.LastIndexOf('\n', offset - 1) + 1;
        var end = Text.IndexOf('\n', start);
        var line = Text[start..(end < 0 ? Text.Length : end)].TrimEnd('\r');
        return line.Length <= 200 ? line : string.Create(CultureInfo.InvariantCulture, $"{line[..200]}…");
    }
}

/// <summary>The first error of a parse. Parsing ends with it, and it leaves the parser as a value.</summary>
internal sealed class ParseHalt(RegoError error) : Exception(error.Message)
{
    public RegoError Error { get; } = error;
}
