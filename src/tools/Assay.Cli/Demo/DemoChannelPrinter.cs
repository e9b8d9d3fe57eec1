using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>The chapter about channels, as people read it and as programs do.</summary>
internal static class DemoChannelPrinter
{
    public static async Task<bool> PrintAsync(DemoChannel chapter, IAnsiConsole console, CancellationToken cancellation)
    {
        Folded.Print(console, Folded.To($"Everything here is simulated and proves nothing about hardware. Both proxies run as processes; the client is {chapter.Caller.Name}.", console.Profile.Width, 0));
        var (asExpected, lines) = (true, new List<DemoChannelLine>());
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            if (lines.Count == 0 || lines[^1].Part != line.Part)
            {
                console.WriteLine();
                console.MarkupLineInterpolated($"[bold]{TitleOf(line.Part)}[/]");
            }

            DemoLine.Print(console, line.AsExpected, line.Word, line.Title, line.Reason);
            foreach (var shown in line.Shown)
            {
                Folded.Print(console, Folded.To(Printable.Of($"    {shown}"), console.Profile.Width));
            }

            asExpected &= line.AsExpected;
            lines.Add(line);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The client reached its server, and what the policy does not accept was refused before a byte of a request was sent.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    public static async Task<bool> PrintJsonAsync(DemoChannel chapter, CancellationToken cancellation)
    {
        var lines = new List<DemoChannelLine>();
        await foreach (var line in chapter.RunAsync(cancellation).ConfigureAwait(false))
        {
            lines.Add(line);
        }

        var asExpected = lines.All(line => line.AsExpected);
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("client", chapter.Caller.Name);
            foreach (var part in Enum.GetValues<DemoChannelPart>())
            {
                writer.WriteStartArray(part switch { DemoChannelPart.Honest => "steps", DemoChannelPart.Attacks => "attacks", _ => "checks" });
                foreach (var line in lines.Where(line => line.Part == part))
                {
                    writer.WriteStartObject();
                    writer.WriteString("title", line.Title);
                    writer.WriteString("outcome", line.Word);
                    writer.WriteString("fault", line.Fault);
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

    private static string TitleOf(DemoChannelPart part) => part switch
    {
        DemoChannelPart.Honest => "A client that knows nothing of attestation reaches a server in a confidential VM",
        DemoChannelPart.Attacks => "Somebody else answers, or listens",
        _ => "What stands behind an address",
    };
}
