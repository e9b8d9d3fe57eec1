using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Files;

namespace Assay.Inspection;

/// <summary>A file as it is shown and measured: its kind, what it holds, and the log that came along.</summary>
/// <param name="Kind">What it is; of evidence in an envelope what is inside.</param>
/// <param name="Content">For text the bytes that it stands for.</param>
/// <param name="Log">Null where none came.</param>
/// <param name="Unread">Parts of the file that nothing reads: <see cref="ProcessorEvidence.Unread"/>.</param>
internal sealed record ShownFile(ContentKind Kind, byte[] Content, byte[]? Log, ImmutableArray<string> Unread)
{
    public static ShownFile Of(byte[] file)
    {
        if (TryReadEvidence(file, out var evidence))
        {
            var kind = evidence.Kind switch { ProcessorEvidenceKind.TdxQuote => ContentKind.TdxQuote, ProcessorEvidenceKind.SnpReport => ContentKind.SnpReport, _ => ContentKind.AzureVtpm };
            return new ShownFile(kind, evidence.Bytes.ToArray(), evidence.EventLog?.ToArray(), evidence.Unread);
        }

        var content = FileContent.Of(file);
        return new ShownFile(content.Kind, content.Bytes.ToArray(), null, []);
    }

    // Alone, or in a bundle beside everything else that a machine shows.
    private static bool TryReadEvidence(byte[] file, [NotNullWhen(true)] out ProcessorEvidence? evidence)
    {
        if (!ProcessorEvidence.TryParse(file, "", out evidence, out _) && MachineEvidence.TryParse(file, "", out var machine, out _))
        {
            evidence = machine.Cpu;
        }

        return evidence is not null;
    }
}
