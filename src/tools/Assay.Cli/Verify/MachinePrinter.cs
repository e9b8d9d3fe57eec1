using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Reference.Intel;
using Spectre.Console;

namespace Assay.Cli.Verify;

/// <summary>Processor, boot and the whole, for people.</summary>
/// <param name="console">Where to.</param>
/// <param name="line">Writes a line, folded and harmless.</param>
/// <param name="findings">Writes findings; all of them, or those that did not hold.</param>
/// <param name="verbose">Whether everything is listed.</param>
internal sealed class MachinePrinter(IAnsiConsole console, Action<string> line, Action<IEnumerable<Finding>, bool> findings, bool verbose)
{
    private const int MostEvents = 32;
    private const int DayCharacters = 10;

    public void PrintProcessor(MachineResult? machine)
    {
        if (machine?.Parts.Cpu is not { } cpu)
        {
            return;
        }

        console.WriteLine();
        var name = cpu.Tee is { IsAuthentic: true } tee ? tee.Title : "not authentic";
        console.MarkupLineInterpolated($"[bold]Processor[/] {Printable.Of(name)}  ({Printable.Of(cpu.Evidence.Source)})");
        var status = cpu.Tee?.TcbStatus ?? TcbStatus.None;
        if (status is not TcbStatus.None)
        {
            var advisories = cpu.Tee?.AdvisoryIds ?? [];
            line($"  TCB {status}{(advisories.IsDefaultOrEmpty ? "" : $": {string.Join(", ", advisories)}")}");
            if (cpu.Tee!.TcbParts is { IsEmpty: false } parts)
            {
                line($"  levels: {string.Join(", ", parts.Select(part => $"{part.Title} {part.Judgement.Status} of {Instant.Text(part.Judgement.Date)[..DayCharacters]}"))}");
            }
        }
        else if (cpu.Tee is { IsAuthentic: true, Word: "snp" })
        {
            line("  TCB not judged: AMD states no status, and no minimum TCB was stated");
        }

        findings(cpu.Findings, verbose);
    }

    public void PrintBoot(MachineResult? machine)
    {
        if (machine?.Parts.Boot is not { } boot)
        {
            return;
        }

        console.WriteLine();
        console.MarkupLine("[bold]Boot[/]");
        PrintFacts(boot, boot.RegisterWord is "RTMR" ? "RTMR" : "PCR ");

        findings(boot.Findings, verbose);
    }

    public void PrintWhole(MachineResult? machine)
    {
        if (machine is null)
        {
            return;
        }

        console.WriteLine();
        console.MarkupLine("[bold]The whole machine[/]");
        // What was not asked and is not there says nothing.
        findings(machine.Findings.Where(finding => verbose || finding.State is not CheckState.NotApplicable || machine.Parts.Devices is not null), true);
    }

    private void PrintFacts(BootResult boot, string register)
    {
        if (!boot.Measurements.IsEmpty)
        {
            line("  measured digests, with the log's own unverified descriptions:");
        }

        foreach (var item in boot.Measurements)
        {
            var what = item.Role switch { BootRole.BootApplication => "boot application", BootRole.CommandLine => "command line", BootRole.Initrd => "initrd", _ => "kernel" };
            line($"  {what,-18}{register}{item.Register}  {item.Digest.ToString()[..16]}…  {item.Text ?? item.Label}".TrimEnd());
        }

        var events = boot.Events;
        if (events.IsEmpty)
        {
            return;
        }

        line($"  events of {register}{events[0].Register}, in order:");
        foreach (var item in events.Take(verbose ? events.Length : MostEvents))
        {
            var place = item.IsLate switch { true => "  after the boundary: shown, not believed", false => "", null => "  before or after the boundary: not known, not believed" };
            line(item.Name is null ? $"    unproven: event {item.Number} has another digest than its name and payload" : $"    {item.Name}{place}");
        }

        if (!verbose && events.Length > MostEvents)
        {
            line($"    and {events.Length - MostEvents} more (--verbose lists them)");
        }
    }
}
