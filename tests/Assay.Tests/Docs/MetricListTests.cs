using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Endorsements;
using Assay.Tests.Collateral;
using Assay.Trust;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Docs;

/// <summary>The metrics of cache and proxy, as the manual lists them for writers of alerts and dashboards.</summary>
public sealed partial class MetricListTests
{
    [Fact]
    public async Task The_manual_lists_every_metric_in_the_text_and_in_the_meters_and_each_begins_with_assay()
    {
        var manual = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "collateral.md"));
        var rows = Row().Matches(manual).Select(row => (Text: row.Groups[1].Value.Trim('`'), Instrument: row.Groups[2].Value)).ToArray();
        using var world = new CacheWorld();
        await using var cache = world.Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("", ""))), new ManualTime(CacheWorld.Now));
        var written = Head().Matches(System.Text.Encoding.ASCII.GetString(MetricsText.Write(cache))).Select(head => head.Groups[1].Value).ToArray();
        using var provider = new ServiceCollection().AddMetrics().AddLogging().AddSingleton(TimeProvider.System).AddSingleton<RequestRefusals>().BuildServiceProvider();

        Assert.Equal(written.Order(StringComparer.Ordinal), rows.Select(row => row.Text).Where(name => name != "–").Order(StringComparer.Ordinal));
        Assert.Equal(Instruments(cache.Meters, provider).Order(StringComparer.Ordinal), rows.Select(row => row.Instrument).Order(StringComparer.Ordinal));
        Assert.All(written, name => Assert.StartsWith("assay_", name, StringComparison.Ordinal));
        Assert.All(rows, row => Assert.StartsWith("assay.", row.Instrument, StringComparison.Ordinal));
    }

    private static List<string> Instruments(CacheMeters meters, ServiceProvider provider)
    {
        var names = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Scope == meters || instrument.Meter.Scope == provider.GetRequiredService<IMeterFactory>())
            {
                names.Add(instrument.Name);
            }
        };
        _ = provider.GetRequiredService<RequestRefusals>();
        listener.Start();
        return names;
    }

    [GeneratedRegex(@"^\| (`assay_[a-z_]+`|–) \| `([a-z._]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("^# TYPE ([a-z_]+) ", RegexOptions.Multiline)]
    private static partial Regex Head();
}
