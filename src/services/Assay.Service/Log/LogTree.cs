using System.Data.Common;
using Assay.Log;
using Assay.Service.Storage;
using Assay.Wire;
using Dapper;

namespace Assay.Service.Log;

/// <summary>The tree of the log as it is stored: hashes of leaves, and the nodes that are over 256 of the level below. Everything between is computed from at most 256 of them.</summary>
internal sealed class LogTree(ServiceDatabase database)
{
    private const string SelectLeaves = "SELECT hash FROM log_entry WHERE position >= @From AND position < @To ORDER BY position";
    private const string SelectNodes = "SELECT hash FROM log_node WHERE level = @Level AND position >= @From AND position < @To ORDER BY position";

    /// <summary>A proof, or several: asked once which nodes they need, and once with these nodes. Each tile is read once for all of them.</summary>
    public async Task<T> ProveAsync<T>(Func<MerkleNodes, T> prove, CancellationToken cancellation)
    {
        var needed = new HashSet<(int Level, long Tile)>();
        prove((level, index) =>
        {
            needed.Add((level / LogTile.Levels, (index << (level % LogTile.Levels)) / LogTile.Full));
            return Merkle.Empty;
        });
        var tiles = await database.ReadAsync(
            async connection =>
            {
                var read = new Dictionary<(int, long), Digest[]>();
                foreach (var (level, tile) in needed)
                {
                    read[(level, tile)] = await ReadAsync(connection, level, tile * LogTile.Full, (tile + 1) * LogTile.Full, cancellation).ConfigureAwait(false);
                }

                return read;
            },
            cancellation).ConfigureAwait(false);
        return prove((level, index) =>
        {
            var (below, width) = (level % LogTile.Levels, 1L << (level % LogTile.Levels));
            var first = index * width;
            var (tile, at) = (tiles[(level / LogTile.Levels, first / LogTile.Full)], (int)(first % LogTile.Full));
            // What is missing proves nothing, and is found where the proof is tried.
            return at + width <= tile.Length ? Fold(tile.AsSpan(at, (int)width), below) : Merkle.Empty;
        });
    }

    /// <summary>The hashes of a tile, one behind the other; null where the log does not have all of them.</summary>
    public async Task<byte[]?> TileAsync(LogTile tile, CancellationToken cancellation)
    {
        var from = tile.Index * LogTile.Full;
        var hashes = await database.ReadAsync(connection => ReadAsync(connection, tile.Level, from, from + tile.Width, cancellation), cancellation).ConfigureAwait(false);
        return hashes.Length == tile.Width ? [.. hashes.SelectMany(hash => hash.Bytes.ToArray())] : null;
    }

    private static async Task<Digest[]> ReadAsync(DbConnection connection, int level, long from, long to, CancellationToken cancellation) =>
        [.. (await connection.QueryAsync<byte[]>(new CommandDefinition(level == 0 ? SelectLeaves : SelectNodes, new { Level = level, From = from, To = to }, cancellationToken: cancellation)).ConfigureAwait(false)).Select(hash => new Digest(hash))];

    private static Digest Fold(ReadOnlySpan<Digest> hashes, int levels) =>
        levels == 0 ? hashes[0] : Merkle.Node(Fold(hashes[..(hashes.Length / 2)], levels - 1), Fold(hashes[(hashes.Length / 2)..], levels - 1));
}
