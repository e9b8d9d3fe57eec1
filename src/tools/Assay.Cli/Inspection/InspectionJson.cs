using System.Globalization;
using System.Text.Json;
using Assay.Inspection;
using Assay.Wire;

namespace Assay.Cli.Inspection;

/// <summary>The tree for programs: every value in full. Keys are permanent; new ones may join them.</summary>
internal static class InspectionJson
{
    public static void Write(InspectionNode root, Stream output) => output.Write(HarmlessJson.Write(writer => WriteValue(writer, root)));

    private static void WriteValue(Utf8JsonWriter writer, InspectionNode node)
    {
        switch (node.Form)
        {
            case NodeForm.Group:
                writer.WriteStartObject();
                foreach (var child in node.Children)
                {
                    writer.WritePropertyName(child.Name);
                    WriteValue(writer, child);
                }

                writer.WriteEndObject();
                break;
            case NodeForm.List or NodeForm.Table:
                writer.WriteStartArray();
                foreach (var element in node.Children)
                {
                    WriteValue(writer, element);
                }

                writer.WriteEndArray();
                break;
            case NodeForm.Number:
                writer.WriteNumberValue(long.Parse(node.Value!, CultureInfo.InvariantCulture));
                break;
            case NodeForm.Flag:
                writer.WriteBooleanValue(node.Value == "true");
                break;
            default:
                writer.WriteStringValue(node.Value);
                break;
        }
    }
}
