using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Tdx;

/// <summary>
/// A TDREPORT (Intel TDX Module ABI, TDREPORT_STRUCT; 1,024 bytes, little-endian): what TDG.MR.REPORT gives. Only the processor that made it can check its
/// MAC, so it proves nothing to anybody else; a quoting enclave makes a quote of it.
/// <code>
/// REPORTMACSTRUCT 256   type 1 (81) · subtype 1 · version 1 · reserved 13 · CPUSVN 16 · TEE_TCB_INFO_HASH 48 · TEE_INFO_HASH 48 · REPORTDATA 64 · reserved 32 · MAC 32
/// TEE_TCB_INFO 239      VALID 8 · TEE_TCB_SVN 16 · MRSEAM 48 · MRSIGNERSEAM 48 · SEAMATTRIBUTES 8 · TEE_TCB_SVN_2 16 · reserved 95
/// reserved 17
/// TDINFO_STRUCT 512     TDATTRIBUTES 8 · XFAM 8 · MRTD · MRCONFIGID · MROWNER · MROWNERCONFIG · RTMR0–3 · MRSERVICETD, each 48 · reserved 64
/// </code>
/// </summary>
public sealed record TdReport
{
    /// <summary>Its bytes.</summary>
    public const int Size = 1024;

    private const byte TdxType = 0x81;

    /// <summary>0, or 1 for TDX 1.5 with a service TD's measurement.</summary>
    public required int Version { get; init; }

    /// <summary>CPUSVN.</summary>
    public required ReadOnlyMemory<byte> CpuSvn { get; init; }

    /// <summary>The same fields as in a quote.</summary>
    public required TdReportBody Body { get; init; }

    /// <summary>The MAC, under a key of the processor.</summary>
    public required ReadOnlyMemory<byte> Mac { get; init; }

    /// <summary>Reads a TDREPORT.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TdReport? report, [NotNullWhen(false)] out ParseFault? fault)
    {
        var wire = new WireReader(source);
        wire.Require(source.Length == Size, "TDREPORT", $"{source.Length} bytes, {Size} are expected");
        wire.Require(wire.U8("type") == TdxType, "type", "81 (TDX) is expected");
        wire.Bytes(1, "subtype");
        var version = wire.U8("version");
        wire.Bytes(13, "reserved");
        var cpuSvn = wire.Bytes(16, "CPUSVN");
        wire.Bytes(96, "TEE_TCB_INFO_HASH, TEE_INFO_HASH");
        var data = wire.Bytes(ReportData.Size, "REPORTDATA");
        wire.Bytes(32, "reserved");
        var mac = wire.Bytes(32, "MAC");
        var body = ReadBody(ref wire, data);
        fault = wire.Fault;
        report = body is null ? null : new TdReport { Version = version, CpuSvn = cpuSvn.ToArray(), Mac = mac.ToArray(), Body = body };
        return report is not null;
    }

    // TEE_TCB_INFO and TDINFO_STRUCT to the end: the fields of a quote's body in another order. Null after a fault.
    private static TdReportBody? ReadBody(ref WireReader wire, ReadOnlySpan<byte> data)
    {
        wire.Bytes(8, "VALID");
        var svn = wire.Bytes(16, "TEE_TCB_SVN");
        var (module, signer) = (Register(ref wire, "MRSEAM"), Register(ref wire, "MRSIGNERSEAM"));
        var seamAttributes = wire.U64("SEAMATTRIBUTES");
        var svn2 = wire.Bytes(16, "TEE_TCB_SVN_2");
        wire.Bytes(95 + 17, "reserved");
        var (attributes, features) = (wire.U64("TDATTRIBUTES"), wire.U64("XFAM"));
        Span<Digest> registers = new Digest[9];
        foreach (ref var register in registers)
        {
            register = Register(ref wire, "TDINFO_STRUCT");
        }

        wire.Bytes(64, "reserved");
        wire.End("TDREPORT");
        // Modules before 1.5 leave it zero.
        var isNewer = svn2.ContainsAnyExcept((byte)0);
        return wire.Fault is not null ? null : new TdReportBody
        {
            Kind = isNewer ? TdReportKind.Td15 : TdReportKind.Td10,
            TeeTcbSvn = [.. svn],
            MrSeam = module,
            MrSignerSeam = signer,
            SeamAttributes = seamAttributes,
            Attributes = new TdAttributes(attributes),
            Xfam = new Xfam(features),
            MrTd = registers[0],
            MrConfigId = registers[1],
            MrOwner = registers[2],
            MrOwnerConfig = registers[3],
            Rtmr = [registers[4], registers[5], registers[6], registers[7]],
            ReportData = ReportData.OfExactly(data),
            TeeTcbSvn2 = isNewer ? [.. svn2] : [],
            MrServiceTd = isNewer ? registers[8] : default,
        };
    }

    private static Digest Register(ref WireReader wire, string field) => new(wire.Bytes(48, field));
}
