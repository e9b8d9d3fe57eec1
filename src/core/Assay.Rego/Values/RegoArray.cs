using System.Collections;
using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>An array.</summary>
public sealed class RegoArray : RegoValue, IReadOnlyList<RegoValue>
{
    /// <summary>The empty array.</summary>
    public static readonly RegoArray Empty = new([]);

    private readonly RegoValue[] _items;
    private readonly int _depth;
    private readonly long _size;
    private int _hash;

    private RegoArray(RegoValue[] items)
    {
        _items = items;
        (_depth, _size) = ValueLimits.Above(items, OwnSize);
    }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Array;

    /// <summary>How many elements it has.</summary>
    public int Count => _items.Length;

    internal override int Depth => _depth;

    internal override long FullSize => _size;

    /// <summary>The element at an index from 0; one that is not there throws, as of any array.</summary>
    public RegoValue this[int index] => _items[index];

    /// <summary>The elements in order.</summary>
    public ReadOnlySpan<RegoValue> Items => _items;

    internal override long OwnSize => 48 + 8L * _items.Length;

    /// <summary>The array of these elements, which are copied.</summary>
    public static RegoArray Of(params ReadOnlySpan<RegoValue> items) => items.IsEmpty ? Empty : new(items.ToArray());

    /// <summary>The array over this storage, which the caller gives away and must not change any more.</summary>
    internal static RegoArray Over(RegoValue[] items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return items.Length == 0 ? Empty : new(items);
    }

    /// <summary>The array of these elements.</summary>
    public static RegoArray From(IEnumerable<RegoValue> items) => Over([.. items]);

    /// <inheritdoc/>
    public override RegoValue? Lookup(RegoValue key) =>
        key is RegoNumber number && number.TryGetInt64(out var index) && index >= 0 && index < _items.Length ? _items[index] : null;

    /// <summary>The elements in order, without an allocation.</summary>
    public ReadOnlySpan<RegoValue>.Enumerator GetEnumerator() => Items.GetEnumerator();

    IEnumerator<RegoValue> IEnumerable<RegoValue>.GetEnumerator() => ((IEnumerable<RegoValue>)_items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _items.GetEnumerator();

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_hash == 0)
        {
            var hash = new HashCode();
            foreach (var item in _items)
            {
                hash.Add(item.GetHashCode());
            }

            _hash = hash.ToHashCode() | 1;
        }

        return _hash;
    }

    internal override int CompareSameKind(RegoValue other) => Ordering.Compare(_items, ((RegoArray)other)._items);

    internal override bool EqualsSameKind(RegoValue other)
    {
        var array = (RegoArray)other;
        return Ordering.Same(_items, array._items);
    }
}

/// <summary>What the collections share. Elements compared are counted as work.</summary>
internal static class Ordering
{
    private const int ElementsPerStep = 8;

    public static int Compare(ReadOnlySpan<RegoValue> left, ReadOnlySpan<RegoValue> right)
    {
        var common = Math.Min(left.Length, right.Length);
        for (var i = 0; i < common; i++)
        {
            if (i % ElementsPerStep == 0)
            {
                Work.Tick(1);
            }

            var order = left[i].CompareTo(right[i]);
            if (order != 0)
            {
                return order;
            }
        }

        return left.Length.CompareTo(right.Length);
    }

    public static bool Same(ReadOnlySpan<RegoValue> left, ReadOnlySpan<RegoValue> right)
    {
        if (left.Length != right.Length)
        {
            return false;
        }

        for (var i = 0; i < left.Length; i++)
        {
            if (i % ElementsPerStep == 0)
            {
                Work.Tick(1);
            }

            if (!left[i].Equals(right[i]))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>
/// Values nest to <see cref="RegoValue.MaxDepth"/>, so that comparing, hashing and writing them never exhausts the stack,
/// and hold no more than <see cref="MaxSize"/> with shared parts counted each time, so that these end.
/// </summary>
internal static class ValueLimits
{
    /// <summary>In bytes of memory, if nothing were shared.</summary>
    public const long MaxSize = 1L << 30;

    public static (int Depth, long Size) Above(ReadOnlySpan<RegoValue> items, long size)
    {
        var deepest = 0;
        foreach (var item in items)
        {
            deepest = Math.Max(deepest, item.Depth);
            size += item.FullSize;
        }

        if (deepest >= RegoValue.MaxDepth)
        {
            throw EvaluationHalt.OverBudget($"a value nests deeper than {RegoValue.MaxDepth} levels");
        }

        return size <= MaxSize ? (deepest + 1, size) : throw EvaluationHalt.OverBudget($"a value is larger than {MaxSize} bytes when each of its parts is counted");
    }
}
