using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>What a processor's evidence is. The default is none.</summary>
public enum ProcessorEvidenceKind
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A TDX quote.</summary>
    TdxQuote,

    /// <summary>An SEV-SNP attestation report.</summary>
    SnpReport,

    /// <summary>Azure's vTPM evidence, in JSON, with the hardware report inside.</summary>
    AzureVtpm,
}

/// <summary>A processor's evidence as bytes, out of whatever it came in. Nothing of it is believed.</summary>
public sealed record ProcessorEvidence
{
    private const string Field = "CPU evidence";
    private const int LongestText = 4 * Limits.AzureEvidenceBytes;

    /// <summary>Where it came from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>What it is.</summary>
    public required ProcessorEvidenceKind Kind { get; init; }

    /// <summary>The quote or report, binary; Azure's evidence as its JSON.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The boot log that came in the same file; null where none did.</summary>
    public ReadOnlyMemory<byte>? EventLog { get; init; }

    /// <summary>Certificates of AMD's that came in the same file, DER; empty where none did. They are checked like any that are fetched.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Certificates { get; init; } = [];

    /// <summary>
    /// Parts of the file that nothing here reads or checks, by their members: <c>aa_eventlog</c>, the attestation agent's log, and <c>init-data</c>. A verdict
    /// says of each that it proves nothing about it.
    /// </summary>
    public ImmutableArray<string> Unread { get; init; } = [];

    /// <summary>
    /// Tells a file apart by its content: a TDX quote or an SNP report, binary or as text (<see cref="FileText"/>); Azure's vTPM evidence in JSON; what
    /// dstack's agent answers, <c>{"quote":hex,"event_log":JSON as text}</c>; what Confidential Containers' attesters send,
    /// <c>{"quote":base64,"cc_eventlog":base64}</c> and <c>{"attestation_report":base64,"cert_chain":[{"cert_type","data"}]}</c>; or one of these as
    /// <c>{"platform":name,"evidence":…}</c>. What is inside is not looked into beyond its first bytes.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="evidence">What it holds.</param>
    /// <param name="fault">Why it is none of them.</param>
    public static bool TryParse(ReadOnlySpan<byte> file, string name, [NotNullWhen(true)] out ProcessorEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        fault = file.IsEmpty ? new ParseFault(Field, 0, "the file is empty")
            : file.Length > LongestText ? new ParseFault(Field, 0, $"larger than {LongestText} bytes")
            : null;
        if (fault is not null)
        {
            return false;
        }

        var text = FileText.WithoutMark(file).TrimStart(FileText.WhiteSpace);
        if (text is [(byte)'{', ..])
        {
            return TryReadJson(text, name, out evidence, out fault);
        }

        var content = FileContent.Of(file);
        var kind = KindOf(content.Kind);
        evidence = kind is ProcessorEvidenceKind.None ? null : new ProcessorEvidence { Source = name, Kind = kind, Bytes = content.Bytes };
        fault = evidence is null ? WhyNone(content) : null;
        return evidence is not null;
    }

    private static ParseFault WhyNone(FileContent content) => new(
        Field, 0, $"this is {content.Phrase}; a TDX quote (version 4 or 5) or an SNP report (1,184 bytes), binary, hexadecimal, base64 or in JSON, or Azure's vTPM evidence is expected");

    private static ProcessorEvidenceKind KindOf(ContentKind kind) => kind switch
    {
        ContentKind.TdxQuote => ProcessorEvidenceKind.TdxQuote,
        ContentKind.SnpReport => ProcessorEvidenceKind.SnpReport,
        _ => ProcessorEvidenceKind.None,
    };

    private static bool TryReadJson(ReadOnlySpan<byte> json, string name, [NotNullWhen(true)] out ProcessorEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault(Field, 0, "empty");
            return false;
        }

        var root = document.RootElement;
        var reader = new ProcessorEnvelope(name);
        evidence = ProcessorEnvelope.IsKnown(root) ? reader.Read(root, json) : null;
        fault = evidence is null ? reader.Fault ?? WhyNone(FileContent.Of(json)) : null;
        return evidence is not null;
    }

    /// <summary>A quote or report as text in JSON; null with a fault where it is another thing.</summary>
    internal static ProcessorEvidence? OfText(string text, string name, string member, out ParseFault? fault)
    {
        var content = FileText.TryDecode(text, out var bytes) ? FileContent.Of(bytes) : null;
        var kind = KindOf(content?.Kind ?? ContentKind.Unknown);
        fault = kind is not ProcessorEvidenceKind.None ? null
            : new ParseFault(member, 0, content is null ? "hexadecimal or base64 is expected" : $"this is {content.Phrase}; a TDX quote or an SNP report is expected");
        return fault is null ? new ProcessorEvidence { Source = name, Kind = kind, Bytes = content!.Bytes } : null;
    }
}
