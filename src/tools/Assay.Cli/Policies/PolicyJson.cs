using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Cli.Policies;

/// <summary>Values and explanations as JSON on standard output. Everything but plain ASCII is escaped, so that no string draws on a terminal.</summary>
internal static class PolicyJson
{
    public static void Print(Action<Utf8JsonWriter> write)
    {
        using var output = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            write(writer);
        }

        output.Write("\n"u8);
    }

    public static void Write(Utf8JsonWriter writer, RegoValue value)
    {
        // Through a document, because the engine's own text leaves characters as they are.
        using var document = JsonDocument.Parse(value.ToJson(), new JsonDocumentOptions { MaxDepth = 2 * RegoValue.MaxDepth });
        document.RootElement.WriteTo(writer);
    }

    public static void Write(Utf8JsonWriter writer, IEnumerable<ExplainedStatement> explanation)
    {
        writer.WriteStartArray("explanation");
        foreach (var statement in explanation)
        {
            writer.WriteStartObject();
            writer.WriteString("file", statement.Location.File);
            writer.WriteNumber("line", statement.Location.Line);
            writer.WriteNumber("column", statement.Location.Column);
            writer.WriteString("statement", statement.Text);
            writer.WriteNumber("tried", statement.Tried);
            writer.WriteNumber("solved", statement.Solved);
            writer.WriteStartArray("seen");
            foreach (var (name, value) in statement.Seen)
            {
                writer.WriteStartObject();
                writer.WriteString("name", name);
                writer.WriteBoolean("defined", value is not null);
                if (value is not null)
                {
                    writer.WritePropertyName("value");
                    Write(writer, value);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
