using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Evidence.Tdx;

/// <summary>Which shape a TD's report has.</summary>
public enum TdReportKind
{
    /// <summary>Never parsed.</summary>
    None,

    /// <summary>TDX 1.0: 584 bytes.</summary>
    Td10,

    /// <summary>TDX 1.5: 648 bytes, with the present TCB and the service TD.</summary>
    Td15,
}

/// <summary>
/// What a TDX module reports about a trust domain (Intel TDX DCAP Quote Generation Library, "TD Quote Body"): 584 bytes of TDX 1.0, or
/// 648 of TDX 1.5. Numbers are little-endian, digests as they are.
/// </summary>
public sealed record TdReportBody
{
    /// <summary>Registers that a TD extends.</summary>
    public const int RuntimeRegisters = 4;

    internal const int Size10 = 584;
    internal const int Size15 = 648;
    private const int DigestSize = 48;

    /// <summary>TDX 1.0 or 1.5.</summary>
    public required TdReportKind Kind { get; init; }

    /// <summary>TEE_TCB_SVN, 16 bytes: [0] is the TDX module's ISVSVN, [1] its major version.</summary>
    public required ImmutableArray<byte> TeeTcbSvn { get; init; }

    /// <summary>MRSEAM: the TDX module that is loaded.</summary>
    public required Digest MrSeam { get; init; }

    /// <summary>MRSIGNERSEAM: who signed it; zero for Intel.</summary>
    public required Digest MrSignerSeam { get; init; }

    /// <summary>SEAMATTRIBUTES of the module.</summary>
    public required ulong SeamAttributes { get; init; }

    /// <summary>TDATTRIBUTES.</summary>
    public required TdAttributes Attributes { get; init; }

    /// <summary>XFAM.</summary>
    public required Xfam Xfam { get; init; }

    /// <summary>MRTD: the initial memory of the TD, as a rule its firmware.</summary>
    public required Digest MrTd { get; init; }

    /// <summary>MRCONFIGID, chosen by the host at launch.</summary>
    public required Digest MrConfigId { get; init; }

    /// <summary>MROWNER, chosen by the host at launch.</summary>
    public required Digest MrOwner { get; init; }

    /// <summary>MROWNERCONFIG, chosen by the host at launch.</summary>
    public required Digest MrOwnerConfig { get; init; }

    /// <summary>RTMR0 to RTMR3.</summary>
    public required ImmutableArray<Digest> Rtmr { get; init; }

    /// <summary>REPORTDATA, chosen by the TD.</summary>
    public required ReportData ReportData { get; init; }

    /// <summary>TEE_TCB_SVN_2, 16 bytes: the TCB at the moment of the report, where the module was updated under a running TD. Empty in TDX 1.0.</summary>
    public required ImmutableArray<byte> TeeTcbSvn2 { get; init; }

    /// <summary>MRSERVICETD: the service TDs that may act on this one, zero for none; default in TDX 1.0.</summary>
    public required Digest MrServiceTd { get; init; }

    /// <summary>Whether a service TD, for instance one that migrates, is bound to this one.</summary>
    public bool HasServiceTd => !MrServiceTd.IsZero;

    internal static TdReportBody Read(ref WireReader wire, TdReportKind kind)
    {
        var body = new TdReportBody
        {
            Kind = kind,
            TeeTcbSvn = [.. wire.Bytes(16, "TEE_TCB_SVN")],
            MrSeam = Read(ref wire, "MRSEAM"),
            MrSignerSeam = Read(ref wire, "MRSIGNERSEAM"),
            SeamAttributes = wire.U64("SEAMATTRIBUTES"),
            Attributes = new TdAttributes(wire.U64("TDATTRIBUTES")),
            Xfam = new Xfam(wire.U64("XFAM")),
            MrTd = Read(ref wire, "MRTD"),
            MrConfigId = Read(ref wire, "MRCONFIGID"),
            MrOwner = Read(ref wire, "MROWNER"),
            MrOwnerConfig = Read(ref wire, "MROWNERCONFIG"),
            Rtmr = [Read(ref wire, "RTMR0"), Read(ref wire, "RTMR1"), Read(ref wire, "RTMR2"), Read(ref wire, "RTMR3")],
            ReportData = wire.Bytes(ReportData.Size, "REPORTDATA") is { IsEmpty: false } data ? ReportData.OfExactly(data) : s_none,
            TeeTcbSvn2 = kind is TdReportKind.Td15 ? [.. wire.Bytes(16, "TEE_TCB_SVN_2")] : [],
            MrServiceTd = kind is TdReportKind.Td15 ? Read(ref wire, "MRSERVICETD") : default,
        };
        return body;
    }

    private static readonly ReportData s_none = ReportData.OfExactly(new byte[ReportData.Size]);

    private static Digest Read(ref WireReader wire, string field) => new(wire.Bytes(DigestSize, field));
}
