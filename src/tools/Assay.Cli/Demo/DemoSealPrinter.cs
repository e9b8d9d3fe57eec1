using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>The chapter about sealing, as people read it and as programs do.</summary>
internal static class DemoSealPrinter
{
    public static async Task<bool> PrintAsync(DemoSeal chapter, IAnsiConsole console, CancellationToken cancellation)
    {
        Folded.Print(console, Folded.To("Everything here is simulated and proves nothing about hardware. assay seal and the guest's program run as processes.", console.Profile.Width, 0));
        var (asExpected, lines) = (true, new List<DemoSealLine>());
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            if (lines.Count == 0 || lines[^1].Part != line.Part)
            {
                console.WriteLine();
                console.MarkupLineInterpolated($"[bold]{TitleOf(line.Part)}[/]");
            }

            DemoLine.Print(console, line.AsExpected, line.Word, line.Title, line.Reason);
            asExpected &= line.AsExpected;
            lines.Add(line);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The file opened in its VM, and everything else was refused.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    public static async Task<bool> PrintJsonAsync(DemoSeal chapter, CancellationToken cancellation)
    {
        var lines = new List<DemoSealLine>();
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            lines.Add(line);
        }

        var asExpected = lines.All(line => line.AsExpected);
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("steps");
            foreach (var line in lines.Where(line => line.Part is DemoSealPart.Honest))
            {
                writer.WriteStartObject();
                writer.WriteString("step", line.Title);
                writer.WriteBoolean("done", line.AsExpected);
                writer.WriteString("reason", line.Reason);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteStartArray("attacks");
            foreach (var line in lines.Where(line => line.Part is not DemoSealPart.Honest))
            {
                writer.WriteStartObject();
                writer.WriteString("attack", line.Title);
                writer.WriteBoolean("refused", line.AsExpected);
                writer.WriteString("fault", line.Fault);
                writer.WriteString("reason", line.Reason);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteBoolean("asExpected", asExpected);
            writer.WriteEndObject();
        });
        return asExpected;
    }

    private static string TitleOf(DemoSealPart part) => part switch
    {
        DemoSealPart.Honest => "A file is sealed to a key made inside a confidential VM, and opens there",
        DemoSealPart.Changed => "In that VM: what is not the file that the owner sealed",
        DemoSealPart.Elsewhere => "Outside, and later: where the key is not, or may not be used",
        _ => "The owner seals nothing to these",
    };
}
