using System.CommandLine;
using Assay.Evidence.Files;

namespace Assay.Cli.Collateral;

/// <summary>What evidence is of.</summary>
[Flags]
internal enum EvidenceKinds
{
    None = 0,

    /// <summary>GPUs or switches.</summary>
    Devices = 1,

    /// <summary>A TDX quote.</summary>
    Tdx = 2,

    /// <summary>An SEV-SNP report.</summary>
    Snp = 4,

    /// <summary>A processor of any kind.</summary>
    Processor = Tdx | Snp,
}

/// <summary>Options that were given and cannot serve the evidence that was given: they are mentioned, so that a slip is seen. They change no verdict.</summary>
internal static class UnusedOptions
{
    /// <summary>What evidence is of. What Azure's vTPM runs on is not looked up here: it may be either.</summary>
    public static EvidenceKinds KindsOf(bool hasDevices, IEnumerable<ProcessorEvidence> processors) =>
        processors.Aggregate(hasDevices ? EvidenceKinds.Devices : EvidenceKinds.None, (kinds, cpu) => kinds | cpu.Kind switch
        {
            ProcessorEvidenceKind.TdxQuote => EvidenceKinds.Tdx,
            ProcessorEvidenceKind.SnpReport => EvidenceKinds.Snp,
            _ => EvidenceKinds.Processor,
        });

    /// <summary>Says on standard error which options are not used.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="given">What the evidence is of.</param>
    /// <param name="options">Each option, and the evidence that it is for.</param>
    public static void Tell(ParseResult parsed, EvidenceKinds given, IEnumerable<(Option Option, EvidenceKinds Of)> options)
    {
        foreach (var (option, of) in options.Where(item => (item.Of & given) is EvidenceKinds.None && IsMeant(parsed, item.Option)))
        {
            var what = of switch
            {
                EvidenceKinds.Devices => "evidence of GPUs and switches",
                EvidenceKinds.Tdx => "a TDX quote",
                EvidenceKinds.Snp => "an SNP report",
                _ => "a processor's evidence",
            };
            Output.Error("cli.unused", $"{option.Name} is not used: it is for {what}, and none is given");
        }
    }

    // To name no service is to expect no use of it.
    private static bool IsMeant(ParseResult parsed, Option option) =>
        parsed.GetResult(option) is { Implicit: false } result && !result.Tokens.Any(token => token.Value == ServiceWords.None);
}
