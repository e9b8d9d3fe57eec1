using System.CommandLine;
using System.Text.Json;

namespace Assay.Simulator.Cli;

/// <summary><c>assay-sim faults</c>: what can be wrong, and which check has to catch it.</summary>
internal static class FaultsCommand
{
    public static Command Create()
    {
        var format = new Option<string>("--format") { Description = "text for people, json for programs", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("text", "json");
        var command = new Command("faults", "Lists every fault, and the checks that catch it.") { format };
        command.SetAction(parsed => Print(parsed.GetValue(format) == "json"));
        return command;
    }

    private static int Print(bool asJson)
    {
        if (!asJson)
        {
            var width = SimulatedFaults.All.Max(fault => fault.Name.Length);
            foreach (var fault in SimulatedFaults.All)
            {
                Console.WriteLine($"{fault.Name.PadRight(width)}  {fault.Summary}{(fault.NeedsMachine ? " (machine)" : "")}");
                Console.WriteLine($"{new string(' ', width)}    {(fault.Outcome is FaultOutcome.Incomplete ? "incomplete" : "refused")}: {string.Join(", ", fault.Findings)}");
            }

            return SimulatorCommandLine.Done;
        }

        using var writer = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true });
        writer.WriteStartArray();
        foreach (var fault in SimulatedFaults.All)
        {
            writer.WriteStartObject();
            writer.WriteString("name", fault.Name);
            writer.WriteString("summary", fault.Summary);
            writer.WriteString("outcome", fault.Outcome is FaultOutcome.Incomplete ? "incomplete" : "refused");
            writer.WriteBoolean("machine", fault.NeedsMachine);
            writer.WriteStartArray("findings");
            foreach (var finding in fault.Findings)
            {
                writer.WriteStringValue(finding);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.Flush();
        Console.WriteLine();
        return SimulatorCommandLine.Done;
    }
}
