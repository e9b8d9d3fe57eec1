using System.Buffers;
using System.Text;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>
/// A string. OPA's strings are bytes that are nearly always UTF-8; here they are .NET strings in which a byte that is not
/// part of valid UTF-8 stands as the lone surrogate U+DC00 + byte, so that decoding and encoding give the same bytes again.
/// JSON and source text never produce lone surrogates: they become U+FFFD on reading.
/// </summary>
public sealed class RegoString : RegoValue
{
    /// <summary>The empty string.</summary>
    public static readonly RegoString Empty = new("");

    // Long strings count as work when they are compared.
    private const int CharactersPerStep = 512;

    private int _hash;

    /// <summary>The string of a .NET string.</summary>
    public RegoString(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Value = value;
    }

    /// <summary>As a .NET string, in UTF-16.</summary>
    public string Value { get; }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.String;

    internal override long OwnSize => 48 + 2L * Value.Length;

    /// <summary>How many code points it has; a byte that is not UTF-8 counts one.</summary>
    internal int CodePointCount
    {
        get
        {
            var count = Value.Length;
            for (var i = 0; i + 1 < Value.Length; i++)
            {
                if (char.IsHighSurrogate(Value[i]) && char.IsLowSurrogate(Value[i + 1]))
                {
                    count--;
                    i++;
                }
            }

            return count;
        }
    }

    /// <summary>The string of these bytes; bytes that are not UTF-8 are kept (see the class).</summary>
    public static RegoString FromUtf8(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return new RegoString(Encoding.UTF8.GetString(bytes));
        }

        var text = new StringBuilder(bytes.Length);
        Span<char> pair = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var taken) == OperationStatus.Done)
            {
                text.Append(pair[..rune.EncodeToUtf16(pair)]);
                bytes = bytes[taken..];
            }
            else
            {
                text.Append((char)(0xDC00 + bytes[0]));
                bytes = bytes[1..];
            }
        }

        return new RegoString(text.ToString());
    }

    /// <summary>The bytes of the string, the inverse of <see cref="FromUtf8"/>.</summary>
    public byte[] ToUtf8() => Encode(Value);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_hash == 0)
        {
            _hash = Value.GetHashCode() | 1;
        }

        return _hash;
    }

    /// <summary>Compares by code point, which for well-formed text is the order of the UTF-8 bytes.</summary>
    internal static int Compare(string left, string right)
    {
        var common = Math.Min(left.Length, right.Length);
        if (common > CharactersPerStep)
        {
            Work.Tick(common / CharactersPerStep);
        }

        var i = left.AsSpan(0, common).CommonPrefixLength(right.AsSpan(0, common));
        if (i == common)
        {
            return left.Length.CompareTo(right.Length);
        }

        // UTF-16 order differs from code point order only where a surrogate is involved: surrogates stand for points above all others.
        var (a, b) = (left[i], right[i]);
        if (char.IsSurrogate(a) || char.IsSurrogate(b))
        {
            // The first half of a pair may have matched: what follows it still compares as the pair does.
            return Encode(left).AsSpan().SequenceCompareTo(Encode(right));
        }

        return a.CompareTo(b);
    }

    internal override int CompareSameKind(RegoValue other) => Compare(Value, ((RegoString)other).Value);

    internal override bool EqualsSameKind(RegoValue other)
    {
        var text = (RegoString)other;
        if (Value.Length > CharactersPerStep && Value.Length == text.Value.Length)
        {
            Work.Tick(Value.Length / CharactersPerStep);
        }

        return (_hash == 0 || text._hash == 0 || _hash == text._hash) && string.Equals(Value, text.Value, StringComparison.Ordinal);
    }

    private static byte[] Encode(string text)
    {
        var bytes = new ArrayBufferWriter<byte>(text.Length + 16);
        Span<byte> unit = stackalloc byte[4];
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var taken) == OperationStatus.Done)
            {
                bytes.Write(unit[..rune.EncodeToUtf8(unit)]);
                rest = rest[taken..];
            }
            else if (rest[0] is >= (char)0xDC80 and <= (char)0xDCFF)
            {
                unit[0] = (byte)(rest[0] - 0xDC00);
                bytes.Write(unit[..1]);
                rest = rest[1..];
            }
            else
            {
                bytes.Write("\uFFFD"u8);
                rest = rest[1..];
            }
        }

        return bytes.WrittenSpan.ToArray();
    }
}
