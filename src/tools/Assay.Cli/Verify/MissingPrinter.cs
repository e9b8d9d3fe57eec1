using Assay.Appraisal.Devices;
using Assay.Policy;
using Spectre.Console;

namespace Assay.Cli.Verify;

/// <summary>What is missing, for people: each item with the reason, the option that fetches it, and the whole address.</summary>
/// <param name="console">Where to.</param>
/// <param name="line">Writes a line, folded and harmless.</param>
internal sealed class MissingPrinter(IAnsiConsole console, Action<string> line)
{
    public void Print(Verdict verdict)
    {
        var (appraisal, cpu) = (verdict.Appraisal, verdict.Machine?.Parts.Cpu);
        if (appraisal.Missing.IsEmpty && cpu is null or { Missing.IsEmpty: true })
        {
            return;
        }

        console.WriteLine();
        console.MarkupLine("[bold]Missing[/]");
        // What is said of several devices in the same words is said once.
        foreach (var group in appraisal.Missing.GroupBy(item => (item.Kind, item.Reason, item.Url)))
        {
            Print([.. group]);
        }

        foreach (var item in cpu?.Missing ?? [])
        {
            line($"  cpu   {item}");
            var addresses = cpu!.AddressesOf(item);
            // Whoever asked somewhere learns what came of it; the manufacturer's address is then another way.
            var reason = cpu.WhyNotFetched(item);
            if (reason is not null)
            {
                line($"        {char.ToUpperInvariant(reason[0])}{reason[1..]}");
            }

            if (!addresses.IsEmpty)
            {
                line($"        {(reason is null ? $"{cpu.FetchOption} fetches it, from" : "its address at the manufacturer:")} {string.Join(" and ", addresses)}");
            }
        }
    }

    private void Print(MissingItem[] items)
    {
        var item = items[0];
        line($"  {item.Kind,-6}{item.Id}{(items.Length == 1 ? "" : $" and {items.Length - 1} more, of devices {DeviceRanges.Of(items.Select(one => one.DeviceIndex))}")}");
        line($"        {item.Reason}");
        if (!item.Nearest.IsEmpty)
        {
            line($"        The source has, for the same chip and board: {string.Join(", ", item.Nearest)}");
        }

        if (item.Url is { } url)
        {
            line(item.Kind == "rim" ? $"        {item.FetchOption} fetches it, from {url}" : $"        {item.FetchOption} asks, by POST at {url}");
        }
    }
}
