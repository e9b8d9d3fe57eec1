using System.Diagnostics.Metrics;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Cache;

/// <summary>What a cache reports about itself: gauges, and log lines of which there is at most one of a kind each minute.</summary>
public sealed partial class CollateralCache
{
    /// <summary>Series of single items: those that end first.</summary>
    private const int MostExpiries = 10_000;

    private readonly ILogger _logger;
    private readonly LogThrottle _throttle;

    /// <summary>Where items are kept; null for memory alone.</summary>
    public string? Folder { get; }

    /// <summary>How many items of each kind are held.</summary>
    public IEnumerable<(CollateralKind Kind, int Count)> ItemCounts() => Held().CountBy(item => item.Key.Kind).Select(pair => (pair.Key, pair.Value));

    /// <summary>The items that end first, and the whole seconds until they do.</summary>
    public IEnumerable<(CollateralKey Key, double Seconds)> Expiries()
    {
        var now = _time.GetUtcNow();
        return Held().OrderBy(item => item.ValidUntil).Take(MostExpiries).Select(item => (item.Key, Math.Floor((item.ValidUntil - now).TotalSeconds)));
    }

    private void AddGauges()
    {
        Meters.Meter.CreateObservableGauge(
            "assay.collateral.items", () => ItemCounts().Select(items => new Measurement<long>(items.Count, CacheMeters.KindTag(items.Kind))), description: "Items held.");
        Meters.Meter.CreateObservableGauge("assay.collateral.size", () => Bytes, "By", "Bytes held on disk.");
        Meters.Meter.CreateObservableGauge("assay.collateral.bundle.sequence", () => BundleSequence, description: "Sequence of the last bundle that was taken in; 0 before the first.");
        Meters.Meter.CreateObservableGauge("assay.collateral.ready", () => WhyNotClock() is null ? 1L : 0L, description: "Whether the clock is good enough to verify.");
        Meters.Meter.CreateObservableGauge(
            "assay.collateral.expires", () => Expiries().Select(item => new Measurement<double>(item.Seconds, CacheMeters.KindTag(item.Key.Kind), new("id", item.Key.Id))), "s",
            "Seconds until an item no longer holds; the ones that end first.");
    }

    // By host, without the path: addresses at AMD name a chip, and queries at Intel a platform.
    private void LogUpstream(CollateralKey key, string source, string? whyNot)
    {
        if (HostOf(source) is { } host && _throttle.MayWrite($"upstream {host}", out var leftOut))
        {
            CollateralLog.UpstreamFailed(_logger, LogText.Of(host), CollateralKinds.NameOf(key.Kind), LogText.Of(whyNot), leftOut);
        }
    }

    private void LogRefused(CollateralKey key, string source, ItemFault fault)
    {
        var host = HostOf(source) ?? source;
        if (_throttle.MayWrite($"refused {host}", out var leftOut))
        {
            CollateralLog.ItemRefused(_logger, LogText.Of(host), CollateralKinds.NameOf(key.Kind), LogText.Of(fault.Name), leftOut);
        }
    }

    private void CountStoreError(CollateralKind kind, IOException exception)
    {
        Meters.Count("store_errors", kind);
        if (_throttle.MayWrite("store", out var leftOut))
        {
            CollateralLog.StoreFailed(_logger, CollateralKinds.NameOf(kind), LogText.Of(exception.Message), leftOut);
        }
    }

    private void CountDamaged(CollateralKind kind, string reason)
    {
        Meters.Count("damaged", kind, reason);
        if (_throttle.MayWrite("damaged", out var leftOut))
        {
            CollateralLog.FileDamaged(_logger, CollateralKinds.NameOf(kind), LogText.Of(reason), leftOut);
        }
    }

    // Null where no upstream is configured: that is not an outage.
    private static string? HostOf(string source) =>
        Uri.TryCreate(source, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" ? uri.IsDefaultPort ? uri.IdnHost : $"{uri.IdnHost}:{uri.Port}" : null;
}
