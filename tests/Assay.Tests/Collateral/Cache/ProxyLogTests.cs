using System.Net;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Proxy;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Collateral;

/// <summary>What a server tells its log: enough to know what is wrong, once a minute, and nothing that strangers could write or should not read.</summary>
public sealed class ProxyLogTests(NvidiaServices nvidia, CacheWorld world) : IClassFixture<NvidiaServices>, IClassFixture<CacheWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_start_says_where_and_what_is_served_and_the_end_is_told_once()
    {
        using var logs = new LogLines();
        var folder = world.NewFolder();
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        var proxy = await ServedAsync(upstream, logs, options => options with { Pools = options.Pools.Add(0, new PoolView("canary", true)) }, folder);
        var address = proxy.Address;
        await proxy.DisposeAsync();

        Assert.Equal($"Serving collateral on {address} (pool canary with its staged sets); cache folder: {folder}; items: 3; anchors: {nvidia.Expectations.Basis.Trust.Name}", Assert.Single(logs.Of(EventIds.Started)));
        Assert.Equal([EventIds.Started, EventIds.Stopping, EventIds.Stopped], logs.All.Select(line => line.Id.Id));
    }

    [Fact]
    public async Task An_upstream_that_is_down_is_told_of_once_a_minute_with_how_many_were_left_out()
    {
        using var logs = new LogLines();
        var time = new ManualTime(NvidiaServices.Now);
        await using var cache = Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("https://rims.example/v1/rim/x", "no connection\r\n[1001] Serving"))), time, logs);

        foreach (var id in (string[])["A", "B", "C"])
        {
            await cache.GetAsync(new CollateralKey(CollateralKind.Rim, id), Cancellation);
        }

        time.Now = time.Now.AddSeconds(60);
        await cache.GetAsync(new CollateralKey(CollateralKind.Rim, "D"), Cancellation);

        Assert.Equal(
            [
                "rims.example did not answer a request for rim: no connection\\u{d}\\u{a}[1001] Serving. Similar lines not logged since the last one: 0",
                "rims.example did not answer a request for rim: no connection\\u{d}\\u{a}[1001] Serving. Similar lines not logged since the last one: 2",
            ],
            logs.Of(EventIds.UpstreamFailed));
    }

    [Fact]
    public async Task Each_host_has_a_line_of_its_own_and_what_is_not_there_or_not_configured_has_none()
    {
        using var logs = new LogLines();
        var sources = new Queue<Fetched<CollateralItem>>([Fetched.Failed("https://one.example", "down"), Fetched.Failed("https://two.example:444/x", "down"), Fetched.Absent("https://three.example", "404"), Fetched.Failed("RIM", "not configured")]);
        await using var cache = Cache(new ScriptedUpstream(_ => Task.FromResult(sources.Dequeue())), new ManualTime(NvidiaServices.Now), logs);

        foreach (var id in (string[])["A", "B", "C", "D"])
        {
            await cache.GetAsync(new CollateralKey(CollateralKind.Rim, id), Cancellation);
        }

        Assert.Equal(["one.example", "two.example:444"], logs.Of(EventIds.UpstreamFailed).Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public async Task A_lying_upstream_is_named_and_its_bytes_are_not()
    {
        using var logs = new LogLines();
        await using var cache = Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Item("https://liar.example/v1/rim/x", "<secret/>"u8.ToArray()))), new ManualTime(NvidiaServices.Now), logs);

        await cache.GetAsync(world.RimKey, Cancellation);

        Assert.StartsWith("liar.example sent a rim that is refused: ", Assert.Single(logs.Of(EventIds.ItemRefused)), StringComparison.Ordinal);
        Assert.DoesNotContain(logs.All, line => line.Text.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_flood_writes_one_line_of_a_kind_each_minute()
    {
        using var logs = new LogLines();
        var time = new ManualTime(NvidiaServices.Now);
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, logs, time: time);

        for (var index = 0; index < 5; index++)
        {
            using var malformed = await proxy.Http.GetAsync("/v1/rim/%1B[31m%0Aforged%C2%85?token=secret", Cancellation);
            Assert.Equal(HttpStatusCode.BadRequest, malformed.StatusCode);
        }

        time.Now = time.Now.AddMinutes(2);
        using var ocsp = await proxy.Http.GetAsync("/ocsp/abc", Cancellation);

        Assert.Equal(
            [
                "GET \"/v1/rim/\\u{1b}[31m\\u{a}forged\\u{85}\" from 127.0.0.1 is malformed: bad-request. Similar lines not logged since the last one: 0",
                "GET \"/ocsp/abc\" from 127.0.0.1 is malformed: bad-request. Similar lines not logged since the last one: 4",
            ],
            logs.Of(EventIds.RequestMalformed));
    }

    [Fact]
    public async Task Whoever_asks_too_often_is_named_once_a_minute()
    {
        using var logs = new LogLines();
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, logs, options => options with { Rate = 1 });

        for (var index = 0; index < 3; index++)
        {
            using var refused = await proxy.UntilRefusedAsync();
        }

        Assert.Equal("127.0.0.1, or all clients together, sent too many requests; the client was told to wait. Similar lines not logged since the last one: 0", Assert.Single(logs.Of(EventIds.RateExceeded)));
    }

    [Fact]
    public async Task A_wrong_clock_is_an_error_once_a_minute_however_often_it_is_probed()
    {
        using var logs = new LogLines();
        var time = new ManualTime(NvidiaServices.Now);
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, logs, time: time);
        time.Now = EvaluationTime.ReleaseDate.AddDays(-10);

        for (var index = 0; index < 3; index++)
        {
            using var probed = await proxy.Http.GetAsync("/readyz", Cancellation);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, probed.StatusCode);
            Assert.Contains("urn:assay:collateral-clock", await probed.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }

        Assert.Equal((LogLevel.Error, 1), (logs.All.First(line => line.Id.Id == EventIds.ClockBehind).Level, logs.Of(EventIds.ClockBehind).Length));
    }

    [Fact]
    public void A_clock_that_is_set_back_does_not_silence_the_log_and_keys_are_bounded()
    {
        var time = new ManualTime(NvidiaServices.Now);
        var throttle = new LogThrottle(time);
        Assert.True(throttle.MayWrite("a", out _));
        time.Now = time.Now.AddYears(-1);
        Assert.True(throttle.MayWrite("a", out _));
        Assert.False(throttle.MayWrite("a", out _));

        // Whoever could choose keys would share one line with all others.
        Assert.InRange(Enumerable.Range(0, 5000).Count(key => throttle.MayWrite($"host {key}", out _)), 500, 1001);
    }

    [Fact]
    public void Text_of_strangers_stays_on_its_line_and_is_short()
    {
        Assert.Equal("a\\u{a}b\\u{202e}\\u{1f600}\\u{fffd}", LogText.Of("a\nb\u202e😀\ud800"));
        Assert.InRange(LogText.Of(new string('\u0007', 100_000)).Length, 100, 250);
    }

    private CollateralCache Cache(ScriptedUpstream upstream, ManualTime time, LogLines logs) =>
        new(new ItemVerification(world.Trust, new VerifierCache()), null, upstream, CacheWorld.Patient, time, refreshes: false, logs.CreateLogger<CollateralCache>());

    private Task<ServedProxy> ServedAsync(Loopback upstream, LogLines logs, Func<ProxyOptions, ProxyOptions>? with = null, string? folder = null, ManualTime? time = null) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, time ?? new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, with, folder, nvidia.Evidence[0].Chain, logs: logs);
}
