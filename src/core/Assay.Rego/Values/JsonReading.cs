using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>
/// One reading of JSON. Documents of this trade repeat themselves: the same member names in the same order, the same short
/// strings. Each of these is made once: names and strings in tables of fixed size, and the sorted keys of objects alike.
/// </summary>
internal sealed class JsonReading(int left)
{
    private const int LongestKept = 64;

    private readonly TextTable _names = new();
    private readonly TextTable _texts = new();
    private readonly Shape?[] _shapes = new Shape?[32];
    private RegoValue[] _keys = new RegoValue[16];
    private RegoValue[] _values = new RegoValue[16];
    private int _keyCount;
    private int _valueCount;
    private int _left = left;

    public string? Problem { get; private set; }

    /// <summary>The value at the reader's token; null with the problem told, or when the text ends too early.</summary>
    public RegoValue? Value(ref Utf8JsonReader reader)
    {
        Work.Tick(1);
        if (--_left < 0)
        {
            Problem = "the JSON has too many values";
            return null;
        }

        return reader.TokenType switch
        {
            JsonTokenType.Null => RegoNull.Value,
            JsonTokenType.True => RegoBoolean.True,
            JsonTokenType.False => RegoBoolean.False,
            JsonTokenType.String => Text(ref reader, _texts),
            JsonTokenType.Number => Number(reader.ValueSpan),
            JsonTokenType.StartArray => Array(ref reader),
            JsonTokenType.StartObject => Object(ref reader),
            _ => null,
        };
    }

    private static RegoString Text(ref Utf8JsonReader reader, TextTable table)
    {
        var bytes = reader.ValueSpan;
        return reader.ValueIsEscaped ? new RegoString(Unescape(bytes))
            : bytes.Length > LongestKept ? new RegoString(Encoding.UTF8.GetString(bytes))
            : table.Get(bytes);
    }

    // The framework throws on a lone surrogate escape; Go reads U+FFFD, also for bytes that are not UTF-8.
    private static string Unescape(ReadOnlySpan<byte> raw)
    {
        var source = Encoding.UTF8.GetString(raw);
        var text = new StringBuilder(source.Length);
        for (var i = 0; i < source.Length; i++)
        {
            if (source[i] != '\\')
            {
                text.Append(source[i]);
                continue;
            }

            var escape = source[++i];
            if (escape == 'u')
            {
                _ = ushort.TryParse(source.AsSpan(i + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var unit);
                text.Append((char)unit);
                i += 4;
            }
            else
            {
                text.Append(escape switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'b' => '\b', 'f' => '\f', _ => escape });
            }
        }

        return RegoJson.WellFormed(text.ToString());
    }

    private RegoNumber? Number(ReadOnlySpan<byte> digits)
    {
        if (digits.Length < 18 && System.Buffers.Text.Utf8Parser.TryParse(digits, out long small, out var used) && used == digits.Length && !(small == 0 && digits.Length > 1))
        {
            return RegoNumber.Of(small);
        }

        if (RegoNumber.TryParse(Encoding.ASCII.GetString(digits), out var number))
        {
            return number;
        }

        Problem = "a number is out of range";
        return null;
    }

    private RegoArray? Array(ref Utf8JsonReader reader)
    {
        var start = _valueCount;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (Value(ref reader) is not { } item)
            {
                return null;
            }

            Push(ref _values, ref _valueCount, item);
        }

        return RegoArray.Over(Taken(_values, start, ref _valueCount));
    }

    private RegoObject? Object(ref Utf8JsonReader reader)
    {
        var (firstKey, firstValue) = (_keyCount, _valueCount);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            Push(ref _keys, ref _keyCount, Text(ref reader, _names));
            reader.Read();
            if (Value(ref reader) is not { } value)
            {
                return null;
            }

            Push(ref _values, ref _valueCount, value);
        }

        var keys = _keys.AsSpan(firstKey, _keyCount - firstKey);
        if (keys.IsEmpty)
        {
            return RegoObject.Empty;
        }

        // The same key objects in the same order: an object like one of before.
        var place = (keys.Length ^ keys[0].GetHashCode()) & (_shapes.Length - 1);
        if (_shapes[place] is { } shape && shape.Fits(keys))
        {
            var made = shape.Make(_values.AsSpan(firstValue, keys.Length));
            (_keyCount, _valueCount) = (firstKey, firstValue);
            return made;
        }

        var written = Taken(_keys, firstKey, ref _keyCount);
        var values = Taken(_values, firstValue, ref _valueCount);
        var first = RegoObject.OverUnsorted([.. written], values);
        _shapes[place] = first.Count == written.Length ? new Shape(written, first) : _shapes[place];
        return first;
    }

    private static void Push(ref RegoValue[] stack, ref int count, RegoValue value)
    {
        if (count == stack.Length)
        {
            System.Array.Resize(ref stack, count * 2);
        }

        stack[count++] = value;
    }

    private static RegoValue[] Taken(RegoValue[] stack, int start, ref int count)
    {
        var taken = stack[start..count];
        count = start;
        return taken;
    }

    /// <summary>Keys as written, and where each goes when they are sorted.</summary>
    private sealed class Shape
    {
        private readonly RegoValue[] _written;
        private readonly int[] _places;
        private readonly RegoObject _first;

        public Shape(RegoValue[] written, RegoObject first)
        {
            (_written, _first, _places) = (written, first, new int[written.Length]);
            for (var i = 0; i < written.Length; i++)
            {
                _places[i] = first.Keys.BinarySearch(written[i], Comparer<RegoValue>.Default);
            }
        }

        public bool Fits(ReadOnlySpan<RegoValue> keys)
        {
            if (keys.Length != _written.Length)
            {
                return false;
            }

            for (var i = 0; i < keys.Length; i++)
            {
                if (!ReferenceEquals(keys[i], _written[i]))
                {
                    return false;
                }
            }

            return true;
        }

        public RegoObject Make(ReadOnlySpan<RegoValue> values)
        {
            var sorted = new RegoValue[values.Length];
            for (var i = 0; i < values.Length; i++)
            {
                sorted[_places[i]] = values[i];
            }

            return _first.WithValues(sorted);
        }
    }

    /// <summary>Short strings by their bytes. A newer one takes the place of an older, so that nothing grows.</summary>
    private sealed class TextTable
    {
        private const int Size = 256;

        private readonly (byte[] Bytes, RegoString Text)[] _entries = new (byte[], RegoString)[Size];

        public RegoString Get(ReadOnlySpan<byte> bytes)
        {
            ref var entry = ref _entries[Place(bytes)];
            if (entry.Bytes is null || !bytes.SequenceEqual(entry.Bytes))
            {
                entry = (bytes.ToArray(), new RegoString(Encoding.UTF8.GetString(bytes)));
            }

            return entry.Text;
        }

        private static int Place(ReadOnlySpan<byte> bytes)
        {
            var mixed = unchecked((uint)bytes.Length * 0x9E3779B1u);
            if (bytes.Length >= 8)
            {
                var ends = unchecked(MemoryMarshal.Read<ulong>(bytes) ^ (MemoryMarshal.Read<ulong>(bytes[^8..]) * 3) ^ (MemoryMarshal.Read<ulong>(bytes[((bytes.Length - 8) / 2)..]) * 7));
                mixed ^= unchecked((uint)((ends * 0x9E3779B97F4A7C15UL) >> 40));
            }
            else
            {
                foreach (var one in bytes)
                {
                    mixed = unchecked((mixed ^ one) * 0x01000193u);
                }

                mixed ^= mixed >> 15;
            }

            return (int)(mixed & (Size - 1));
        }
    }
}
