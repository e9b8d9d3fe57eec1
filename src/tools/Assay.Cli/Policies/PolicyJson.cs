using System.Text.Json;

namespace Assay.Cli.Policies;

/// <summary>JSON on standard output. Everything but plain ASCII is escaped, so that no string draws on a terminal.</summary>
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
}
