using System.Globalization;
using System.Text;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Proxy;

/// <summary>Counters and ends of a cache in Prometheus' text format, version 0.0.4: the numbers of its meter, under the names that an exporter of OpenTelemetry gives them.</summary>
internal static class MetricsText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static byte[] Write(CollateralCache cache)
    {
        var text = new StringBuilder();
        var counts = cache.Meters.All();
        foreach (var (counter, help, hasReason) in CacheMeters.Counters)
        {
            var metric = $"{CacheMeters.InstrumentOf(counter).Replace('.', '_')}_total";
            Head(text, metric, help, "counter");
            foreach (var count in counts.Where(count => count.Name == counter))
            {
                var reason = hasReason ? $",reason=\"{count.Reason}\"" : "";
                text.Append(CultureInfo.InvariantCulture, $"{metric}{{kind=\"{CollateralKinds.NameOf(count.Kind)}\"{reason}}} {count.Value}\n");
            }
        }

        Head(text, "assay_collateral_items", "Items held.", "gauge");
        foreach (var (kind, count) in cache.ItemCounts())
        {
            text.Append(CultureInfo.InvariantCulture, $"assay_collateral_items{{kind=\"{CollateralKinds.NameOf(kind)}\"}} {count}\n");
        }

        Head(text, "assay_collateral_size_bytes", "Bytes held on disk.", "gauge");
        text.Append(CultureInfo.InvariantCulture, $"assay_collateral_size_bytes {cache.Bytes}\n");
        Head(text, "assay_collateral_bundle_sequence", "Sequence of the last bundle that was taken in; 0 before the first.", "gauge");
        text.Append(CultureInfo.InvariantCulture, $"assay_collateral_bundle_sequence {cache.BundleSequence}\n");
        Head(text, "assay_collateral_ready", "Whether the clock is good enough to verify.", "gauge");
        text.Append(CultureInfo.InvariantCulture, $"assay_collateral_ready {(cache.WhyNotClock() is null ? 1 : 0)}\n");
        Head(text, "assay_collateral_expires_seconds", "Seconds until an item no longer holds; the ones that end first.", "gauge");
        foreach (var (key, seconds) in cache.Expiries())
        {
            text.Append(CultureInfo.InvariantCulture, $"assay_collateral_expires_seconds{{kind=\"{CollateralKinds.NameOf(key.Kind)}\",id=\"{key.Id}\"}} {seconds}\n");
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static void Head(StringBuilder text, string metric, string help, string type) => text.Append(CultureInfo.InvariantCulture, $"# HELP {metric} {help}\n# TYPE {metric} {type}\n");
}
