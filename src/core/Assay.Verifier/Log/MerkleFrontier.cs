using System.Collections.Immutable;
using System.Numerics;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// A tree as far as appending needs it: the roots of its perfect subtrees, the largest first, one for each bit that is set in the size. An entry costs two
/// hashes on average, whatever the size.
/// </summary>
public sealed class MerkleFrontier
{
    private readonly List<Digest> _subtrees;

    /// <summary>A tree without leaves.</summary>
    public MerkleFrontier()
        : this(0, [])
    {
    }

    private MerkleFrontier(long size, IEnumerable<Digest> subtrees) => (Size, _subtrees) = (size, [.. subtrees]);

    /// <summary>How many leaves it has.</summary>
    public long Size { get; private set; }

    /// <summary>The roots of its perfect subtrees, the largest first.</summary>
    public ImmutableArray<Digest> Subtrees => [.. _subtrees];

    /// <summary>The root of the whole.</summary>
    public Digest Root => _subtrees.Count == 0 ? Merkle.Empty : _subtrees[..^1].AsEnumerable().Reverse().Aggregate(_subtrees[^1], (right, left) => Merkle.Node(left, right));

    /// <summary>The tree of a size, from what <see cref="Subtrees"/> gave.</summary>
    /// <exception cref="ArgumentException">They are not as many as the size asks for, or not hashes.</exception>
    public static MerkleFrontier Of(long size, ImmutableArray<Digest> subtrees)
    {
        if (size is < 0 or > Merkle.MostLeaves || subtrees.Length != BitOperations.PopCount((ulong)size) || subtrees.Any(hash => hash.Length != Merkle.HashSize))
        {
            throw new ArgumentException("a hash for each bit of the size is expected", nameof(subtrees));
        }

        return new MerkleFrontier(size, subtrees);
    }

    /// <summary>Adds a leaf. Each node that is complete by it is told, from the leaf on: level (0 for the leaf), index in the level, hash.</summary>
    /// <exception cref="InvalidOperationException">It is as large as a tree of this format can be.</exception>
    public void Append(Digest leaf, Action<int, long, Digest>? complete = null)
    {
        if (Size == Merkle.MostLeaves)
        {
            throw new InvalidOperationException("the tree is as large as it can be");
        }

        var (hash, index) = (leaf, Size);
        complete?.Invoke(0, index, hash);
        for (var level = 1; (index & 1) == 1; level++)
        {
            hash = Merkle.Node(_subtrees[^1], hash);
            _subtrees.RemoveAt(_subtrees.Count - 1);
            index >>= 1;
            complete?.Invoke(level, index, hash);
        }

        _subtrees.Add(hash);
        Size++;
    }
}
