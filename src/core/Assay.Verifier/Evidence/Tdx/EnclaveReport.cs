using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Evidence.Tdx;

/// <summary>
/// The report of a quoting enclave (Intel SGX ECDSA Quote Library, "Enclave Report Body"): 384 bytes, numbers little-endian. Reserved
/// bytes are not looked into: the signature covers them, and later processors use some.
/// </summary>
public sealed record EnclaveReport
{
    internal const int Size = 384;
    private const ulong DebugFlag = 0x2;

    /// <summary>CPUSVN, 16 bytes.</summary>
    public required ImmutableArray<byte> CpuSvn { get; init; }

    /// <summary>MISCSELECT.</summary>
    public required uint MiscSelect { get; init; }

    /// <summary>ATTRIBUTES, 16 bytes: flags and XFRM, little-endian.</summary>
    public required ImmutableArray<byte> Attributes { get; init; }

    /// <summary>MRENCLAVE.</summary>
    public required Digest MrEnclave { get; init; }

    /// <summary>MRSIGNER.</summary>
    public required Digest MrSigner { get; init; }

    /// <summary>ISVPRODID.</summary>
    public required ushort IsvProdId { get; init; }

    /// <summary>ISVSVN.</summary>
    public required ushort IsvSvn { get; init; }

    /// <summary>REPORTDATA: SHA-256 of the attestation key and the authentication data, then 32 zero bytes.</summary>
    public required ReportData ReportData { get; init; }

    /// <summary>All 384 bytes, as the PCK key signed them.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>ATTRIBUTES.DEBUG: its memory can be read from outside.</summary>
    public bool Debug => (Attributes[0] & DebugFlag) != 0;

    internal static EnclaveReport Read(ReadOnlyMemory<byte> bytes)
    {
        var wire = new WireReader(bytes.Span);
        var cpuSvn = wire.Bytes(16, "CPUSVN").ToImmutableArray();
        var miscSelect = wire.U32("MISCSELECT");
        wire.Bytes(28, "reserved");
        var attributes = wire.Bytes(16, "ATTRIBUTES").ToImmutableArray();
        var enclave = new Digest(wire.Bytes(32, "MRENCLAVE"));
        wire.Bytes(32, "reserved");
        var signer = new Digest(wire.Bytes(32, "MRSIGNER"));
        wire.Bytes(96, "reserved");
        var product = wire.U16("ISVPRODID");
        var version = wire.U16("ISVSVN");
        wire.Bytes(60, "reserved");
        return new EnclaveReport
        {
            CpuSvn = cpuSvn,
            MiscSelect = miscSelect,
            Attributes = attributes,
            MrEnclave = enclave,
            MrSigner = signer,
            IsvProdId = product,
            IsvSvn = version,
            ReportData = ReportData.OfExactly(wire.Bytes(ReportData.Size, "REPORTDATA")),
            Bytes = bytes,
        };
    }
}
