using System.Text.Json;
using Assay.Cli.Inspection;
using Assay.Inspection;
using Spectre.Console;

namespace Assay.Tests.Cli.Inspection;

/// <summary>Inspecting bytes as the command does, and both forms of what it shows.</summary>
internal static class Inspections
{
    public static void Survives(byte[] file)
    {
        if (Inspector.Inspect(file, "a file", new FaultLog()) is { } shown)
        {
            Text(shown);
            Json(shown).Dispose();
        }
    }

    public static InspectionNode Inspected(byte[] file)
    {
        var faults = new FaultLog();
        var node = Inspector.Inspect(file, "a file", faults);
        Assert.Empty(faults.Faults);
        return node!;
    }

    public static (string Id, string Message) Refused(byte[] file)
    {
        var faults = new FaultLog();
        Assert.Null(Inspector.Inspect(file, "a file", faults));
        return Assert.Single(faults.Faults);
    }

    public static string Text(InspectionNode node)
    {
        using var writer = new StringWriter();
        new InspectionPrinter(Unfolded(writer)).Print(node, "a file");
        return writer.ToString();
    }

    public static JsonDocument Json(InspectionNode node)
    {
        using var output = new MemoryStream();
        InspectionJson.Write(node, output);
        return JsonDocument.Parse(output.ToArray(), new JsonDocumentOptions { AllowDuplicateProperties = false });
    }

    public static IAnsiConsole Unfolded(StringWriter writer)
    {
        const int unfolded = 100_000;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = unfolded;
        return console;
    }
}
