using System.Collections.Immutable;
using System.Text.Json;
using Assay.Authentication;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>Everything that was asked about the quote or report of one processor, whatever its technology, and the answers.</summary>
public abstract record TeeResult
{
    private protected TeeResult()
    {
    }

    /// <summary>In check order. None of them is ever left out.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes could not even be read.</summary>
    public required bool Unparsable { get; init; }

    /// <summary>By which clock, under whose anchors.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>What may be said about the guest; null until it was appraised.</summary>
    public TeeClaims? Claims { get; init; }

    /// <summary>What could not be had, by permanent names: <c>tcb-info</c>, <c>qe-identity</c>, <c>pck-crl</c>, <c>root-crl</c>, <c>amd-crl</c>, <c>snp-certificates</c>.</summary>
    public ImmutableArray<string> Missing { get; init; } = [];

    /// <summary>What was waived, by permanent names, sorted.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>The latest date of an item that verified: no honest clock is earlier (S-13).</summary>
    public DateTimeOffset LatestStatement { get; init; }

    /// <summary>Whether every question was answered with yes, does not apply, or was waived by name.</summary>
    public bool Passed => Claims is not null && Findings.IsPassed();

    /// <summary>The technology's word: <c>tdx</c> or <c>snp</c>.</summary>
    public string Word => Technology.Word;

    /// <summary>Technology and generation, for people; the technology alone where the evidence is not authentic.</summary>
    public abstract string Title { get; }

    /// <summary>The status of the platform's TCB; None where it was not judged.</summary>
    public abstract TcbStatus TcbStatus { get; }

    /// <summary>Advisories about that TCB, sorted, without repeats.</summary>
    public virtual ImmutableArray<string> AdvisoryIds => [];

    /// <summary>The row of the table of technologies.</summary>
    internal abstract TeeTechnology Technology { get; }

    /// <summary>What the processor signed for the guest; null where the evidence is not authentic.</summary>
    internal abstract ReportData? ReportData { get; }

    /// <summary>The measurement registers that it signed; null where the evidence is not authentic, or has none.</summary>
    internal virtual QuotedRegisters? Registers => null;

    /// <summary>What the hardware measured of the guest at its launch; null where the evidence is not authentic.</summary>
    internal abstract Digest? LaunchMeasurement { get; }

    /// <summary>The known-good image that it matches; null where none was given or none matches.</summary>
    internal abstract KnownImage? Known { get; }

    /// <summary>The levels of Intel's statements that its parts fell to, the platform's first; empty where none were judged, and for AMD, which has none.</summary>
    public virtual ImmutableArray<TcbPart> TcbParts => [];

    /// <summary>Whether the certificate that verified the evidence names a machine that is listed. Asked of authentic evidence alone.</summary>
    internal abstract Outcome PlatformAmong(KnownPlatforms known);

    /// <summary>Whether the evidence is authentic.</summary>
    public bool IsAuthentic => ReportData is not null;

    /// <summary>Whether nothing but missing certificates stands between the evidence and an answer.</summary>
    internal bool LacksCertificates => !IsAuthentic && Findings.Any(finding => finding.Cause is NotCheckedCause.Missing) && !Findings.Any(finding => finding.State is CheckState.Failed);
}

/// <summary>Which level a part of the TCB fell to.</summary>
/// <param name="Name">In JSON: <c>platform</c>, <c>module</c> or <c>quoting-enclave</c>.</param>
/// <param name="Title">For people.</param>
/// <param name="Judgement">What Intel says of the level: status, date and advisories.</param>
public sealed record TcbPart(string Name, string Title, TcbJudgement Judgement);

/// <summary>A reference value that an image matches.</summary>
/// <param name="Name">Its name in the reference values.</param>
/// <param name="IsParavisor">Whether the relying party marked it as a paravisor's.</param>
/// <param name="NamesKernel">Whether it names what the firmware boots, and not the firmware alone.</param>
internal sealed record KnownImage(string Name, bool IsParavisor, bool NamesKernel);

/// <summary>What may be said about one authentic guest. Names in JSON are the wire contract: docs/reference/claims.md lists them.</summary>
public abstract record TeeClaims
{
    private protected TeeClaims()
    {
    }

    /// <summary>Writes one JSON object.</summary>
    public abstract void Write(Utf8JsonWriter writer);
}
