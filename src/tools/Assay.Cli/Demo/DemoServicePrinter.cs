using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>The chapter about the service, as people read it and as programs do.</summary>
internal static class DemoServicePrinter
{
    public static async Task<bool> PrintAsync(DemoService chapter, IAnsiConsole console, CancellationToken cancellation)
    {
        Folded.Print(console, Folded.To("Everything here is simulated and proves nothing about hardware. The service is assay-server, as a process on loopback.", console.Profile.Width, 0));
        var (asExpected, last) = (true, (DemoServicePart?)null);
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            if (last != line.Part)
            {
                console.WriteLine();
                console.MarkupLineInterpolated($"[bold]{TitleOf(line.Part)}[/]");
            }

            DemoLine.Print(console, line.AsExpected, !line.AsExpected ? "WRONG" : line.Part is DemoServicePart.Attacks ? "refused" : "done", line.Title, line.Reason);
            (asExpected, last) = (asExpected && line.AsExpected, line.Part);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The VM has a token that anyone who knows the issuer can verify, and no other caller got one.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    public static async Task<bool> PrintJsonAsync(DemoService chapter, CancellationToken cancellation)
    {
        var lines = new List<DemoServiceLine>();
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            lines.Add(line);
        }

        var asExpected = lines.All(line => line.AsExpected);
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            foreach (var part in Enum.GetValues<DemoServicePart>())
            {
                writer.WriteStartArray(part switch { DemoServicePart.Honest => "steps", DemoServicePart.Nvidia => "nvidia", _ => "attacks" });
                foreach (var line in lines.Where(line => line.Part == part))
                {
                    writer.WriteStartObject();
                    writer.WriteString("title", line.Title);
                    writer.WriteBoolean("asExpected", line.AsExpected);
                    writer.WriteString("reason", line.Reason);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            writer.WriteBoolean("asExpected", asExpected);
            writer.WriteEndObject();
        });
        return asExpected;
    }

    private static string TitleOf(DemoServicePart part) => part switch
    {
        DemoServicePart.Honest => "A confidential VM gets a token, and a relying party that knows only the issuer believes it",
        DemoServicePart.Nvidia => "A client of NVIDIA's service, with another address and nothing else",
        _ => "Somebody tries to get a token that is not due",
    };
}
