using System.CommandLine;
using Assay.Inspection;
using Assay.Wire;

namespace Assay.Cli.Inspection;

/// <summary><c>assay inspect</c>.</summary>
internal static class InspectCommand
{
    public static DescribedCommand Create()
    {
        var file = new Argument<string>("file") { Description = "evidence of GPUs or processors, event log, certificates, RIM, collateral, OCSP response, CRL, anchors or reference values; - for standard input" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "inspect",
            "Shows evidence, a log, certificates, a RIM, collateral or reference values field by field. Verifies nothing.",
            "0 shown · 2 unusable command line, or a file that is not recognized or malformed",
            [
                "assay inspect gpu.json",
                "assay inspect NV_GPU_DRIVER_GH100_550.144.03.xml --format json",
                "assay inspect /sys/firmware/acpi/tables/data/CCEL",
            ])
        {
            file, format,
        };
        command.SetAction(parsed => Run(parsed.GetValue(file)!, parsed.GetValue(format) == Options.Json));
        return command;
    }

    private static int Run(string path, bool json)
    {
        if (!InputFile.TryRead(path, Limits.EvidenceFileBytes, out var bytes, out var whyNot))
        {
            Output.Error("cli.file", Printable.Of(whyNot));
            return ExitCode.Unusable;
        }

        var faults = new FaultLog();
        var shown = Inspector.Inspect(bytes, InputFile.NameOf(path), faults);
        if (shown is not null)
        {
            Print(shown, InputFile.NameOf(path), json);
        }

        foreach (var (id, message) in faults.Faults)
        {
            Output.Error(id, message);
        }

        return faults.Faults.Count == 0 ? ExitCode.Verified : ExitCode.Unusable;
    }

    private static void Print(InspectionNode shown, string name, bool json)
    {
        if (json)
        {
            using var output = Console.OpenStandardOutput();
            InspectionJson.Write(shown, output);
            output.Write("\n"u8);
        }
        else
        {
            new InspectionPrinter(Output.Out).Print(shown, name);
        }
    }
}
