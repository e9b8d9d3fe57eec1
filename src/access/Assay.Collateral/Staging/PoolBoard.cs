using System.Collections.Concurrent;
using System.Collections.Immutable;
using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Staging;

/// <summary>Which pool a listener serves, with or without what is only staged for it.</summary>
/// <param name="Pool">Its name.</param>
/// <param name="WithStaged">For machines that try a set before it is promoted.</param>
public sealed record PoolView(string Pool, bool WithStaged)
{
    /// <summary>What listeners serve that name no pool.</summary>
    public static PoolView Default { get; } = new(RimPool.Default, false);
}

/// <summary>
/// The pools of a folder as a running cache sees them: a file that changed is read again within a second. One that is damaged serves
/// nothing, for what it denied nobody knows.
/// </summary>
public sealed class PoolBoard
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(1);

    private readonly string? _folder;
    private readonly CacheMeters _meters;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Seen> _seen = new(StringComparer.Ordinal);

    internal PoolBoard(string? cache, CacheMeters meters, TimeProvider time) => (_folder, _meters, _time) = (cache is null ? null : PoolFolder.PoolsIn(cache), meters, time);

    /// <summary>The pools that have a file or a listener, and why those that are damaged serve nothing.</summary>
    public ImmutableArray<(string Name, RimPool? Pool, string? WhyNot)> All()
    {
        foreach (var name in Names())
        {
            Look(name);
        }

        return [.. _seen.OrderBy(pool => pool.Key, StringComparer.Ordinal).Select(pool => (pool.Key, pool.Value.Pool, pool.Value.WhyNot))];
    }

    /// <summary>Why the machines of a pool are not served a RIM; null when they are. Counted.</summary>
    public string? WhyNot(PoolView view, string id)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (Serves(view, id))
        {
            return null;
        }

        _meters.Count("refused", CollateralKind.Rim, "not-promoted");
        return Look(view.Pool).WhyNot is null ? $"not in a promoted set of pool {view.Pool}" : $"of pool {view.Pool}, whose file is damaged";
    }

    /// <summary>Whether they are.</summary>
    public bool Serves(PoolView view, string id)
    {
        ArgumentNullException.ThrowIfNull(view);
        return Look(view.Pool).Pool is { } pool && pool.Serves(id, view.WithStaged);
    }

    /// <summary>The ids that sets of a pool name.</summary>
    public IEnumerable<string> NamedFor(PoolView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return Look(view.Pool).Pool is { } pool ? pool.Sets.Where(set => view.WithStaged || set.Promoted is not null).SelectMany(set => set.Rims) : [];
    }

    private string[] Names()
    {
        try
        {
            return _folder is not null && Directory.Exists(_folder) ? [.. Directory.EnumerateFiles(_folder, "*.json").Select(file => Path.GetFileNameWithoutExtension(file)).Where(RimPool.IsName)] : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Each pool says so when it is looked at.
            return [];
        }
    }

    // The time of the file tells: a command replaces it as a whole.
    private Seen Look(string name)
    {
        var now = _time.GetTimestamp();
        if (_seen.TryGetValue(name, out var seen) && _time.GetElapsedTime(seen.At, now) < s_between)
        {
            return seen;
        }

        var written = _folder is null ? default : WrittenAt(PoolFolder.PathOf(_folder, name));
        if (seen is not null && seen.Written == written && seen.Pool is not null)
        {
            seen = seen with { At = now };
        }
        else
        {
            var whyNot = (string?)null;
            var pool = _folder is null ? new RimPool { Name = name } : PoolFolder.TryRead(PoolFolder.PathOf(_folder, name), name, out var read, out whyNot) ? read : null;
            seen = new Seen(now, written, pool, whyNot);
        }

        return _seen[name] = seen;
    }

    private static DateTime WrittenAt(string path)
    {
        try
        {
            return File.GetLastWriteTimeUtc(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Reading it says why.
            return default;
        }
    }

    private sealed record Seen(long At, DateTime Written, RimPool? Pool, string? WhyNot);
}
