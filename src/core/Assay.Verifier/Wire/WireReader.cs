using System.Buffers.Binary;

namespace Assay.Wire;

/// <summary>
/// Reads a wire structure field by field, little-endian.
/// The first fault sticks: every later read yields zero, so a parser reads like the table in its specification.
/// </summary>
internal ref struct WireReader(ReadOnlySpan<byte> source)
{
    private readonly ReadOnlySpan<byte> _source = source;

    public ParseFault? Fault { get; private set; }

    public int Offset { get; private set; }

    public readonly bool HasMore => Fault is null && Offset < _source.Length;

    public readonly int Remaining => _source.Length - Offset;

    public byte U8(string field) => Bytes(1, field) is [var b] ? b : (byte)0;

    public ushort U16(string field) =>
        Bytes(2, field) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    public int U24(string field) =>
        Bytes(3, field) is [var low, var middle, var high] ? low | middle << 8 | high << 16 : 0;

    public uint U32(string field) =>
        Bytes(4, field) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    public ulong U64(string field) =>
        Bytes(8, field) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    /// <summary>Reserved bytes, which must be zero.</summary>
    public void Zeros(int count, string field) => Require(!Bytes(count, field).ContainsAnyExcept((byte)0), field, "reserved, and not zero");

    /// <summary>The next <paramref name="count"/> bytes, or none after a fault.</summary>
    public ReadOnlySpan<byte> Bytes(int count, string field)
    {
        if (Fault is null && count > Remaining)
        {
            Fault = new ParseFault(field, Offset, $"truncated: {count} bytes are needed, {Remaining} are left");
        }

        if (Fault is not null)
        {
            return [];
        }

        var taken = _source.Slice(Offset, count);
        Offset += count;
        return taken;
    }

    public void Require(bool holds, string field, string problem)
    {
        if (!holds)
        {
            Fault ??= new ParseFault(field, Offset, problem);
        }
    }

    /// <summary>Takes over the fault of a structure inside this one, its offset already counted from here.</summary>
    public void Adopt(ParseFault fault) => Fault ??= fault;

    /// <summary>Trailing bytes are a fault (S-26).</summary>
    public void End(string structure) => Require(Remaining == 0, structure, "trailing bytes");
}
