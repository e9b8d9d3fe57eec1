using System.Buffers.Binary;

namespace Assay.Wire;

/// <summary>
/// Reads a TPM structure field by field, big-endian (TPM 2.0 Library, Part 1 §"Data marshaling"). The first fault sticks, as in
/// <see cref="WireReader"/>, on which it stands.
/// </summary>
internal ref struct BigEndianReader(ReadOnlySpan<byte> source)
{
    private WireReader _wire = new(source);

    public readonly ParseFault? Fault => _wire.Fault;

    public readonly int Offset => _wire.Offset;

    public readonly bool HasMore => _wire.HasMore;

    public readonly int Remaining => _wire.Remaining;

    public byte U8(string field) => _wire.U8(field);

    public ushort U16(string field) => BinaryPrimitives.ReverseEndianness(_wire.U16(field));

    public uint U32(string field) => BinaryPrimitives.ReverseEndianness(_wire.U32(field));

    public ulong U64(string field) => _wire.Bytes(sizeof(ulong), field) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : 0;

    public ReadOnlySpan<byte> Bytes(int count, string field) => _wire.Bytes(count, field);

    /// <summary>A TPM2B: a 16-bit length, then that many bytes.</summary>
    public ReadOnlySpan<byte> Sized(string field) => _wire.Bytes(U16(field), field);

    public void Require(bool holds, string field, string problem) => _wire.Require(holds, field, problem);

    /// <summary>Trailing bytes are a fault (S-26).</summary>
    public void End(string structure) => _wire.End(structure);
}
