using System.Collections.Concurrent;
using System.Collections.Immutable;
using Assay.Endorsements;

namespace Assay.Collateral;

/// <summary>What a cache counts. Every number only rises.</summary>
public sealed class CacheMeters
{
    private readonly ConcurrentDictionary<(string Name, CollateralKind Kind, string Reason), StrongBox> _counts = new();

    /// <summary>The counters, sorted.</summary>
    public ImmutableArray<(string Name, CollateralKind Kind, string Reason, long Value)> All() =>
        [.. _counts.Select(count => (count.Key.Name, count.Key.Kind, count.Key.Reason, Volatile.Read(ref count.Value.Value))).OrderBy(count => count.Name, StringComparer.Ordinal).ThenBy(count => count.Kind).ThenBy(count => count.Reason, StringComparer.Ordinal)];

    /// <summary>The value of one counter.</summary>
    public long Read(string name, CollateralKind kind, string reason = "") => _counts.TryGetValue((name, kind, reason), out var box) ? Volatile.Read(ref box.Value) : 0;

    internal void Count(string name, CollateralKind kind, string reason = "") => Interlocked.Increment(ref _counts.GetOrAdd((name, kind, reason), static _ => new StrongBox()).Value);

    private sealed class StrongBox
    {
        public long Value;
    }
}
