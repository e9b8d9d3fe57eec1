using System.Collections.Immutable;
using System.Text.Json;
using Assay.Tokens.Clouds;

namespace Assay.Cli.Clouds;

/// <summary>A set-up as JSON.</summary>
internal static class CloudPrinter
{
    public static void PrintJson(CloudSetup setup) => JsonOutput.Print(writer =>
    {
        writer.WriteStartObject();
        WriteProfile(writer, setup);
        WriteStrings(writer, "subjects", setup.Subjects);
        writer.WriteStartObject("conditions");
        foreach (var condition in setup.Conditions)
        {
            WriteStrings(writer, condition.Claim, condition.Values);
        }

        writer.WriteEndObject();
        writer.WriteStartObject("administrator");
        WriteFiles(writer, setup.Files);
        WriteStrings(writer, "commands", setup.Commands);
        writer.WriteEndObject();
        writer.WriteStartObject("workload");
        WriteFiles(writer, setup.WorkloadFiles);
        writer.WriteStartObject("environment");
        foreach (var (name, value) in setup.Environment)
        {
            writer.WriteString(name, value);
        }

        writer.WriteEndObject();
        WriteStrings(writer, "commands", setup.WorkloadCommands);
        writer.WriteEndObject();
        writer.WriteEndObject();
    });

    private static void WriteProfile(Utf8JsonWriter writer, CloudSetup setup)
    {
        var terms = setup.Profile.Terms;
        writer.WriteStartObject("profile");
        writer.WriteString("cloud", setup.Profile.CloudWord);
        writer.WriteString("issuer", $"{setup.Issuer}");
        writer.WriteString("audience", terms.Audience);
        writer.WriteString("subject", terms.Subject);
        writer.WriteStartObject("attributes");
        foreach (var attribute in terms.Attributes)
        {
            writer.WriteString(attribute.Name, attribute.Claim);
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    // Every file here is JSON; as text it is what the script writes.
    private static void WriteFiles(Utf8JsonWriter writer, ImmutableArray<CloudFile> files)
    {
        writer.WriteStartObject("files");
        foreach (var file in files)
        {
            writer.WriteString(file.Name, file.Content);
        }

        writer.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter writer, string name, ImmutableArray<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }
}
