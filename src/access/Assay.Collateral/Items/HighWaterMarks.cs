using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text;
using Assay.Collateral.Files;
using Assay.Endorsements;

namespace Assay.Collateral.Items;

/// <summary>
/// The newest that was seen of everything (S-17), kept apart from the items: it outlives their eviction. A file to which lines are
/// appended; a last line that a killed process left half-written is not read. Safe for concurrent use.
/// </summary>
internal sealed class HighWaterMarks
{
    private const int CompactAfter = 1024;
    private const string Floor = "floor";
    private const string Bundle = "bundle";

    private static readonly string[] s_askersChoice = [.. new[] { CollateralKind.Vcek, CollateralKind.Vlek, CollateralKind.PckCertificate }.Select(kind => NameOf(kind, ""))];

    private static readonly string s_answer = NameOf(CollateralKind.Ocsp, "");

    private readonly Lock _lock = new();
    private readonly Dictionary<string, ItemRank> _marks = new(StringComparer.Ordinal);
    private readonly string? _path;
    private readonly int _most;
    private int _certificates;
    private int _answers;
    private int _lines;
    private bool _isBehind;

    /// <param name="path">Null: marks last as long as the process.</param>
    /// <param name="most">How many there may be. Each names something that an authority signed: nobody else can make one.</param>
    /// <exception cref="IOException">The file is there and cannot be read: without its marks, what is old would pass for new.</exception>
    public HighWaterMarks(string? path, int most)
    {
        (_path, _most) = (path, most);
        foreach (var line in path is not null && !BoundedFile.IsAbsent(path) ? BoundedFile.ReadLines(path) : [])
        {
            _lines++;
            if (line.Split(' ') is [var name, var text, "."] && ItemRank.TryParse(text, out var rank, out _) && !(_marks.TryGetValue(name, out var known) && rank.IsOlderThan(known)))
            {
                CountNew(name, rank);
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

    /// <summary>The mark of an item's key; null when none was seen.</summary>
    public ItemRank? Find(CollateralKind kind, string markId)
    {
        lock (_lock)
        {
            return _marks.TryGetValue(NameOf(kind, markId), out var rank) ? rank : null;
        }
    }

    /// <summary>
    /// Raises the mark of an item and the floor of time. On disk before this returns, so that no crash forgets what was served. False when
    /// there is no room for another mark: the item must then not be kept, for what is older than it could not be told afterwards.
    /// </summary>
    /// <exception cref="IOException">The disk does not take it. The mark holds as long as the process.</exception>
    public bool TryRaise(VerifiedItem item)
    {
        lock (_lock)
        {
            var name = NameOf(item.Key.Kind, item.MarkId);
            var isNew = !_marks.ContainsKey(name);
            if (isNew && (_marks.Count >= _most || (IsAskersChoice(name) && _certificates >= _most / 4) || (IsGoodAnswer(name, item.Rank) && _answers >= _most / 2)))
            {
                return false;
            }

            CountNew(name, item.Rank);
            var floor = new ItemRank(null, item.Stated, false);
            Raise([(name, item.Rank), .. item.Stated > DateTimeOffset.UnixEpoch ? new[] { (Floor, floor) } : []]);
            return true;
        }
    }

    /// <summary>The sequence of the last bundle that was taken in; 0 before the first.</summary>
    public long BundleSequence
    {
        get
        {
            lock (_lock)
            {
                // The file may say more than any bundle can have: then every bundle is refused, for what was seen is not known.
                return (long)BigInteger.Min(_marks.GetValueOrDefault(Bundle).Number ?? 0, long.MaxValue);
            }
        }
    }

    /// <summary>What was seen, but for certificates whose ids the asker chose: what a bundle carries to others.</summary>
    public ImmutableArray<BundleMark> All()
    {
        lock (_lock)
        {
            return [.. _marks.Where(mark => mark.Key is not (Floor or Bundle) && !IsAskersChoice(mark.Key)).Select(mark => new BundleMark(mark.Key, mark.Value))];
        }
    }

    /// <summary>
    /// Raises the marks that a bundle carries, the sequence, and the floor of time. False, and nothing raised, when there is no room.
    /// </summary>
    /// <exception cref="IOException">The disk does not take them. They hold as long as the process.</exception>
    public bool TryRaise(BundleManifest manifest)
    {
        lock (_lock)
        {
            if (_marks.Count + manifest.Marks.Count(mark => !_marks.ContainsKey(mark.Name)) > _most)
            {
                return false;
            }

            foreach (var mark in manifest.Marks)
            {
                CountNew(mark.Name, mark.Rank);
            }

            Raise(
            [
                .. manifest.Marks.Select(mark => (mark.Name, mark.Rank)),
                (Bundle, new ItemRank(manifest.Sequence, manifest.Created, false)), (Floor, new ItemRank(null, manifest.Created, false)),
            ]);
            return true;
        }
    }

    // A certificate of a processor is made for whatever TCB it is asked for: whoever asks chooses how many there are, and must not take the
    // room of answers and lists that revoke.
    private static bool IsAskersChoice(string name) => s_askersChoice.Any(start => name.StartsWith(start, StringComparison.Ordinal));

    // Serial numbers are the asker's choice too, where a responder signs "good" about whatever it is asked: half of the room stays for
    // answers that revoke, lists, statements and manifests.
    private static bool IsGoodAnswer(string name, ItemRank rank) => !rank.Revokes && name.StartsWith(s_answer, StringComparison.Ordinal);

    /// <summary>Whether a mark is of an OCSP answer that does not revoke: there are as many as serial numbers were asked about.</summary>
    public static bool IsGoodAnswer(BundleMark mark) => IsGoodAnswer(mark.Name, mark.Rank);

    // Before it is put in.
    private void CountNew(string name, ItemRank rank)
    {
        if (!_marks.ContainsKey(name))
        {
            _certificates += IsAskersChoice(name) ? 1 : 0;
            _answers += IsGoodAnswer(name, rank) ? 1 : 0;
        }
    }

    /// <summary>The name of the mark of items of a kind.</summary>
    public static string NameOf(CollateralKind kind, string markId) => $"{CollateralKinds.NameOf(Shared(kind))}:{markId}";

    // Lists are marked by their issuer, whatever name they have.
    private static CollateralKind Shared(CollateralKind kind) => kind is CollateralKind.PckCrl or CollateralKind.RootCrl or CollateralKind.AmdCrl ? CollateralKind.Crl : kind;

    private void Raise(IEnumerable<(string Name, ItemRank Rank)> marks)
    {
        var lines = new StringBuilder();
        foreach (var (name, rank) in marks)
        {
            if (_marks.TryGetValue(name, out var before) && !before.IsOlderThan(rank))
            {
                continue;
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
            using var stream = OwnFile.Open(_path, FileMode.Append, FileShare.Read);
            // After a half-written line a new one must not continue it.
            stream.Write(Encoding.ASCII.GetBytes("\n" + lines));
            stream.Flush(flushToDisk: true);
        }

        _isBehind = false;
    }

    private void Compact()
    {
        var unfinished = _path + ".new";
        // One that a killed process left goes first: a pipe in its place would be written to until somebody reads it.
        File.Delete(unfinished);
        using (var stream = OwnFile.Open(unfinished, FileMode.CreateNew))
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
