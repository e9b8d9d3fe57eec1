using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Assay.Cli.Configuration;

/// <summary>The schema of a configuration, as docs/reference publishes it: JSON Schema 2020-12, for editors and other programs.</summary>
internal static class ConfigSchema
{
    public static string Of(ImmutableArray<ConfigKey> keys)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("$schema", "https://json-schema.org/draft/2020-12/schema");
            writer.WriteString("title", "assay verify --config");
            writer.WriteString("type", "object");
            writer.WriteStartArray("required");
            writer.WriteStringValue("version");
            writer.WriteEndArray();
            writer.WriteBoolean("additionalProperties", false);
            writer.WriteStartObject("properties");
            writer.WriteStartObject("version");
            writer.WriteNumber("const", VerifyKeys.Version);
            writer.WriteEndObject();
            foreach (var (name, about) in VerifyKeys.Sections)
            {
                writer.WriteStartObject(name);
                writer.WriteString("description", about);
                writer.WriteStartArray("type");
                writer.WriteStringValue("object");
                writer.WriteStringValue("null");
                writer.WriteEndArray();
                writer.WriteBoolean("additionalProperties", false);
                writer.WriteStartObject("properties");
                foreach (var key in keys.Where(key => key.Section == name))
                {
                    WriteKey(writer, key);
                }

                writer.WriteEndObject();
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteKey(Utf8JsonWriter writer, ConfigKey key)
    {
        writer.WriteStartObject(key.Name);
        writer.WriteString("description", $"{key.Description} ({key.Option.Name}{(key.MayBeVariable ? $", {key.Variable}" : "")})");
        if (key.IsList)
        {
            writer.WriteString("type", "array");
            if (key.PartOf is null)
            {
                writer.WriteNumber("minItems", 1);
            }

            writer.WriteBoolean("uniqueItems", true);
            writer.WriteStartObject("items");
            WriteValue(writer, key);
            writer.WriteEndObject();
        }
        else
        {
            WriteValue(writer, key);
        }

        writer.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter writer, ConfigKey key)
    {
        switch (key.Kind)
        {
            case ConfigKind.Number:
                writer.WriteString("type", "integer");
                writer.WriteNumber("minimum", key.Least);
                writer.WriteNumber("maximum", key.Most);
                break;
            case ConfigKind.Switch:
                writer.WriteString("type", "boolean");
                break;
            case ConfigKind.Word or ConfigKind.Words:
                writer.WriteStartArray("enum");
                foreach (var word in key.Allowed)
                {
                    writer.WriteStringValue(word);
                }

                writer.WriteEndArray();
                break;
            default:
                writer.WriteString("type", "string");
                writer.WriteNumber("minLength", 1);
                break;
        }
    }
}
