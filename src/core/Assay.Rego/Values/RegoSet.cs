using System.Collections;

namespace Assay.Rego.Values;

/// <summary>A set, kept and enumerated in order.</summary>
public sealed class RegoSet : RegoValue, IReadOnlyCollection<RegoValue>
{
    /// <summary>The empty set.</summary>
    public static readonly RegoSet Empty = new([]);

    private readonly RegoValue[] _items;
    private readonly HashIndex _index;
    private readonly int _depth;
    private readonly long _size;
    private int _hash;

    private RegoSet(RegoValue[] items)
    {
        _items = items;
        _index = new HashIndex(items);
        (_depth, _size) = ValueLimits.Above(items, OwnSize);
    }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Set;

    /// <summary>How many members it has.</summary>
    public int Count => _items.Length;

    /// <summary>The members in order.</summary>
    public ReadOnlySpan<RegoValue> Items => _items;

    internal override int Depth => _depth;

    internal override long FullSize => _size;

    internal override long OwnSize => 72 + 8L * _items.Length;

    /// <summary>The set of these values, in any order and repeated or not.</summary>
    public static RegoSet From(IEnumerable<RegoValue> items) => OverUnsorted([.. items]);

    /// <summary>The set of these values, in any order and repeated or not.</summary>
    public static RegoSet Of(params ReadOnlySpan<RegoValue> items) => OverUnsorted(items.ToArray());

    /// <summary>Whether a value is a member.</summary>
    public bool Contains(RegoValue value) => _index.Find(value) >= 0;

    /// <summary>The member itself, when it is one.</summary>
    public override RegoValue? Lookup(RegoValue key) => _index.Find(key) is >= 0 and var at ? _items[at] : null;

    /// <summary>The members in order, without an allocation.</summary>
    public ReadOnlySpan<RegoValue>.Enumerator GetEnumerator() => Items.GetEnumerator();

    IEnumerator<RegoValue> IEnumerable<RegoValue>.GetEnumerator() => ((IEnumerable<RegoValue>)_items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _items.GetEnumerator();

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_hash == 0)
        {
            var hash = new HashCode();
            hash.Add(0x5E7);
            foreach (var item in _items)
            {
                hash.Add(item.GetHashCode());
            }

            _hash = hash.ToHashCode() | 1;
        }

        return _hash;
    }

    internal static RegoSet OverUnsorted(RegoValue[] items)
    {
        if (items.Length == 0)
        {
            return Empty;
        }

        var sorted = true;
        for (var i = 1; i < items.Length && sorted; i++)
        {
            sorted = items[i - 1].CompareTo(items[i]) < 0;
        }

        if (sorted)
        {
            return new RegoSet(items);
        }

        Array.Sort(items, new CountedOrder());
        var count = 1;
        for (var i = 1; i < items.Length; i++)
        {
            if (!items[i].Equals(items[count - 1]))
            {
                items[count++] = items[i];
            }
        }

        return new RegoSet(count == items.Length ? items : items[..count]);
    }

    internal override int CompareSameKind(RegoValue other) => Ordering.Compare(_items, ((RegoSet)other)._items);

    internal override bool EqualsSameKind(RegoValue other) => Ordering.Same(_items, ((RegoSet)other)._items);
}
