using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Diagnostics;

namespace Assay.Cli.Policies;

/// <summary>
/// Errors of policies as they are shown: FILE:LINE:COLUMN, OPA's code, the message, the source line, and a caret under the place. Names and
/// lines are a stranger's, so both are made harmless first, and the caret is set under what is then seen.
/// </summary>
internal static class PolicyFaults
{
    /// <summary>Writes to standard error what could not be read, and every error.</summary>
    public static void Report(IEnumerable<(string Id, string Message)> unread, IEnumerable<RegoError> errors)
    {
        foreach (var (id, message) in unread)
        {
            Output.Error(id, message);
        }

        foreach (var error in errors)
        {
            foreach (var line in Lines(error))
            {
                Console.Error.WriteLine(line);
            }
        }
    }

    public static IEnumerable<string> Lines(RegoError error)
    {
        var place = error.Location is { } at ? string.Create(CultureInfo.InvariantCulture, $"{at.File}:{at.Line}:{at.Column}: ") : "";
        // OPA sets what it found and what it wants on lines of their own.
        yield return Printable.Of($"{place}{error.CodeText}: {error.Message.Replace("\n\t", "; ", StringComparison.Ordinal)}");
        if (error is { Location: { } location, SourceLine: { } source })
        {
            var before = new StringBuilder();
            foreach (var rune in source.EnumerateRunes().Take(location.Column - 1))
            {
                before.Append(rune);
            }

            yield return $"    {Shown(source)}";
            yield return $"    {new string(' ', Shown(before.ToString()).Length)}^";
        }
    }

    public static void Write(Utf8JsonWriter writer, RegoError error)
    {
        writer.WriteStartObject();
        if (error.Location is { } at)
        {
            writer.WriteString("file", at.File);
            writer.WriteNumber("line", at.Line);
            writer.WriteNumber("column", at.Column);
        }

        writer.WriteString("code", error.CodeText);
        writer.WriteString("message", error.Message);
        if (error.SourceLine is { } line)
        {
            writer.WriteString("source", line);
        }

        writer.WriteEndObject();
    }

    /// <summary>The member <c>errors</c>: those of files and those of policies.</summary>
    public static void Write(Utf8JsonWriter writer, IEnumerable<(string Id, string Message)> unread, IEnumerable<RegoError> errors)
    {
        writer.WriteStartArray("errors");
        foreach (var (id, message) in unread)
        {
            writer.WriteStartObject();
            writer.WriteString("code", id);
            writer.WriteString("message", message);
            writer.WriteEndObject();
        }

        foreach (var error in errors)
        {
            Write(writer, error);
        }

        writer.WriteEndArray();
    }

    // A tab is no attack, and one column wide is wide enough.
    private static string Shown(string line) => Printable.Of(line.Replace('\t', ' '));
}
