using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Log;
using Assay.Wire;

namespace Assay.Tests.Log;

/// <summary>The tree of the audit log, against published vectors and against itself written the slow way.</summary>
public sealed class MerkleTests
{
    [Fact]
    public void Roots_and_proofs_of_RFC_6962_s_classic_tree_are_made_and_verified()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/merkle.json"));
        var classic = document.RootElement.GetProperty("classic");
        var leaves = classic.GetProperty("leaves").EnumerateArray().Select(leaf => Convert.FromHexString(leaf.GetString()!)).ToArray();
        Assert.Equal(Texts(classic.GetProperty("leaf_hashes")), leaves.Select(leaf => Merkle.Leaf(leaf).ToString()));

        var stored = new Stored();
        var roots = new List<string> { stored.Frontier.Root.ToString() };
        foreach (var leaf in leaves)
        {
            stored.Append(leaf);
            roots.Add(stored.Frontier.Root.ToString());
        }

        Assert.Equal(Texts(classic.GetProperty("roots")), roots);
        Compare(classic, stored);
    }

    [Fact]
    public void A_tree_of_300_entries_has_the_published_roots_proofs_tiles_and_paths()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/merkle.json"));
        var sequence = document.RootElement.GetProperty("seq");
        var (stored, expected) = (new Stored(), sequence.GetProperty("roots"));
        for (var size = 0; size <= 300; size++)
        {
            if (expected.TryGetProperty(size.ToString(CultureInfo.InvariantCulture), out var root))
            {
                Assert.Equal(root.GetString(), stored.Frontier.Root.ToString());
            }

            stored.Append(Encoding.ASCII.GetBytes($"leaf-{size.ToString(CultureInfo.InvariantCulture)}"));
        }

        Compare(sequence, stored);
        foreach (var tile in sequence.GetProperty("tiles").EnumerateObject().Where(tile => tile.Name.StartsWith("tile/0/", StringComparison.Ordinal)))
        {
            Assert.True(LogTile.TryParse(tile.Name, out var read));
            var content = Enumerable.Range(0, read.Width).SelectMany(at => stored.Nodes(LogTile.Levels * read.Level, (read.Index * LogTile.Full) + at).Bytes.ToArray()).ToArray();
            Assert.Equal((tile.Value.GetProperty("len").GetInt32(), tile.Value.GetProperty("sha256").GetString()), (content.Length, Convert.ToHexStringLower(SHA256.HashData(content))));
        }

        foreach (var path in sequence.GetProperty("paths").EnumerateArray())
        {
            Assert.Equal($"tile/0/{path.GetProperty("path").GetString()}", new LogTile(0, path.GetProperty("n").GetInt64(), LogTile.Full).Path);
        }
    }

    [Fact]
    public void The_suite_of_transparency_dev_is_judged_alike()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/merkle-proof-suite.json"));
        var (judged, different) = (0, new List<string>());
        foreach (var item in document.RootElement.GetProperty("inclusion").EnumerateArray())
        {
            var valid = TryNumber(item, "leafIdx", out var index) && TryNumber(item, "treeSize", out var size) && TryHash(item, "leafHash", out var leaf) && TryHash(item, "root", out var root)
                && Merkle.Includes(index, size, leaf, Path(item), root);
            Note(item, valid);
        }

        foreach (var item in document.RootElement.GetProperty("consistency").EnumerateArray())
        {
            var valid = TryNumber(item, "size1", out var before) && TryNumber(item, "size2", out var size) && TryHash(item, "root1", out var rootBefore) && TryHash(item, "root2", out var root)
                && Merkle.Extends(before, rootBefore, size, root, Path(item));
            Note(item, valid);
        }

        Assert.Equal(196, judged);
        // Its hashes are empty, and ours are always 32 bytes long.
        Assert.Equal(["consistency/additional/sizes-are-equal-one-and-proof-is-empty: sizes are equal (one) and proof is empty: False"], different);

        void Note(JsonElement item, bool valid)
        {
            judged++;
            if (valid != item.GetProperty("valid").GetBoolean())
            {
                different.Add($"{item.GetProperty("name").GetString()}: {item.GetProperty("desc").GetString()}: {valid}");
            }
        }
    }

    [Fact]
    public void Every_proof_of_every_tree_of_up_to_40_entries_verifies_and_no_altered_one_does()
    {
        var stored = new Stored();
        var roots = new List<Digest> { Merkle.Empty };
        for (var size = 1L; size <= 40; size++)
        {
            stored.Append([(byte)size]);
            roots.Add(stored.Frontier.Root);
            // The definition, written as RFC 6962 §2.1 has it.
            Assert.Equal(Slow([.. Enumerable.Range(1, (int)size).Select(entry => Merkle.Leaf([(byte)entry]))]), stored.Frontier.Root);
            Assert.Equal(stored.Frontier.Root, MerkleProofs.Root(size, stored.Nodes));
            Assert.Equal(stored.Frontier.Root, MerkleFrontier.Of(size, stored.Frontier.Subtrees).Root);
            for (var index = 0L; index < size; index++)
            {
                var path = MerkleProofs.Inclusion(index, size, stored.Nodes);
                var leaf = Merkle.Leaf([(byte)(index + 1)]);
                Assert.True(Merkle.Includes(index, size, leaf, path, roots[(int)size]));
                Assert.False(Merkle.Includes((index + 1) % size, size, leaf, path, roots[(int)size]) && size > 1);
                Assert.All(Altered(path), altered => Assert.False(Merkle.Includes(index, size, leaf, altered, roots[(int)size])));
            }

            for (var before = 0L; before <= size; before++)
            {
                var path = MerkleProofs.Consistency(before, size, stored.Nodes);
                Assert.True(Merkle.Extends(before, roots[(int)before], size, roots[(int)size], path));
                Assert.All(Altered(path), altered => Assert.False(Merkle.Extends(before, roots[(int)before], size, roots[(int)size], altered)));
                Assert.All(Enumerable.Range(0, (int)size).Where(other => other != before), other => Assert.False(Merkle.Extends(before, roots[other], size, roots[(int)size], path)));
            }
        }
    }

    [Fact]
    public void An_entry_costs_two_hashes_and_a_proof_two_reads_a_level_whatever_the_size()
    {
        var (frontier, nodes) = (new MerkleFrontier(), 0L);
        const int entries = 100_000;
        var leaf = Merkle.Leaf([]);
        for (var entry = 0; entry < entries; entry++)
        {
            frontier.Append(leaf, (_, _, _) => nodes++);
        }

        Assert.InRange(nodes, entries, 2 * entries);
        // Equal leaves: every node of a level is the same.
        var levels = new List<Digest> { leaf };
        Enumerable.Range(0, 63).ToList().ForEach(_ => levels.Add(Merkle.Node(levels[^1], levels[^1])));
        var reads = 0;
        Digest Read(int level, long index)
        {
            reads++;
            return levels[level];
        }

        var path = MerkleProofs.Inclusion(77_777, entries, Read);
        Assert.InRange(reads, path.Length, 2 * 17);
        Assert.True(Merkle.Includes(77_777, entries, leaf, path, frontier.Root));
        reads = 0;
        Assert.True(Merkle.Extends(60_000, MerkleProofs.Root(60_000, Read), entries, frontier.Root, MerkleProofs.Consistency(60_000, entries, Read)));
        Assert.InRange(reads, 1, 4 * 17);
    }

    [Fact]
    public void Sizes_beyond_the_format_and_hashes_of_another_length_are_refused()
    {
        var leaf = Merkle.Leaf([]);
        Assert.False(Merkle.Includes(-1, 1, leaf, [], leaf));
        Assert.False(Merkle.Includes(0, long.MaxValue, leaf, [], leaf));
        Assert.False(Merkle.Includes(0, 2, leaf, [new Digest(new byte[31])], leaf));
        Assert.False(Merkle.Includes(0, 1, default, [], default));
        Assert.False(Merkle.Extends(0, leaf, 1, leaf, []));
        Assert.False(Merkle.Extends(2, leaf, 1, leaf, []));
        Assert.False(Merkle.Extends(1, default, 1, default, []));
        Assert.Throws<ArgumentException>(() => MerkleFrontier.Of(3, [leaf]));
        Assert.Throws<ArgumentException>(() => MerkleFrontier.Of(1, [default]));
        Assert.Throws<ArgumentOutOfRangeException>(() => MerkleProofs.Inclusion(1, 1, (_, _) => leaf));
        var full = MerkleFrontier.Of(Merkle.MostLeaves, [.. Enumerable.Repeat(leaf, 53)]);
        Assert.Throws<InvalidOperationException>(() => full.Append(leaf));
    }

    [Theory]
    [InlineData("tile/0/000", 0, 0, 256)]
    [InlineData("tile/6/x123/456.p/1", 6, 123456, 1)]
    [InlineData("tile/entries/x001/000.p/255", LogTile.Entries, 1000, 255)]
    public void A_tile_has_one_path(string path, int level, long index, int width)
    {
        Assert.Equal(path, new LogTile(level, index, width).Path);
        Assert.True(LogTile.TryParse(path, out var tile));
        Assert.Equal(new LogTile(level, index, width), tile);
    }

    [Theory]
    [InlineData("tile/00/000")]
    [InlineData("tile/7/000")]
    [InlineData("tile/0/0")]
    [InlineData("tile/0/0000")]
    [InlineData("tile/0/001/000")]
    [InlineData("tile/0/x000/000")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/-01")]
    [InlineData("tile/0/../../x")]
    [InlineData("tile/0/000/")]
    [InlineData("tile/0")]
    [InlineData("checkpoint")]
    [InlineData(null)]
    public void Another_text_is_no_tile(string? path) => Assert.False(LogTile.TryParse(path, out _));

    [Fact]
    public void A_size_has_the_tiles_of_its_digits_to_the_base_of_256()
    {
        Assert.Equal((273, 112), Tiles(0, 70_000));
        Assert.Equal((1, 17), Tiles(1, 70_000));
        Assert.Equal((0, 1), Tiles(2, 70_000));
        Assert.Equal((1, null), Tiles(0, 256));
        Assert.Equal((0, 1), Tiles(1, 256));
        Assert.Equal((0, null), Tiles(0, 0));
        Assert.Equal(new LogTile(LogTile.Entries, 273, 112), LogTile.PartOf(LogTile.Entries, 70_000));

        static (long, int?) Tiles(int level, long size) => (LogTile.FullOf(level, size), LogTile.PartOf(level, size)?.Width);
    }

    private static void Compare(JsonElement expected, Stored stored)
    {
        foreach (var item in expected.GetProperty("inclusion").EnumerateArray())
        {
            Assert.Equal(Texts(item.GetProperty("proof")), MerkleProofs.Inclusion(item.GetProperty("index").GetInt64(), item.GetProperty("size").GetInt64(), stored.Nodes).Select(hash => hash.ToString()));
        }

        foreach (var item in expected.GetProperty("consistency").EnumerateArray())
        {
            Assert.Equal(Texts(item.GetProperty("proof")), MerkleProofs.Consistency(item.GetProperty("from").GetInt64(), item.GetProperty("to").GetInt64(), stored.Nodes).Select(hash => hash.ToString()));
        }
    }

    private static Digest Slow(ReadOnlySpan<Digest> leaves)
    {
        if (leaves.Length == 1)
        {
            return leaves[0];
        }

        var split = 1;
        while (split * 2 < leaves.Length)
        {
            split *= 2;
        }

        return Merkle.Node(Slow(leaves[..split]), Slow(leaves[split..]));
    }

    // A hash changed, left out, added or swapped.
    private static IEnumerable<ImmutableArray<Digest>> Altered(ImmutableArray<Digest> path)
    {
        yield return path.Add(Merkle.Empty);
        yield return path.Insert(0, Merkle.Empty);
        for (var at = 0; at < path.Length; at++)
        {
            var bytes = path[at].Bytes.ToArray();
            bytes[at % bytes.Length] ^= 1;
            yield return path.SetItem(at, new Digest(bytes));
            yield return path.RemoveAt(at);
            if (at > 0 && path[at] != path[at - 1])
            {
                yield return path.SetItem(at, path[at - 1]).SetItem(at - 1, path[at]);
            }
        }
    }

    private static string[] Texts(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetString()!)];

    private static bool TryNumber(JsonElement item, string name, out long number) => item.GetProperty(name).TryGetInt64(out number);

    private static bool TryHash(JsonElement item, string name, out Digest hash)
    {
        hash = item.TryGetProperty(name, out var text) && text.ValueKind is JsonValueKind.String ? new Digest(Convert.FromBase64String(text.GetString()!)) : default;
        return true;
    }

    private static ImmutableArray<Digest> Path(JsonElement item) => item.GetProperty("proof") is { ValueKind: JsonValueKind.Array } path
        ? [.. path.EnumerateArray().Select(hash => new Digest(Convert.FromBase64String(hash.GetString()!)))] : [];

    /// <summary>A tree with every node that was ever complete.</summary>
    private sealed class Stored
    {
        private readonly Dictionary<(int, long), Digest> _nodes = [];

        public MerkleFrontier Frontier { get; } = new();

        public void Append(ReadOnlySpan<byte> entry) => Frontier.Append(Merkle.Leaf(entry), (level, index, hash) => _nodes.Add((level, index), hash));

        public Digest Nodes(int level, long index) => _nodes[(level, index)];
    }
}
