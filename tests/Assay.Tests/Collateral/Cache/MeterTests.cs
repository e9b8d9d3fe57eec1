using System.Diagnostics.Metrics;
using System.Globalization;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Collateral;

/// <summary>The meters, as OpenTelemetry or another listener reads them.</summary>
public sealed class MeterTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_listener_reads_the_same_numbers_as_the_text_at_metrics()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        await proxy.VerifyAsync(nvidia);
        await proxy.VerifyAsync(nvidia);
        var text = await proxy.Http.GetStringAsync("/metrics", Cancellation);

        var heard = Read(proxy.Cache.Meters);

        var written = text.Split('\n').Where(line => line.Length > 0 && line[0] != '#');
        Assert.Equal(written.Order(StringComparer.Ordinal), heard.Order(StringComparer.Ordinal));
        Assert.Contains("assay_collateral_hits_total{kind=\"rim\"} 2", heard);
    }

    [Fact]
    public async Task Instruments_end_with_their_cache()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        var proxy = await ServedAsync(upstream);
        var meters = proxy.Cache.Meters;
        Assert.NotEmpty(Read(meters));

        await proxy.DisposeAsync();

        Assert.Empty(Read(meters));
    }

    [Fact]
    public async Task Refused_requests_are_counted_by_the_type_of_their_problem()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        var counted = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Meter.Name == CollateralServices.MeterName && instrument.Meter.Scope == proxy.Services.GetRequiredService<IMeterFactory>())
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => counted.Add($"{instrument.Name} {tags[0].Key}={tags[0].Value} {value}"));
        listener.Start();

        foreach (var path in (string[])["/nothing", "/v1/rim/a/b", "/ocsp/abc"])
        {
            using var response = await proxy.Http.GetAsync(path, Cancellation);
        }

        const string Name = "assay.collateral.proxy.refusals";
        Assert.Equal([$"{Name} type=not-found 1", $"{Name} type=bad-request 1", $"{Name} type=bad-request 1"], counted);
    }

    // In the names and the form that an exporter for Prometheus gives them.
    private static List<string> Read(CacheMeters meters)
    {
        var heard = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Meter.Name == CacheMeters.MeterName && instrument.Meter.Scope == meters)
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        void Hear(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var unit = instrument.Unit switch { "By" => "_bytes", "s" => "_seconds", _ => "" };
            var total = instrument is ObservableCounter<long> ? "_total" : "";
            var labels = string.Join(',', tags.ToArray().Select(tag => $"{tag.Key}=\"{tag.Value}\""));
            heard.Add(string.Create(CultureInfo.InvariantCulture, $"{instrument.Name.Replace('.', '_')}{unit}{total}{(labels.Length > 0 ? $"{{{labels}}}" : "")} {value}"));
        }

        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Hear(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Hear(instrument, value, tags));
        listener.Start();
        listener.RecordObservableInstruments();
        return heard;
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, chain: nvidia.Evidence[0].Chain);
}
