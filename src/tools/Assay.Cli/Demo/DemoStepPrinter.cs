using System.Runtime.CompilerServices;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>A chapter of steps in groups, as people read it and as programs do.</summary>
internal static class DemoStepPrinter
{
    public static async Task<bool> PrintAsync(IDemoSteps chapter, IAnsiConsole console, CancellationToken cancellation)
    {
        Folded.Print(console, Folded.To(chapter.Opening, console.Profile.Width, 0));
        var (asExpected, last) = (true, (DemoGroup?)null);
        await foreach (var line in RunAsync(chapter, cancellation).ConfigureAwait(false))
        {
            if (last != line.Group)
            {
                console.WriteLine();
                console.MarkupLineInterpolated($"[bold]{line.Group.Title}[/]");
            }

            DemoLine.Print(console, line.AsExpected, line.AsExpected ? line.Group.Word : "WRONG", line.Title, line.Reason);
            (asExpected, last) = (asExpected && line.AsExpected, line.Group);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? $"[green]{Markup.Escape(chapter.Closing)}[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    public static async Task<bool> PrintJsonAsync(IDemoSteps chapter, CancellationToken cancellation)
    {
        var lines = new List<DemoStep>();
        await foreach (var line in RunAsync(chapter, cancellation).ConfigureAwait(false))
        {
            lines.Add(line);
        }

        var asExpected = lines.All(line => line.AsExpected);
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            foreach (var group in chapter.Groups)
            {
                writer.WriteStartArray(group.Name);
                foreach (var line in lines.Where(line => line.Group == group))
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

    // None follows an honest step that went wrong: then there is nothing to attack.
    private static async IAsyncEnumerable<DemoStep> RunAsync(IDemoSteps chapter, [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var step in chapter.Steps)
        {
            var line = await step(cancellation).ConfigureAwait(false);
            yield return line;
            if (!line.AsExpected && line.Group == chapter.Groups[0])
            {
                yield break;
            }
        }
    }
}
