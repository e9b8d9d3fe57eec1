using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>An object: keys of any kind, kept and enumerated in order.</summary>
public sealed class RegoObject : RegoValue, IReadOnlyCollection<KeyValuePair<RegoValue, RegoValue>>
{
    /// <summary>The empty object.</summary>
    public static readonly RegoObject Empty = new([], []);

    private readonly RegoValue[] _keys;
    private readonly RegoValue[] _values;
    private readonly HashIndex _index;
    private readonly int _depth;
    private readonly long _size;
    private int _hash;

    private RegoObject(RegoValue[] keys, RegoValue[] values)
    {
        _keys = keys;
        _values = values;
        _index = new HashIndex(keys);
        var (keyDepth, size) = ValueLimits.Above(keys, OwnSize);
        (_depth, _size) = ValueLimits.Above(values, size);
        _depth = Math.Max(_depth, keyDepth);
    }

    // The same keys with other values.
    private RegoObject(RegoObject like, RegoValue[] values)
    {
        (_keys, _index, _values) = (like._keys, like._index, values);
        var keyDepth = 0;
        var size = OwnSize;
        foreach (var key in _keys)
        {
            keyDepth = Math.Max(keyDepth, key.Depth + 1);
            size += key.FullSize;
        }

        (_depth, _size) = ValueLimits.Above(values, size);
        _depth = Math.Max(_depth, keyDepth);
    }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Object;

    /// <summary>How many pairs it has.</summary>
    public int Count => _keys.Length;

    /// <summary>The keys in order.</summary>
    public ReadOnlySpan<RegoValue> Keys => _keys;

    /// <summary>The values, in the order of their keys.</summary>
    public ReadOnlySpan<RegoValue> Values => _values;

    internal override int Depth => _depth;

    internal override long FullSize => _size;

    internal override long OwnSize => 88 + 16L * _keys.Length;

    /// <summary>The object of these pairs. A later pair with the same key replaces an earlier one.</summary>
    public static RegoObject From(IEnumerable<KeyValuePair<RegoValue, RegoValue>> pairs)
    {
        var builder = new RegoObjectBuilder();
        foreach (var (key, value) in pairs)
        {
            builder[key] = value;
        }

        return builder.Build();
    }

    /// <summary>The object of these pairs. A later pair with the same key replaces an earlier one.</summary>
    public static RegoObject Of(params ReadOnlySpan<(string Key, RegoValue Value)> pairs)
    {
        var builder = new RegoObjectBuilder();
        foreach (var (key, value) in pairs)
        {
            builder[new RegoString(key)] = value;
        }

        return builder.Build();
    }

    /// <summary>Takes pairs in any order. The last of equal keys wins; the storage is given away.</summary>
    internal static RegoObject OverUnsorted(RegoValue[] keys, RegoValue[] values)
    {
        if (keys.Length == 0)
        {
            return Empty;
        }

        var sorted = true;
        for (var i = 1; i < keys.Length && sorted; i++)
        {
            sorted = keys[i - 1].CompareTo(keys[i]) < 0;
        }

        if (sorted)
        {
            return new RegoObject(keys, values);
        }

        var order = new int[keys.Length];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        var counted = new CountedOrder();
        Array.Sort(order, (a, b) => counted.Compare(keys[a], keys[b]) is var by and not 0 ? by : a - b);
        var (sortedKeys, sortedValues, count) = (new RegoValue[keys.Length], new RegoValue[keys.Length], 0);
        foreach (var from in order)
        {
            if (count > 0 && sortedKeys[count - 1].Equals(keys[from]))
            {
                count--;
            }

            (sortedKeys[count], sortedValues[count]) = (keys[from], values[from]);
            count++;
        }

        return count == keys.Length ? new RegoObject(sortedKeys, sortedValues) : new RegoObject(sortedKeys[..count], sortedValues[..count]);
    }

    /// <summary>An object of the same keys; the values in their order. The storage is given away.</summary>
    internal RegoObject WithValues(RegoValue[] values) => new(this, values);

    /// <summary>Whether there is such a key.</summary>
    public bool ContainsKey(RegoValue key) => _index.Find(key) >= 0;

    /// <summary>The value under a key.</summary>
    public bool TryGetValue(RegoValue key, [NotNullWhen(true)] out RegoValue? value)
    {
        value = Lookup(key);
        return value is not null;
    }

    /// <summary>The value under a key that is a string.</summary>
    public bool TryGetValue(string key, [NotNullWhen(true)] out RegoValue? value) => TryGetValue(new RegoString(key), out value);

    /// <inheritdoc/>
    public override RegoValue? Lookup(RegoValue key) => _index.Find(key) is >= 0 and var at ? _values[at] : null;

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The pairs in the order of their keys.</summary>
    public IEnumerator<KeyValuePair<RegoValue, RegoValue>> GetEnumerator()
    {
        for (var i = 0; i < _keys.Length; i++)
        {
            yield return new(_keys[i], _values[i]);
        }
    }

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_hash == 0)
        {
            var hash = new HashCode();
            for (var i = 0; i < _keys.Length; i++)
            {
                hash.Add(_keys[i].GetHashCode());
                hash.Add(_values[i].GetHashCode());
            }

            _hash = hash.ToHashCode() | 1;
        }

        return _hash;
    }

    internal override int CompareSameKind(RegoValue other)
    {
        var that = (RegoObject)other;
        var common = Math.Min(_keys.Length, that._keys.Length);
        for (var i = 0; i < common; i++)
        {
            Work.Tick(1);
            var order = _keys[i].CompareTo(that._keys[i]);
            if (order == 0)
            {
                order = _values[i].CompareTo(that._values[i]);
            }

            if (order != 0)
            {
                return order;
            }
        }

        return _keys.Length.CompareTo(that._keys.Length);
    }

    internal override bool EqualsSameKind(RegoValue other)
    {
        var that = (RegoObject)other;
        return Ordering.Same(_keys, that._keys) && Ordering.Same(_values, that._values);
    }
}

/// <summary>Collects the pairs of an object.</summary>
internal sealed class RegoObjectBuilder
{
    private readonly Dictionary<RegoValue, RegoValue> _pairs = [];

    /// <summary>How many pairs there are so far.</summary>
    public int Count => _pairs.Count;

    /// <summary>The value under a key. Setting replaces.</summary>
    public RegoValue this[RegoValue key]
    {
        get => _pairs[key];
        set => _pairs[key] = value;
    }

    /// <summary>Adds the pair, or is false when the key has another value already. The same pair twice is fine.</summary>
    public bool TryAdd(RegoValue key, RegoValue value) =>
        _pairs.TryAdd(key, value) || _pairs[key].Equals(value);

    /// <summary>The value under a key, as far as it was added.</summary>
    public bool TryGetValue(RegoValue key, [NotNullWhen(true)] out RegoValue? value) => _pairs.TryGetValue(key, out value);

    /// <summary>Takes a key away; false when it was not there.</summary>
    public bool Remove(RegoValue key) => _pairs.Remove(key);

    /// <summary>The object of the pairs. More may be added afterwards; the object does not change.</summary>
    public RegoObject Build()
    {
        var (keys, values) = (new RegoValue[_pairs.Count], new RegoValue[_pairs.Count]);
        _pairs.Keys.CopyTo(keys, 0);
        _pairs.Values.CopyTo(values, 0);
        return RegoObject.OverUnsorted(keys, values);
    }
}
