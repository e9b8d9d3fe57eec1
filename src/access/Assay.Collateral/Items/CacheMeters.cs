using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Assay.Endorsements;

namespace Assay.Collateral.Items;

/// <summary>
/// What a cache counts. Every number only rises. The instruments of the meter <see cref="MeterName"/> and the text at /metrics read the
/// same numbers, so that they cannot differ.
/// </summary>
public sealed class CacheMeters : IDisposable
{
    /// <summary>The name by which OpenTelemetry and others find the meter.</summary>
    public const string MeterName = "Assay.Collateral";

    private readonly ConcurrentDictionary<(string Name, CollateralKind Kind, string Reason), StrongBox> _counts = new();

    internal CacheMeters()
    {
        Meter = new Meter(new MeterOptions(MeterName) { Scope = this });
        foreach (var (name, help, hasReason) in Counters)
        {
            Meter.CreateObservableCounter(InstrumentOf(name), () => Measure(name, hasReason), description: help);
        }
    }

    /// <summary>The instruments of this cache.</summary>
    internal Meter Meter { get; }

    /// <summary>The counters, in the order of the text at /metrics.</summary>
    public static ImmutableArray<(string Name, string Help, bool HasReason)> Counters { get; } =
    [
        ("hits", "Requests answered with a fresh item that was held.", false),
        ("misses", "Requests that waited for an upstream.", false),
        ("stale", "Requests answered with an item past its life, while no upstream answers.", false),
        ("failures", "Requests that got nothing.", false),
        ("upstream_requests", "Requests to upstreams.", false),
        ("upstream_errors", "Failed requests to upstreams.", true),
        ("refused", "Items refused, by reason.", true),
        ("damaged", "Files set aside because they did not verify.", true),
        ("store_errors", "Items that could not be written to disk.", false),
        ("evictions", "Items dropped for lack of room.", false),
        ("loads", "Items read from disk and verified again.", false),
    ];

    /// <summary>The counters, sorted.</summary>
    public ImmutableArray<(string Name, CollateralKind Kind, string Reason, long Value)> All() =>
        [.. _counts.Select(count => (count.Key.Name, count.Key.Kind, count.Key.Reason, Volatile.Read(ref count.Value.Value))).OrderBy(count => count.Name, StringComparer.Ordinal).ThenBy(count => count.Kind).ThenBy(count => count.Reason, StringComparer.Ordinal)];

    /// <summary>The value of one counter.</summary>
    public long Read(string name, CollateralKind kind, string reason = "") => _counts.TryGetValue((name, kind, reason), out var box) ? Volatile.Read(ref box.Value) : 0;

    /// <summary>Ends the instruments; the numbers can still be read.</summary>
    public void Dispose() => Meter.Dispose();

    /// <summary>The instrument of a counter.</summary>
    public static string InstrumentOf(string counter) => $"assay.collateral.{counter}";

    internal static KeyValuePair<string, object?> KindTag(CollateralKind kind) => new("kind", CollateralKinds.NameOf(kind));

    internal void Count(string name, CollateralKind kind, string reason = "") => Interlocked.Increment(ref _counts.GetOrAdd((name, kind, reason), static _ => new StrongBox()).Value);

    private IEnumerable<Measurement<long>> Measure(string name, bool hasReason) => All().Where(count => count.Name == name)
        .Select(count => hasReason ? new Measurement<long>(count.Value, KindTag(count.Kind), new("reason", count.Reason)) : new Measurement<long>(count.Value, KindTag(count.Kind)));

    private sealed class StrongBox
    {
        public long Value;
    }
}
