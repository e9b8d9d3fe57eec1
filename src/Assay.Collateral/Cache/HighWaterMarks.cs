using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Assay.Appraisal;

namespace Assay.Collateral;

/// <summary>
/// The newest that was seen of everything (S-17), kept apart from the items: it outlives their eviction. A file to which lines are
/// appended; a last line that a killed process left half-written is not read. Safe for concurrent use.
/// </summary>
internal sealed class HighWaterMarks
{
    /// <summary>Each names something that an authority signed: nobody else can make one.</summary>
    private const int Most = 500_000;

    private const int CompactAfter = 1024;
    private const string Floor = "floor";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ItemRank> _marks = new(StringComparer.Ordinal);
    private readonly string? _path;
    private int _lines;
    private bool _isBehind;

    /// <param name="path">Null: marks last as long as the process.</param>
    public HighWaterMarks(string? path)
    {
        _path = path;
        foreach (var line in path is not null && File.Exists(path) ? File.ReadLines(path) : [])
        {
            _lines++;
            if (line.Split(' ') is [var name, var text, "."] && ItemRank.TryParse(text, out var rank, out _) && !(_marks.TryGetValue(name, out var known) && rank.IsOlderThan(known)))
            {
                _marks[name] = rank;
            }
        }
    }

    /// <summary>No honest clock is earlier (S-13).</summary>
    public DateTimeOffset TimeFloor
    {
        get
        {
            lock (_lock)
            {
                return _marks.GetValueOrDefault(Floor).Date;
            }
        }
    }

    /// <summary>The sequence of the newest bundle that was imported; 0 when none was.</summary>
    public long BundleSequence
    {
        get
        {
            lock (_lock)
            {
                return (long)(_marks.GetValueOrDefault("bundle").Number ?? 0);
            }
        }
    }

    /// <summary>The mark of an item's key; null when none was seen.</summary>
    public ItemRank? Find(CollateralKind kind, string markId)
    {
        lock (_lock)
        {
            return _marks.TryGetValue(NameOf(kind, markId), out var rank) ? rank : null;
        }
    }

    /// <summary>Every mark of an item, sorted by name.</summary>
    public ImmutableArray<(string Name, ItemRank Rank)> All()
    {
        lock (_lock)
        {
            return [.. _marks.Where(mark => mark.Key is not (Floor or "bundle")).Select(mark => (mark.Key, mark.Value)).OrderBy(mark => mark.Key, StringComparer.Ordinal)];
        }
    }

    /// <summary>Raises the mark of an item and the floor of time. On disk before this returns, so that no crash forgets what was served.</summary>
    /// <exception cref="IOException">The disk does not take it, or there is no room for another mark: the item must not be kept.</exception>
    public void Raise(VerifiedItem item)
    {
        lock (_lock)
        {
            var floor = new ItemRank(null, item.Stated, false);
            Raise([(NameOf(item.Key.Kind, item.MarkId), item.Rank), .. item.Stated > DateTimeOffset.UnixEpoch ? new[] { (Floor, floor) } : []]);
        }
    }

    /// <summary>Raises marks that a bundle brought, and its sequence.</summary>
    public void Raise(IEnumerable<(string Name, ItemRank Rank)> marks, long sequence)
    {
        lock (_lock)
        {
            Raise([.. marks, ("bundle", new ItemRank(sequence, default, false))]);
        }
    }

    public static string NameOf(CollateralKind kind, string markId) => $"{CollateralKinds.NameOf(Shared(kind))}:{markId}";

    // Lists are marked by their issuer, whatever name they have.
    private static CollateralKind Shared(CollateralKind kind) => kind is CollateralKind.PckCrl or CollateralKind.RootCrl or CollateralKind.AmdCrl ? CollateralKind.Crl : kind;

    private void Raise(IEnumerable<(string Name, ItemRank Rank)> marks)
    {
        var lines = new StringBuilder();
        foreach (var (name, rank) in marks)
        {
            var known = _marks.TryGetValue(name, out var before);
            if (known && !before.IsOlderThan(rank))
            {
                continue;
            }

            if (!known && _marks.Count >= Most)
            {
                throw new IOException($"{Most} high-water marks are held, and there is room for no other");
            }

            _marks[name] = rank;
            lines.Append(CultureInfo.InvariantCulture, $"{name} {rank} .\n");
            _lines++;
        }

        if (_path is null || lines.Length == 0)
        {
            return;
        }

        // Until it is written nothing of it is: after a failure the whole file is written anew, with what it lacks.
        var compacts = _isBehind || _lines > 2 * _marks.Count + CompactAfter;
        _isBehind = true;
        if (compacts)
        {
            Compact();
        }
        else
        {
            using var stream = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
            // After a half-written line a new one must not continue it.
            stream.Write(Encoding.ASCII.GetBytes("\n" + lines));
            stream.Flush(flushToDisk: true);
        }

        _isBehind = false;
    }

    private void Compact()
    {
        var unfinished = _path + ".new";
        using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            foreach (var (name, rank) in _marks)
            {
                stream.Write(Encoding.ASCII.GetBytes($"{name} {rank} .\n"));
            }

            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, _path!, overwrite: true);
        _lines = _marks.Count;
    }
}
