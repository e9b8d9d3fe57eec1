using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Authentication;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Wire;

namespace Assay.Appraisal.Tdx;

/// <summary>What Intel's statements say about the platform of a quote: three judgements, and the worst of them.</summary>
/// <param name="Platform">Of processor, microcode and firmware; null when no level is met or the statement is missing.</param>
/// <param name="Module">Of the TDX module; null where <see cref="ModuleIsJudgedByPlatform"/>, or as above.</param>
/// <param name="QuotingEnclave">Of the quoting enclave; null as above.</param>
/// <param name="ModuleIsJudgedByPlatform">The module of TDX 1.0 has no levels of its own.</param>
/// <param name="EvaluationDataNumber">tcbEvaluationDataNumber of the TCB information; null when it is missing.</param>
internal sealed record TdxTcb(TcbJudgement? Platform, TcbJudgement? Module, TcbJudgement? QuotingEnclave, bool ModuleIsJudgedByPlatform, int? EvaluationDataNumber)
{
    /// <summary>The worst status; None when one of them is not known.</summary>
    public TcbStatus Status => Platform is null || QuotingEnclave is null || (Module is null && !ModuleIsJudgedByPlatform)
        ? TcbStatus.None
        : Parts.Max(part => part.Status);

    /// <summary>The advisories of all of them, sorted, without repeats.</summary>
    public ImmutableArray<string> AdvisoryIds => [.. Parts.SelectMany(part => part.AdvisoryIds).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <summary>Each of those that were judged, by its name.</summary>
    public ImmutableArray<TcbPart> Named =>
    [
        .. new (string Name, string Title, TcbJudgement? Judgement)[] { ("platform", "platform", Platform), ("module", "TDX module", Module), ("quoting-enclave", "quoting enclave", QuotingEnclave) }
            .Where(part => part.Judgement is not null).Select(part => new TcbPart(part.Name, part.Title, part.Judgement!)),
    ];

    private IEnumerable<TcbJudgement> Parts => new[] { Platform, Module, QuotingEnclave }.OfType<TcbJudgement>();
}

/// <summary>Everything that was asked about one TDX quote, and the answers.</summary>
internal sealed record TdxResult : TeeResult
{
    /// <summary>The proof; null when the quote is not authentic, and then nothing below is set.</summary>
    public AuthenticTdxQuote? Quote { get; init; }

    /// <summary>The platform's TCB; null until it was appraised.</summary>
    public TdxTcb? Tcb { get; init; }

    /// <summary>The known-good image that it matches; null where none was given or none matches.</summary>
    public TdxReference? Image { get; init; }

    /// <summary>What it was authenticated with: nothing else may be asked of it afterwards.</summary>
    internal TdxExpectations? Asked { get; init; }

    /// <inheritdoc/>
    public override string Title => Quote is { } quote ? $"Intel TDX {(quote.Quote.Body.Kind is Evidence.Tdx.TdReportKind.Td15 ? "1.5" : "1.0")}" : Technology.Name;

    /// <inheritdoc/>
    public override TcbStatus TcbStatus => Tcb?.Status ?? TcbStatus.None;

    /// <inheritdoc/>
    public override ImmutableArray<string> AdvisoryIds => Tcb?.AdvisoryIds ?? [];

    /// <inheritdoc/>
    public override ImmutableArray<TcbPart> TcbParts => Tcb?.Named ?? [];

    internal override TeeTechnology Technology { get; } = TeeTechnology.All.OfType<TdxTechnology>().Single();

    internal override ReportData? ReportData => Quote?.Quote.Body.ReportData;

    internal override QuotedRegisters? Registers => Quote is { } quote ? QuotedRegisters.OfRtmrs(quote.Quote.Body.Rtmr.AsSpan()) : null;

    internal override Digest? LaunchMeasurement => Quote?.Quote.Body.MrTd;

    // MRTD is firmware; what firmware loads, a gate included, is in RTMR1 and RTMR2. A register of zeros names nothing: it was never extended.
    internal override KnownImage? Known => Image is { } image ? new KnownImage(image.Name, image.IsParavisor, image.Rtmr.Length > 2 && Names(image.Rtmr[1]) && Names(image.Rtmr[2])) : null;

    // An update of the firmware may change the instance id: where it is listed it must be the same, and whoever lists it says so to the machine's owner.
    internal override Outcome PlatformAmong(KnownPlatforms known)
    {
        var platform = Quote!.Platform;
        var (ppid, instance) = (new Digest(platform.Ppid.Span), new Digest(platform.PlatformInstanceId.Span));
        var ofThePpid = known.Tdx.Where(listed => !ppid.IsZero && listed.Ppid == ppid).ToArray();
        return known.Tdx.IsEmpty ? Outcome.Failed("the list of known platforms has no TDX platforms, so this one cannot be known", $"PPID {ppid}", "platforms.tdx")
            : ofThePpid.Length == 0 ? Outcome.Failed("the quote's platform is not on the list: its key could be in any machine", $"PPID {ppid}", $"one of {known.Tdx.Length} listed")
            : ofThePpid.Any(listed => listed.InstanceId is not { } wanted || wanted == instance) ? Outcome.Held($"PPID {ppid}")
            : Outcome.Failed("the platform's PPID is listed, but its instance id differs: its firmware was updated or its keys were regenerated", $"piid {(instance.Length == 0 ? "none" : instance)}", string.Join(" or ", ofThePpid.Select(listed => $"{listed.InstanceId}")));
    }

    private static bool Names(Digest? value) => value is { } digest && digest.Bytes.ContainsAnyExcept((byte)0);
}
