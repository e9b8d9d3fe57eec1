using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Rego.Diagnostics;
using Assay.Wire;

namespace Assay.Policies;

/// <summary>An error in a policy, or of its evaluation. Message and source line repeat what the policy's author wrote, as it is.</summary>
public sealed class PolicyError
{
    private readonly RegoError _error;

    internal PolicyError(RegoError error) => _error = error;

    /// <summary>OPA's code, such as <c>rego_parse_error</c>.</summary>
    public string Code => _error.CodeText;

    /// <summary>What is wrong.</summary>
    public string Message => _error.Message;

    /// <summary>The name of the source; null when the error has no place.</summary>
    public string? File => _error.Location?.File;

    /// <summary>The line, from 1; 0 when the error has no place.</summary>
    public int Line => _error.Location?.Line ?? 0;

    /// <summary>The column in code points, from 1; 0 when the error has no place.</summary>
    public int Column => _error.Location?.Column ?? 0;

    /// <summary>A variable that nothing binds.</summary>
    public bool IsUnsafeVariable => _error.Code is RegoErrorCode.UnsafeVarError;

    /// <summary>
    /// FILE:LINE:COLUMN, the code and the message; then, where the source is known, its line and a caret under the place. Printable: the caret
    /// is under what is seen after harmful characters were replaced.
    /// </summary>
    public IEnumerable<string> ToDisplay()
    {
        var place = File is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}: ");
        // OPA sets what it found and what it wants on lines of their own.
        yield return Printable.Of($"{place}{Code}: {Message.Replace("\n\t", "; ", StringComparison.Ordinal)}");
        if (_error is { Location: { } location, SourceLine: { } source })
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

    /// <summary>One JSON object: file, line, column, code, message, source; without those that are not known.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        if (File is { } file)
        {
            writer.WriteString("file", file);
            writer.WriteNumber("line", Line);
            writer.WriteNumber("column", Column);
        }

        writer.WriteString("code", Code);
        writer.WriteString("message", Message);
        if (_error.SourceLine is { } line)
        {
            writer.WriteString("source", line);
        }

        writer.WriteEndObject();
    }

    /// <summary>FILE:LINE: CODE: MESSAGE.</summary>
    public override string ToString() => _error.ToString();

    internal static IReadOnlyList<PolicyError> Of(IEnumerable<RegoError> errors) => [.. errors.Select(error => new PolicyError(error))];

    // A tab is no attack, and one column wide is wide enough.
    private static string Shown(string line) => Printable.Of(line.Replace('\t', ' '));
}
