using System.Globalization;
using System.Text;
using Assay.Endorsements;

namespace Assay.Collateral.Proxy;

/// <summary>Counters and ends of a cache in Prometheus' text format, version 0.0.4.</summary>
internal static class MetricsText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Series of single items: those that end first.</summary>
    private const int MostItems = 10_000;

    private static readonly (string Counter, string Metric, string Help, bool HasReason)[] s_counters =
    [
        ("hits", "assay_collateral_hits_total", "Requests answered with a fresh item that was held.", false),
        ("misses", "assay_collateral_misses_total", "Requests that waited for an upstream.", false),
        ("stale", "assay_collateral_stale_total", "Requests answered with an item past its life, while no upstream answers.", false),
        ("failures", "assay_collateral_failures_total", "Requests that got no item.", false),
        ("upstream_requests", "assay_collateral_upstream_requests_total", "Requests to upstreams.", false),
        ("upstream_errors", "assay_collateral_upstream_errors_total", "Requests to upstreams that brought nothing.", true),
        ("refused", "assay_collateral_refused_total", "Items refused, by reason.", true),
        ("damaged", "assay_collateral_damaged_total", "Files set aside because they did not verify.", true),
        ("store_errors", "assay_collateral_store_errors_total", "Items that the disk did not take.", false),
        ("evictions", "assay_collateral_evictions_total", "Items dropped for lack of room.", false),
        ("loads", "assay_collateral_loads_total", "Items read from disk and verified again.", false),
    ];

    public static byte[] Write(CollateralCache cache, TimeProvider time)
    {
        var text = new StringBuilder();
        var counts = cache.Meters.All();
        foreach (var (counter, metric, help, hasReason) in s_counters)
        {
            Head(text, metric, help, "counter");
            foreach (var count in counts.Where(count => count.Name == counter))
            {
                var reason = hasReason ? $",reason=\"{count.Reason}\"" : "";
                text.Append(CultureInfo.InvariantCulture, $"{metric}{{kind=\"{CollateralKinds.NameOf(count.Kind)}\"{reason}}} {count.Value}\n");
            }
        }

        var (now, held) = (time.GetUtcNow(), cache.Held());
        Head(text, "assay_collateral_items", "Items held.", "gauge");
        foreach (var kind in held.GroupBy(item => item.Key.Kind))
        {
            text.Append(CultureInfo.InvariantCulture, $"assay_collateral_items{{kind=\"{CollateralKinds.NameOf(kind.Key)}\"}} {kind.Count()}\n");
        }

        Head(text, "assay_collateral_size_bytes", "Bytes held on disk.", "gauge");
        text.Append(CultureInfo.InvariantCulture, $"assay_collateral_size_bytes {cache.Bytes}\n");
        Head(text, "assay_collateral_ready", "Whether the clock allows judging.", "gauge");
        text.Append(CultureInfo.InvariantCulture, $"assay_collateral_ready {(cache.WhyNotClock() is null ? 1 : 0)}\n");
        Head(text, "collateral_expires_seconds", "Seconds until an item no longer holds; the ones that end first.", "gauge");
        foreach (var item in held.OrderBy(item => item.ValidUntil).Take(MostItems))
        {
            text.Append(CultureInfo.InvariantCulture, $"collateral_expires_seconds{{kind=\"{CollateralKinds.NameOf(item.Key.Kind)}\",id=\"{item.Key.Id}\"}} {Math.Floor((item.ValidUntil - now).TotalSeconds)}\n");
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static void Head(StringBuilder text, string metric, string help, string type) => text.Append(CultureInfo.InvariantCulture, $"# HELP {metric} {help}\n# TYPE {metric} {type}\n");
}
