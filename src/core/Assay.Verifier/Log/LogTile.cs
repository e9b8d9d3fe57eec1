using System.Globalization;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// A file of a log that is served as tiles (C2SP tlog-tiles): 256 hashes of a level, of which each is over 256 of the level below, or 256 entries. A tile that
/// is not full names its width.
/// </summary>
/// <param name="Level">Of hashes 0 to 6; -1: entries.</param>
/// <param name="Index">Which tile of the level.</param>
/// <param name="Width">1 to 256.</param>
public readonly record struct LogTile(int Level, long Index, int Width)
{
    /// <summary>How many hashes or entries a full tile has.</summary>
    public const int Full = 256;

    /// <summary>Levels of the tree that a tile spans.</summary>
    public const int Levels = 8;

    /// <summary>In place of a level: entries, each behind its length in two bytes.</summary>
    public const int Entries = -1;

    /// <summary>The longest entry.</summary>
    public const int MostEntryBytes = ushort.MaxValue;

    private const int MostLevel = 6;

    /// <summary>Behind the log's address: <c>tile/LEVEL/INDEX[.p/WIDTH]</c>, the index in groups of three digits.</summary>
    public string Path
    {
        get
        {
            var groups = new Stack<string>();
            var rest = Index;
            do
            {
                groups.Push((groups.Count == 0 ? "" : "x") + (rest % 1000).ToString("000", CultureInfo.InvariantCulture));
                rest /= 1000;
            }
            while (rest > 0);
            var level = Level == Entries ? "entries" : Level.ToString(CultureInfo.InvariantCulture);
            return $"tile/{level}/{string.Join('/', groups)}{(Width == Full ? "" : string.Create(CultureInfo.InvariantCulture, $".p/{Width}"))}";
        }
    }

    /// <summary>How many full tiles a level of a tree of this size has.</summary>
    public static long FullOf(int level, long size) => HashesOf(level, size) / Full;

    /// <summary>The last tile of a level, where it is not full; null where there is no such.</summary>
    public static LogTile? PartOf(int level, long size) =>
        (int)(HashesOf(level, size) % Full) is > 0 and var width ? new LogTile(level, FullOf(level, size), width) : null;

    /// <summary>Reads what <see cref="Path"/> writes, and nothing else.</summary>
    public static bool TryParse(string? path, out LogTile tile)
    {
        tile = default;
        if (path is not { Length: > 5 and < 64 } || !path.StartsWith("tile/", StringComparison.Ordinal))
        {
            return false;
        }

        var parts = path["tile/".Length..].Split('/');
        var level = parts[0] == "entries" ? Entries : parts[0] is [>= '0' and <= '9'] ? parts[0][0] - '0' : int.MaxValue;
        var width = Full;
        if (parts.Length > 2 && parts[^2].EndsWith(".p", StringComparison.Ordinal))
        {
            if (!int.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out width) || width is < 1 or >= Full)
            {
                return false;
            }

            parts = [.. parts[..^2], parts[^2][..^2]];
        }

        var digits = string.Concat(parts[1..].Select(part => part.TrimStart('x')));
        if (level > MostLevel || digits.Length > 16 || !long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            return false;
        }

        // One text for each tile: what is not written so is another path.
        var read = new LogTile(level, index, width);
        tile = read.Path == path ? read : default;
        return read.Path == path;
    }

    private static long HashesOf(int level, long size) => level is Entries ? size : size >> (Levels * level);
}
