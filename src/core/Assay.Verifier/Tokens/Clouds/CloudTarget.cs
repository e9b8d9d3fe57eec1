using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A cloud, and the names of what is set up in it.</summary>
public abstract record CloudTarget
{
    private protected CloudTarget()
    {
    }

    /// <summary>Which cloud.</summary>
    public abstract CloudKind Cloud { get; }

    /// <summary>The audience that it, or its tools, expect by themselves.</summary>
    public abstract string DefaultAudience { get; }

    /// <summary>Which of the names the cloud does not take; null when it takes all.</summary>
    internal abstract ParseFault? WhyNot();

    /// <summary>Writes the set-up. The fault says which of its parts is larger than the cloud takes.</summary>
    internal abstract ParseFault? TryWrite(SetupFacts facts, [NotNull] out CloudSetup? setup);

    private protected static string Json(Action<Utf8JsonWriter> write) => Encoding.UTF8.GetString(HarmlessJson.Write(write));

    /// <summary>One value as a string, several as an array: of these a token must have one.</summary>
    private protected static void WriteValues(Utf8JsonWriter writer, string name, IReadOnlyCollection<string> values)
    {
        if (values.Count == 1)
        {
            writer.WriteString(name, values.First());
            return;
        }

        WriteArray(writer, name, values);
    }

    private protected static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    private protected static ParseFault? WhyNotPlain(string field, string text, string others, int least = 1, int most = 256) =>
        text.Length >= least && text.Length <= most && text.All(character => char.IsAsciiLetterOrDigit(character) || others.Contains(character, StringComparison.Ordinal)) ? null
        : new ParseFault(field, 0, $"{least} to {most} letters, digits{(others.Length == 0 ? "" : $" and {others}")} are expected");
}
