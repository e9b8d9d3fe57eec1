using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Spdm;

/// <summary>
/// An attestation report as NVIDIA's GPUs and switches give it: an SPDM 1.1 GET_MEASUREMENTS request directly followed by its
/// MEASUREMENTS response (DSP0274 1.1 §10.11; little-endian). Well-formed, but not yet known to come from a device.
/// <code>
/// request   version 11 · code E0 · Param1 01 (signature) · Param2 FF (all blocks) · nonce 32 · SlotIDParam 1   = 37 bytes
/// response  version 11 · code 60 · Param1 · Param2 · NumberOfBlocks 1 · MeasurementRecordLength 3 · record
///           · responder nonce 32 · OpaqueLength 2 · opaque data · signature 96 (ECDSA P-384, R‖S big-endian)
/// </code>
/// The signature covers everything before it; SPDM 1.1 prefixes nothing.
/// </summary>
internal sealed class SpdmReport
{
    /// <summary>Leniency: attesters that copy the report out of a C string send its ending NUL along (Confidential Containers). One is dropped (S-26).</summary>
    public const bool AcceptTerminatedReport = true;

    /// <summary>Bytes of R‖S for P-384.</summary>
    public const int SignatureSize = 96;

    private const byte Version11 = 0x11;
    private const byte GetMeasurements = 0xE0;
    private const byte Measurements = 0x60;
    private const byte SignatureRequested = 0x01;
    private const byte AllBlocks = 0xFF;
    private const byte DmtfSpecification = 1;
    private const int DmtfHeaderSize = 3;
    private const int HighestSlot = 7;

    private readonly byte[] _bytes;

    private SpdmReport(byte[] bytes, Nonce nonce, ImmutableArray<MeasurementBlock> blocks, ReadOnlyMemory<byte> responderNonce, OpaqueData opaque)
    {
        _bytes = bytes;
        Nonce = nonce;
        Blocks = blocks;
        ResponderNonce = responderNonce;
        Opaque = opaque;
    }

    /// <summary>The requester's nonce: what the relying party asked with.</summary>
    public Nonce Nonce { get; }

    /// <summary>In the order of the report.</summary>
    public ImmutableArray<MeasurementBlock> Blocks { get; }

    /// <summary>The device's own 32 random bytes. They answer nobody.</summary>
    public ReadOnlyMemory<byte> ResponderNonce { get; }

    /// <summary>The vendor's fields.</summary>
    public OpaqueData Opaque { get; }

    /// <summary>The whole report.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>What the device signed: everything but the signature.</summary>
    public ReadOnlyMemory<byte> SignedBytes => _bytes.AsMemory(..^SignatureSize);

    /// <summary>R‖S, 48 bytes each, big-endian.</summary>
    public ReadOnlyMemory<byte> Signature => _bytes.AsMemory(^SignatureSize..);

    /// <summary>Reads a whole report; every byte must have its place.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out SpdmReport? report, [NotNullWhen(false)] out ParseFault? fault)
    {
        report = null;
        fault = source.Length > Limits.ReportBytes ? new ParseFault("report", 0, $"larger than {Limits.ReportBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        // One copy; measurements and opaque data are slices of it.
        var bytes = source.ToArray();
        var wire = new WireReader(bytes);
        var nonce = ReadRequest(ref wire);
        var (blocks, responderNonce, opaqueBytes) = ReadResponse(ref wire, bytes);
        wire.Bytes(SignatureSize, "Signature");
        var end = wire.Offset;
        if (AcceptTerminatedReport && wire.Remaining == 1)
        {
            wire.Require(wire.U8("terminator") == 0, "report", "one trailing byte, which is not zero");
        }

        wire.End("report");
        fault = wire.Fault;
        if (fault is not null || !OpaqueData.TryParse(opaqueBytes, out var opaque, out fault))
        {
            fault = wire.Fault ?? fault!.Within("OpaqueData", end - SignatureSize - opaqueBytes.Length);
            return false;
        }

        _ = Nonce.TryCreate(nonce, out var requesterNonce);
        report = new SpdmReport(bytes[..end], requesterNonce!, blocks, responderNonce, opaque);
        return true;
    }

    private static ReadOnlySpan<byte> ReadRequest(ref WireReader wire)
    {
        wire.Require(wire.U8("request.SPDMVersion") is Version11, "request.SPDMVersion", "not SPDM 1.1 (0x11)");
        wire.Require(wire.U8("request.RequestResponseCode") is GetMeasurements, "request.RequestResponseCode", "not GET_MEASUREMENTS (0xE0)");
        wire.Require(wire.U8("request.Param1") is SignatureRequested, "request.Param1", "no signature was requested (0x01 is expected)");
        wire.Require(wire.U8("request.Param2") is AllBlocks, "request.Param2", "not all measurements were requested (0xFF is expected)");
        var nonce = wire.Bytes(Nonce.Size, "request.Nonce");
        wire.Require(wire.U8("request.SlotIDParam") <= HighestSlot, "request.SlotIDParam", "no certificate slot (0 to 7)");
        return nonce;
    }

    private static (ImmutableArray<MeasurementBlock> Blocks, ReadOnlyMemory<byte> ResponderNonce, ReadOnlyMemory<byte> Opaque) ReadResponse(
        ref WireReader wire, ReadOnlyMemory<byte> report)
    {
        wire.Require(wire.U8("response.SPDMVersion") is Version11, "response.SPDMVersion", "not SPDM 1.1 (0x11)");
        wire.Require(wire.U8("response.RequestResponseCode") is Measurements, "response.RequestResponseCode", "not MEASUREMENTS (0x60)");
        wire.Require(wire.U8("response.Param1") is 0, "response.Param1", "reserved, not zero");
        wire.Require(wire.U8("response.Param2") <= HighestSlot, "response.Param2", "no certificate slot (0 to 7)");
        var count = wire.U8("NumberOfBlocks");
        wire.Require(count > 0, "NumberOfBlocks", "zero");
        var record = wire.Bytes(wire.U24("MeasurementRecordLength"), "MeasurementRecord").Length;
        var recordStart = wire.Offset - record;
        var blocks = ReadBlocks(report.Slice(recordStart, record), count, recordStart, ref wire);
        var responderNonce = wire.Bytes(Nonce.Size, "response.Nonce").Length;
        var nonceStart = wire.Offset - responderNonce;
        var opaque = wire.Bytes(wire.U16("OpaqueLength"), "OpaqueData").Length;
        return (blocks, report.Slice(nonceStart, responderNonce), report.Slice(wire.Offset - opaque, opaque));
    }

    private static ImmutableArray<MeasurementBlock> ReadBlocks(ReadOnlyMemory<byte> record, int count, int start, ref WireReader outer)
    {
        var blocks = ImmutableArray.CreateBuilder<MeasurementBlock>(count);
        Span<bool> seen = stackalloc bool[Limits.MeasurementBlocks + 1];
        var wire = new WireReader(record.Span);

        while (wire.HasMore)
        {
            var index = wire.U8("Index");
            wire.Require(index is not 0, "Index", "zero names no block");
            wire.Require(!seen[index], "Index", "repeated");
            seen[index] = true;
            wire.Require(wire.U8("MeasurementSpecification") is DmtfSpecification, "MeasurementSpecification", "not DMTF (0x01)");
            var size = wire.U16("MeasurementSize");
            var type = wire.U8("DMTFSpecMeasurementValueType");
            var valueSize = wire.U16("DMTFSpecMeasurementValueSize");
            wire.Require(valueSize > 0, "DMTFSpecMeasurementValueSize", "zero");
            wire.Require(size == DmtfHeaderSize + valueSize, "MeasurementSize", "disagrees with the value it encloses");
            var value = wire.Bytes(valueSize, "DMTFSpecMeasurementValue").Length;
            blocks.Add(new MeasurementBlock(index, type, record.Slice(wire.Offset - value, value)));
        }

        if (blocks.Count != count)
        {
            wire.Require(false, "NumberOfBlocks", $"{count} are declared, {blocks.Count} are in the record");
        }

        if (wire.Fault is { } fault)
        {
            outer.Adopt(fault.Within("MeasurementRecord", start));
        }

        return blocks.ToImmutable();
    }
}
