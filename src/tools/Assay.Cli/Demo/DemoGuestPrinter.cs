using System.Text.Json;
using Assay.Policy;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>The chapter about the guest, as people read it and as programs do.</summary>
internal static class DemoGuestPrinter
{
    public static async Task<bool> PrintAsync(DemoGuest guest, IAnsiConsole console, CancellationToken cancellation)
    {
        console.WriteLine("Everything here is simulated and proves nothing about hardware. The guest's program runs as a process, on hardware that another simulates.");
        console.WriteLine();
        console.MarkupLine("[bold]A simulated confidential VM boots through the gate[/]");
        var (boot, verdict) = await guest.BootAsync(cancellation).ConfigureAwait(false);
        DemoLine.Print(console, boot.AsExpected, boot.AsExpected ? "open" : "CLOSED", boot.Title, boot.Reason);
        console.MarkupLineInterpolated($"  a relying party's verdict over what the gate wrote: [bold]{verdict?.Word.ToUpperInvariant() ?? "none"}[/], binding [bold]{verdict?.Binding ?? "none"}[/], freshness {verdict?.Freshness ?? "none"}");
        console.WriteLine(Folded.To($"    weakened by {string.Join(", ", verdict?.Weakened ?? [])}", console.Profile.Width));
        console.WriteLine();
        console.MarkupLine("[bold]Attacks on the boot, each ends closed[/]");
        var asExpected = boot.AsExpected;
        foreach (var attack in guest.Attacks)
        {
            var answer = await attack(cancellation).ConfigureAwait(false);
            asExpected &= answer.AsExpected;
            DemoLine.Print(console, answer.AsExpected, answer.AsExpected ? "closed" : "OPEN", answer.Title, answer.Reason);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The honest machine opened its gate, every attack ended closed.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    public static async Task<bool> PrintJsonAsync(DemoGuest guest, CancellationToken cancellation)
    {
        var (boot, verdict) = await guest.BootAsync(cancellation).ConfigureAwait(false);
        var attacks = new List<DemoBoot>();
        foreach (var attack in guest.Attacks)
        {
            attacks.Add(await attack(cancellation).ConfigureAwait(false));
        }

        var asExpected = boot.AsExpected && attacks.All(attack => attack.AsExpected);
        JsonOutput.Print(writer => Write(writer, boot, verdict, attacks, asExpected));
        return asExpected;
    }

    private static void Write(Utf8JsonWriter writer, DemoBoot boot, Verdict? verdict, List<DemoBoot> attacks, bool asExpected)
    {
        writer.WriteStartObject();
        writer.WriteString("gate", boot.AsExpected ? "open" : "closed");
        writer.WriteString("verdict", verdict?.Word);
        writer.WriteString("binding", verdict?.Binding);
        writer.WriteStartArray("weakened");
        foreach (var name in verdict?.Weakened ?? [])
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("attacks");
        foreach (var attack in attacks)
        {
            writer.WriteStartObject();
            writer.WriteString("attack", attack.Title);
            writer.WriteBoolean("closed", attack.AsExpected);
            writer.WriteString("reason", attack.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteBoolean("asExpected", asExpected);
        writer.WriteEndObject();
    }
}
