using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>
/// SPDM 1.1 GET_MEASUREMENTS request (37 bytes) followed by the MEASUREMENTS response, as NVIDIA devices hand it out.
/// Little-endian; the signature (96 bytes, R and S big-endian) covers everything before it.
/// </summary>
internal static class SpdmReport
{
    private const byte SpdmVersion = 0x11;
    private const byte GetMeasurements = 0xE0;
    private const byte MeasurementsResponse = 0x60;
    private const byte SignatureRequested = 0x01;
    private const byte AllBlocks = 0xFF;
    private const byte DmtfSpecification = 0x01;
    private const byte MutableFirmwareDigest = 0x01;
    private const int DmtfHeaderSize = 3;
    private const int NonceSize = 32;

    /// <summary>Everything but the signature, with a fresh responder nonce.</summary>
    public static byte[] Unsigned(ReadOnlySpan<byte> nonce, ImmutableArray<byte[]> measurements, ReadOnlySpan<byte> opaque)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, NonceSize, nameof(nonce));
        byte[] record = [.. measurements.SelectMany(Block)];
        Span<byte> recordLength = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(recordLength, (uint)record.Length);
        Span<byte> opaqueLength = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(opaqueLength, (ushort)opaque.Length);

        return
        [
            SpdmVersion, GetMeasurements, SignatureRequested, AllBlocks, .. nonce, 0,
            SpdmVersion, MeasurementsResponse, 0, 0, (byte)measurements.Length, .. recordLength[..3],
            .. record, .. RandomNumberGenerator.GetBytes(NonceSize), .. opaqueLength, .. opaque,
        ];
    }

    /// <summary>One DMTF measurement block; indices on the wire start at 1.</summary>
    private static byte[] Block(byte[] value, int index)
    {
        Span<byte> sizes = stackalloc byte[2 * sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(sizes, (ushort)(DmtfHeaderSize + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(sizes[2..], (ushort)value.Length);
        return [(byte)(index + 1), DmtfSpecification, .. sizes[..2], MutableFirmwareDigest, .. sizes[2..], .. value];
    }
}
