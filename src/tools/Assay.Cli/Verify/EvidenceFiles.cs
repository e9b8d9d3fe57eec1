using System.Collections.Immutable;
using System.CommandLine;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>What is shown: the files of <c>--evidence</c>, and of <c>--report</c> with <c>--chain</c>.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="refuse">Takes id and message of each fault.</param>
internal sealed class EvidenceFiles(VerifyOptions options, ParseResult parsed, Action<string, string> refuse)
{
    private const string Taken = "evidence of GPUs and switches, or of a whole machine, in JSON";
    private const string RequiredHere = "give evidence: --evidence FILE…, --report FILE with --chain FILE, or --cpu-evidence FILE";

    public MachineEvidence Read()
    {
        var files = parsed.GetValue(options.Evidence) ?? [];
        var (report, chain) = (parsed.GetValue(options.Report), parsed.GetValue(options.Chain));
        var none = new MachineEvidence { Devices = [] };
        if (files.Length == 0 && report is null && chain is null)
        {
            if (parsed.GetValue(options.Machine.ProcessorEvidence) is null)
            {
                refuse("cli.evidence", RequiredHere);
            }

            return none;
        }

        if ((report is null) != (chain is null))
        {
            refuse("cli.evidence", "--report and --chain belong together");
            return none;
        }

        var devices = ImmutableArray.CreateBuilder<DeviceEvidence>();
        MachineEvidence? whole = null;
        foreach (var file in files)
        {
            if (InputFile.TryRead(file, Limits.EvidenceFileBytes, out var bytes, out var whyNot) is false)
            {
                refuse("cli.file", whyNot);
            }
            else if (!MachineEvidence.TryParse(bytes, InputFile.NameOf(file), out var read, out var fault))
            {
                refuse("evidence.malformed", WrongFile.Message(InputFile.NameOf(file), "--evidence", Taken, bytes, $"{fault}", ContentKind.DeviceEvidence, ContentKind.MachineEvidence));
            }
            else
            {
                devices.AddRange(read.Devices);
                if (read.Cpu is null && read.Key is null)
                {
                    continue;
                }

                if (whole is not null)
                {
                    refuse("cli.evidence", $"{InputFile.NameOf(file)}: a second bundle with a processor or a key: each call judges one machine");
                }

                whole = read;
            }
        }

        if (report is not null && Alone(report, chain!) is { } alone)
        {
            devices.Add(alone);
        }

        if (devices.Count > Limits.Devices)
        {
            refuse("cli.evidence", $"{devices.Count} devices are given, at most {Limits.Devices} are judged in one call");
        }

        return (whole ?? none) with { Devices = devices.ToImmutable() };
    }

    private DeviceEvidence? Alone(string report, string chain)
    {
        if (!InputFile.TryRead(report, Limits.EventLogBytes, out var reportFile, out var whyNot)
            | !InputFile.TryRead(chain, Limits.EventLogBytes, out var chainFile, out var whyNotChain))
        {
            refuse("cli.file", whyNot ?? whyNotChain!);
            return null;
        }

        if (!EvidenceText.TryReadReport(reportFile, out var bytes, out var fault))
        {
            refuse("report.malformed", WrongFile.Message(InputFile.NameOf(report), "--report", "the report of one GPU or switch (SPDM)", reportFile, $"{fault}", ContentKind.DeviceReport));
            return null;
        }

        if (FileContent.Of(reportFile) is { Kind: not (ContentKind.DeviceReport or ContentKind.Text or ContentKind.Unknown) })
        {
            refuse("report.malformed", WrongFile.Message(InputFile.NameOf(report), "--report", "the report of one GPU or switch (SPDM)", reportFile, ""));
            return null;
        }

        if (FileContent.Of(chainFile) is { Kind: not (ContentKind.Certificates or ContentKind.Unknown) })
        {
            refuse("chain.malformed", WrongFile.Message(InputFile.NameOf(chain), "--chain", "the device's certificates in PEM, leaf first", chainFile, ""));
            return null;
        }

        return new DeviceEvidence { Source = InputFile.NameOf(report), Report = bytes, Chain = chainFile };
    }
}
