using System.Globalization;
using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;

namespace Assay.Tests.Rego;

/// <summary>Our own cases for what the suite has none of: vectors/rego/errors.txt says how they are written.</summary>
internal static class ErrorCases
{
    private const char Mark = '\u2038';

    public sealed record Case(string Name, string Dialect, string Code, string Source, int Line, int Column, string Message);

    public static IEnumerable<Case> Read(string path)
    {
        var text = File.ReadAllText(path);
        foreach (var block in text.Split("\n=== ").Skip(1))
        {
            var header = block[..block.IndexOf('\n', StringComparison.Ordinal)].Split(" | ");
            var end = block.LastIndexOf("\n---\n", StringComparison.Ordinal);
            var start = block.IndexOf('\n', StringComparison.Ordinal) + 1;
            var marked = (end > start ? block[start..end] : "").Replace("\\x00", "\0", StringComparison.Ordinal).Replace("\\x01", "\u0001", StringComparison.Ordinal);
            var at = marked.IndexOf(Mark, StringComparison.Ordinal);
            var before = at < 0 ? "" : marked[..at];
            yield return new Case(
                header[0], header[1], header[2], marked.Replace(Mark.ToString(), "", StringComparison.Ordinal),
                before.Count(c => c == '\n') + 1, before.Length - before.LastIndexOf('\n'), block[(end + 5)..].TrimEnd('\n'));
        }
    }

    /// <summary>Why the case fails; null when it passes.</summary>
    public static string? WhyNot(Case item)
    {
        var version = item.Dialect switch { "v0" => RegoVersion.V0, "auto" => RegoVersion.Auto, _ => RegoVersion.V1 };
        var error = First(item, version);
        if (item.Code == "ok")
        {
            return error is null ? null : $"refused: {error.ToDisplay()}";
        }

        if (error is null)
        {
            return $"accepted; wanted {item.Code}: {item.Message}";
        }

        var place = string.Create(CultureInfo.InvariantCulture, $"{item.Line}:{item.Column}");
        var found = string.Create(CultureInfo.InvariantCulture, $"{error.Location?.Line}:{error.Location?.Column}");
        return error.CodeText == item.Code && found == place && error.Message.Contains(item.Message, StringComparison.Ordinal) ? null
            : $"wanted {place} {item.Code} \"{item.Message}\", got {found} {error.CodeText}: {error.Message}";
    }

    private static RegoError? First(Case item, RegoVersion version)
    {
        if (!RegoModule.TryParse("case.rego", item.Source, out var module, out var error, version))
        {
            return error;
        }

        return CompiledPolicy.TryCompile([module], null, out _, out var errors, new CompileOptions { Strict = item.Dialect == "v1-strict" }) ? null : errors[0];
    }
}
