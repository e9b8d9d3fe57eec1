using System.Text.Json;
using Assay.Wire;

namespace Assay.Cli;

/// <summary>JSON on standard output, with a line's end behind it.</summary>
internal static class JsonOutput
{
    public static void Print(Action<Utf8JsonWriter> write)
    {
        using var output = Console.OpenStandardOutput();
        output.Write(HarmlessJson.Write(write));
        output.Write("\n"u8);
    }
}
