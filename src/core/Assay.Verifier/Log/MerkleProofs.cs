using System.Collections.Immutable;
using System.Numerics;
using Assay.Wire;

namespace Assay.Log;

/// <summary>The root of a perfect subtree: the node of a level (0 for leaves) and an index in it. Asked only for nodes that are complete.</summary>
public delegate Digest MerkleNodes(int level, long index);

/// <summary>Makes proofs (RFC 6962 §2.1.1, §2.1.2) from stored nodes. A proof reads at most two nodes for each level of the tree.</summary>
public static class MerkleProofs
{
    /// <summary>Shows that the leaf of an index is in the tree of a size; from the leaf to the root.</summary>
    public static ImmutableArray<Digest> Inclusion(long index, long size, MerkleNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var path = ImmutableArray.CreateBuilder<Digest>();
        Path(0, size, index);
        return path.ToImmutable();

        void Path(long begin, long end, long at)
        {
            if (end - begin == 1)
            {
                return;
            }

            var middle = begin + Split(end - begin);
            var isLeft = at < middle;
            Path(isLeft ? begin : middle, isLeft ? middle : end, at);
            path.Add(isLeft ? Root(middle, end, nodes) : Root(begin, middle, nodes));
        }
    }

    /// <summary>Shows that the tree of a size begins with the one of a smaller size.</summary>
    public static ImmutableArray<Digest> Consistency(long before, long size, MerkleNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentOutOfRangeException.ThrowIfNegative(before);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(before, size);
        var path = ImmutableArray.CreateBuilder<Digest>();
        if (before > 0 && before < size)
        {
            Path(0, size, isWhole: true);
        }

        return path.ToImmutable();

        // Whether the part that begins here is the whole of the smaller tree, which who verifies has.
        void Path(long begin, long end, bool isWhole)
        {
            if (before == end)
            {
                if (!isWhole)
                {
                    path.Add(Root(begin, end, nodes));
                }

                return;
            }

            var middle = begin + Split(end - begin);
            if (before <= middle)
            {
                Path(begin, middle, isWhole);
                path.Add(Root(middle, end, nodes));
            }
            else
            {
                Path(middle, end, isWhole: false);
                path.Add(Root(begin, middle, nodes));
            }
        }
    }

    /// <summary>The root of the first leaves.</summary>
    public static Digest Root(long size, MerkleNodes nodes) => size == 0 ? Merkle.Empty : Root(0, size, nodes);

    // Perfect parts are stored; what is right of them is folded.
    private static Digest Root(long begin, long end, MerkleNodes nodes)
    {
        var size = end - begin;
        if (BitOperations.IsPow2(size))
        {
            var level = BitOperations.TrailingZeroCount(size);
            return nodes(level, begin >> level);
        }

        var middle = begin + Split(size);
        return Merkle.Node(Root(begin, middle, nodes), Root(middle, end, nodes));
    }

    // The largest power of two below the size.
    private static long Split(long size) => 1L << (63 - BitOperations.LeadingZeroCount((ulong)(size - 1)));
}
