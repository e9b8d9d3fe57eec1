namespace Assay.Wire;

/// <summary>The tags that the readers here meet (X.690 §8; context tags as in the structures that use them).</summary>
internal static class DerTag
{
    public const byte Boolean = 0x01;
    public const byte Integer = 0x02;
    public const byte BitString = 0x03;
    public const byte OctetString = 0x04;
    public const byte Null = 0x05;
    public const byte ObjectIdentifier = 0x06;
    public const byte Enumerated = 0x0A;
    public const byte Utf8String = 0x0C;
    public const byte PrintableString = 0x13;
    public const byte Ia5String = 0x16;
    public const byte UtcTime = 0x17;
    public const byte GeneralizedTime = 0x18;
    public const byte Sequence = 0x30;
    public const byte Set = 0x31;

    /// <summary>[n] IMPLICIT of a primitive type.</summary>
    public static byte Context(int number) => (byte)(0x80 | number);

    /// <summary>[n] EXPLICIT, or IMPLICIT of a constructed type.</summary>
    public static byte ContextConstructed(int number) => (byte)(0xA0 | number);
}

/// <summary>Holds the first fault of a DER structure and of everything nested in it.</summary>
internal sealed class DerFaults
{
    public ParseFault? First { get; private set; }

    public void Add(string field, int offset, string problem) => First ??= new ParseFault(field, offset, problem);
}

/// <summary>
/// Reads DER (X.690 §10): definite, minimal lengths, single-byte tags. The first fault sticks, in nested readers too,
/// so a parser reads like the ASN.1 module. Each SEQUENCE is closed with <see cref="End"/>: trailing bytes are faults.
/// </summary>
internal ref struct DerReader
{
    private readonly ReadOnlySpan<byte> _source;
    private readonly int _base;
    private readonly DerFaults _faults;
    private int _offset;

    public DerReader(ReadOnlySpan<byte> source, DerFaults faults)
        : this(source, 0, faults)
    {
    }

    private DerReader(ReadOnlySpan<byte> source, int position, DerFaults faults)
    {
        _source = source;
        _base = position;
        _faults = faults;
    }

    public readonly ParseFault? Fault => _faults.First;

    public readonly bool HasMore => _faults.First is null && _offset < _source.Length;

    /// <summary>Offset in the outermost structure.</summary>
    public readonly int Position => _base + _offset;

    public readonly bool NextIs(byte tag) => HasMore && _source[_offset] == tag;

    /// <summary>The tag of the next element, or 0 at the end.</summary>
    public readonly byte PeekTag() => HasMore ? _source[_offset] : (byte)0;

    public readonly void Require(bool holds, string field, string problem)
    {
        if (!holds)
        {
            _faults.Add(field, Position, problem);
        }
    }

    /// <summary>The content octets of the next element, which must have this tag.</summary>
    public ReadOnlySpan<byte> Value(byte tag, string field) => Take(tag, field, out _, out var contents) ? contents : [];

    /// <summary>The next element whole: tag, length and content.</summary>
    public ReadOnlySpan<byte> Element(byte tag, string field) => Take(tag, field, out var whole, out _) ? whole : [];

    /// <summary>The next element whole, whatever its tag.</summary>
    public ReadOnlySpan<byte> AnyElement(string field) => Take(PeekTag(), field, out var whole, out _) ? whole : [];

    /// <summary>A reader over the content of the next element.</summary>
    public DerReader Nested(byte tag, string field)
    {
        var contents = Value(tag, field);
        return new DerReader(contents, Position - contents.Length, _faults);
    }

    public DerReader Sequence(string field) => Nested(DerTag.Sequence, field);

    public DerReader Set(string field) => Nested(DerTag.Set, field);

    /// <summary>The content of an OBJECT IDENTIFIER, to be compared with the constants of <see cref="Oids"/>.</summary>
    public ReadOnlySpan<byte> Oid(string field)
    {
        var value = Value(DerTag.ObjectIdentifier, field);
        Require(Oids.IsWellFormed(value), field, "malformed object identifier");
        return value;
    }

    /// <summary>The minimal two's complement content of an INTEGER.</summary>
    public ReadOnlySpan<byte> Integer(string field, byte tag = DerTag.Integer)
    {
        var value = Value(tag, field);
        var padded = value is [0x00, < 0x80, ..] or [0xFF, >= 0x80, ..];
        Require(!value.IsEmpty && !padded, field, "INTEGER is empty or not minimal");
        return value;
    }

    /// <summary>A non-negative INTEGER that fits 31 bits.</summary>
    public int SmallInteger(string field, byte tag = DerTag.Integer)
    {
        var value = Integer(field, tag);
        var fits = value.Length <= 4 && value is not [>= 0x80, ..];
        Require(fits, field, "INTEGER is negative or too large");
        var number = 0;
        foreach (var octet in fits ? value : [])
        {
            number = number << 8 | octet;
        }

        return number;
    }

    public bool Boolean(string field)
    {
        var value = Value(DerTag.Boolean, field);
        Require(value is [0x00] or [0xFF], field, "BOOLEAN is neither 00 nor FF");
        return value is [0xFF];
    }

    public void Null(string field) => Require(Value(DerTag.Null, field).IsEmpty, field, "NULL has content");

    /// <summary>A BIT STRING of whole bytes.</summary>
    public ReadOnlySpan<byte> WholeBitString(string field)
    {
        var value = Value(DerTag.BitString, field);
        Require(value is [0, ..], field, "BIT STRING is not a whole number of bytes");
        return value is [0, .. var octets] ? octets : [];
    }

    /// <summary>A BIT STRING with named bits, bit 0 in the highest position of the result's lowest byte as in X.690 §8.6; trailing zero bits removed.</summary>
    public ReadOnlySpan<byte> NamedBits(string field, byte tag = DerTag.BitString)
    {
        var value = Value(tag, field);
        var sound = value is [0] || value is [<= 7, .., var last] && value.Length >= 2
            && (last & ((1 << value[0]) - 1)) == 0 && (last >> value[0] & 1) == 1;
        Require(sound, field, "BIT STRING with named bits is not minimal");
        return sound ? value[1..] : [];
    }

    /// <summary>Closes the structure: anything left is a fault (S-26).</summary>
    public readonly void End(string structure) => Require(_offset == _source.Length, structure, "trailing bytes");

    private bool Take(byte tag, string field, out ReadOnlySpan<byte> whole, out ReadOnlySpan<byte> contents)
    {
        whole = contents = [];
        if (_faults.First is not null)
        {
            return false;
        }

        var rest = _source[_offset..];
        if (rest.IsEmpty)
        {
            return Refuse(field, "missing");
        }

        if (rest[0] != tag)
        {
            return Refuse(field, $"tag {rest[0]:X2} where {tag:X2} is expected");
        }

        if ((tag & 0x1F) == 0x1F)
        {
            return Refuse(field, "multi-byte tags are not used here");
        }

        if (!TryLength(rest[1..], out var length, out var lengthOctets))
        {
            return Refuse(field, "length is truncated, indefinite or not minimal");
        }

        var header = 1 + lengthOctets;
        if (length > rest.Length - header)
        {
            return Refuse(field, $"truncated: {length} bytes are declared, {rest.Length - header} are left");
        }

        whole = rest[..(header + length)];
        contents = whole[header..];
        _offset += whole.Length;
        return true;
    }

    private readonly bool Refuse(string field, string problem)
    {
        _faults.Add(field, Position, problem);
        return false;
    }

    // X.690 §10.1: the fewest octets that hold the length. Three octets (16 MiB) are beyond every limit here.
    private static bool TryLength(ReadOnlySpan<byte> source, out int length, out int octets)
    {
        (length, octets) = source switch
        {
            [< 0x80 and var small, ..] => (small, 1),
            [0x81, >= 0x80 and var one, ..] => (one, 2),
            [0x82, > 0 and var high, var low, ..] => (high << 8 | low, 3),
            [0x83, > 0 and var high, var middle, var low, ..] => (high << 16 | middle << 8 | low, 4),
            _ => (-1, 0),
        };
        return octets > 0;
    }
}
