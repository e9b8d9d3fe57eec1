using System.Collections.Immutable;
using System.CommandLine;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>Who answers a nonce, where no key is given.</summary>
internal enum NonceMeaning
{
    /// <summary>Devices do: 32 bytes.</summary>
    OfDevices,

    /// <summary>Nobody does, whatever its form.</summary>
    OfProcessorAlone,

    /// <summary>A file is something else than its option takes: where it is given instead, the nonce may be right.</summary>
    Unknown,
}

/// <summary>The files about a processor: <c>--cpu-evidence</c>, <c>--event-log</c> and <c>--cpu-collateral</c>.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="shown">What the evidence files hold.</param>
/// <param name="refuse">Takes id and message of each fault.</param>
internal sealed class ProcessorFiles(MachineOptions options, ParseResult parsed, MachineEvidence shown, Action<string, string> refuse)
{
    /// <summary>Whether every file of evidence could be read.</summary>
    public required bool IsRead { get; set; }

    /// <summary>What the files of evidence tell of a nonce.</summary>
    public NonceMeaning Nonce { get; private set; }

    public ProcessorEvidence? Evidence()
    {
        var file = parsed.GetValue(options.ProcessorEvidence);
        // Told before the file is read: no file of --cpu-evidence brings devices or a key along.
        Nonce = IsRead && shown.Devices.IsEmpty && shown.Key is null && (file is not null || shown.Cpu is not null) ? NonceMeaning.OfProcessorAlone : NonceMeaning.OfDevices;
        if (file is null)
        {
            return shown.Cpu;
        }

        if (shown.Cpu is not null)
        {
            refuse("cli.cpu", "--cpu-evidence is given, and an evidence file contains processor evidence too: give one of them");
        }

        if (!InputFile.TryRead(file, 4 * Limits.AzureEvidenceBytes, out var bytes, out var whyNot))
        {
            refuse("cli.file", whyNot);
        }
        else if (ProcessorEvidence.TryParse(bytes, InputFile.NameOf(file), out var cpu, out var fault))
        {
            return cpu;
        }
        else
        {
            Nonce = NonceMeaning.Unknown;
            refuse("cpu.malformed", WrongFile.Message(
                InputFile.NameOf(file), "--cpu-evidence", "a TDX quote or an SNP report (binary, hexadecimal, base64, or in JSON), or Azure's vTPM evidence", bytes,
                fault.Field is "CPU evidence" ? fault.Problem : $"{fault.Field}: {fault.Problem}",
                ContentKind.TdxQuote, ContentKind.SnpReport, ContentKind.ProcessorEvidence, ContentKind.AzureVtpm));
        }

        IsRead = false;
        return null;
    }

    public ProcessorCollateral? Collateral(ProcessorEvidence? cpu)
    {
        var path = parsed.GetValue(options.ProcessorCollateral);
        if (path is null || (cpu is null && !IsRead))
        {
            return null;
        }

        if (cpu is null)
        {
            refuse("cli.cpu", "--cpu-collateral belongs to processor evidence: --cpu-evidence FILE, or a bundle with one");
        }
        else if (!File.Exists(path) && !Directory.Exists(path))
        {
            refuse("cli.file", $"--cpu-collateral: {path}: no such file or folder");
        }
        else if (ProcessorCollateralFiles.TryRead(path, cpu, out var collateral, out var passedOver, out var whyNot))
        {
            // They change no verdict, and what is missing may be in one of them.
            foreach (var other in passedOver)
            {
                Output.Error("cli.unused", Printable.Of($"--cpu-collateral: not used: {other}"));
            }

            return collateral;
        }
        else
        {
            refuse("cpu.collateral", whyNot);
        }

        return null;
    }

    public ImmutableArray<ReadOnlyMemory<byte>> Logs()
    {
        var logs = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        foreach (var file in parsed.GetValue(options.EventLog) ?? [])
        {
            if (!InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
            }
            else if (!EventLog.TryParse(bytes, out _, out var fault) && FileContent.Of(bytes).Kind is not ContentKind.EventLog)
            {
                refuse("log.malformed", WrongFile.Message(InputFile.NameOf(file), "--event-log", "an event log (CCEL, TCG or dstack's JSON)", bytes, $"{fault}", ContentKind.DstackTcbInfo));
            }
            else
            {
                logs.Add(bytes);
            }
        }

        return logs.ToImmutable();
    }
}
