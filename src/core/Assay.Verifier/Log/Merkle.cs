using System.Collections.Immutable;
using System.Numerics;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// The Merkle tree of RFC 6962 §2.1 with SHA-256: a leaf is SHA-256(00 ‖ entry), a node SHA-256(01 ‖ left ‖ right), the empty tree SHA-256(""). Sizes and
/// indexes are below 2^53, hashes exactly 32 bytes.
/// </summary>
public static class Merkle
{
    /// <summary>Bytes of a hash.</summary>
    public const int HashSize = SHA256.HashSizeInBytes;

    /// <summary>No tree of this format is larger.</summary>
    public const long MostLeaves = (1L << 53) - 1;

    private const int MostHashes = 63;

    /// <summary>The root of a tree without leaves.</summary>
    public static Digest Empty { get; } = Digest.Sha256([]);

    /// <summary>The hash of an entry.</summary>
    public static Digest Leaf(ReadOnlySpan<byte> entry)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([0]);
        hash.AppendData(entry);
        return new Digest(hash.GetHashAndReset());
    }

    /// <summary>The hash over two neighbours.</summary>
    public static Digest Node(Digest left, Digest right)
    {
        Span<byte> content = stackalloc byte[1 + HashSize + HashSize];
        content[0] = 1;
        left.Bytes.CopyTo(content[1..]);
        right.Bytes.CopyTo(content[(1 + HashSize)..]);
        return new Digest(SHA256.HashData(content));
    }

    /// <summary>Whether a leaf is at an index of the tree with this size and root (RFC 9162 §2.1.3.2).</summary>
    public static bool Includes(long index, long size, Digest leaf, ImmutableArray<Digest> path, Digest root)
    {
        if (index < 0 || index >= size || size > MostLeaves || !AreHashes(path) || !AreHashes([leaf, root]))
        {
            return false;
        }

        var (first, last, hash) = (index, size - 1, leaf);
        foreach (var next in path)
        {
            if (last == 0)
            {
                return false;
            }

            hash = Step(ref first, ref last) ? Node(next, hash) : Node(hash, next);
        }

        return last == 0 && hash == root;
    }

    /// <summary>Whether a tree is the beginning of a larger one (RFC 9162 §2.1.4.2). A tree without leaves is the beginning of each: nothing is shown then, and nothing is taken as proof.</summary>
    public static bool Extends(long before, Digest rootBefore, long size, Digest root, ImmutableArray<Digest> path)
    {
        if (before < 0 || before > size || size > MostLeaves || !AreHashes(path) || !AreHashes([rootBefore, root]))
        {
            return false;
        }

        if (before == 0 || before == size)
        {
            return path.IsEmpty && rootBefore == (before == 0 ? Empty : root);
        }

        var whole = BitOperations.IsPow2(before) ? path.Insert(0, rootBefore) : path;
        if (path.IsEmpty || whole.IsEmpty)
        {
            return false;
        }

        var (first, last) = (before - 1, size - 1);
        var zeros = BitOperations.TrailingZeroCount(~first);
        (first, last) = (first >> zeros, last >> zeros);
        var (old, recent) = (whole[0], whole[0]);
        foreach (var next in whole.Skip(1))
        {
            if (last == 0)
            {
                return false;
            }

            if (Step(ref first, ref last))
            {
                (old, recent) = (Node(next, old), Node(next, recent));
            }
            else
            {
                recent = Node(recent, next);
            }
        }

        return last == 0 && old == rootBefore && recent == root;
    }

    // One level up; whether the next hash is the left neighbour. Where the node is the last of an odd level, the levels without a neighbour are skipped.
    private static bool Step(ref long first, ref long last)
    {
        var isRight = (first & 1) == 1 || first == last;
        if (isRight && (first & 1) == 0)
        {
            var zeros = BitOperations.TrailingZeroCount(first);
            (first, last) = (first >> zeros, last >> zeros);
        }

        (first, last) = (first >> 1, last >> 1);
        return isRight;
    }

    private static bool AreHashes(ImmutableArray<Digest> hashes) => hashes.Length <= MostHashes && hashes.All(hash => hash.Length == HashSize);
}
