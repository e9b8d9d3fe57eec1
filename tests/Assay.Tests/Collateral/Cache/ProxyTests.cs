using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using OcspRequest = Assay.Trust.Revocation.OcspRequest;

namespace Assay.Tests.Collateral;

/// <summary>The proxy over HTTP, before the simulator's services: what clients of the manufacturers' services get from it.</summary>
public sealed class ProxyTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_verification_through_it_passes_and_passes_again_when_the_upstreams_are_gone()
    {
        var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);

        var first = await proxy.VerifyAsync(nvidia);
        Assert.True(first.Kind is VerdictKind.Pass, string.Join('\n', first.Appraisal.Missing.Select(item => item.Reason)));
        var asked = upstream.Requests.Count;
        await upstream.DisposeAsync();
        var second = await proxy.VerifyAsync(nvidia);

        Assert.Equal(VerdictKind.Pass, second.Kind);
        // Three of the device, three of the RIMs' signer, two RIMs; and once each.
        Assert.Equal(8, asked);
        // NVIDIA's own formula wants the nonce, which no cache can have (S-14, S-15).
        Assert.False(second.NvidiaOverallResult);
    }

    [Fact]
    public async Task Behind_a_lying_upstream_it_serves_nothing_and_says_why()
    {
        await using var upstream = await Loopback.StartAsync(context => context.Request.Method == "POST"
            ? nvidia.AnswerOcspAsync(context, certificate => NvidiaServices.Good(certificate) with { SpoilSignature = true })
            : nvidia.AnswerRimAsync(context, rim => rim.WithSpoiledSignature().Xml));
        await using var proxy = await ServedAsync(upstream);

        using var rim = await proxy.Http.GetAsync($"/v1/rim/{nvidia.DriverRim.Id}", Cancellation);
        using var ocsp = await proxy.AskAsync(NvidiaServices.Query(nvidia.Brom));

        Assert.Equal(HttpStatusCode.BadGateway, rim.StatusCode);
        Assert.Equal("application/problem+json", rim.Content.Headers.ContentType!.MediaType);
        Assert.Contains("signature", await rim.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ocsp.StatusCode);
        Assert.Equal("refused; reason=refused", ocsp.Headers.GetValues("x-assay-ocsp").Single());
        var held = JsonDocument.Parse(await proxy.Http.GetStringAsync("/v1/collateral", Cancellation)).RootElement;
        Assert.Equal(["signature", "signature"], held.GetProperty("refused").EnumerateArray().Select(item => item.GetProperty("reason").GetString()));
        Assert.DoesNotContain(held.GetProperty("items").EnumerateArray(), item => item.GetProperty("kind").GetString() is "rim" or "ocsp");
    }

    [Fact]
    public async Task When_the_upstream_is_down_and_nothing_is_held_it_says_when_to_come_again()
    {
        await using var upstream = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        await using var proxy = await ServedAsync(upstream);

        using var rim = await proxy.Http.GetAsync($"/v1/rim/{nvidia.DriverRim.Id}", Cancellation);
        using var ocsp = await proxy.AskAsync(NvidiaServices.Query(nvidia.Brom));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, rim.StatusCode);
        Assert.InRange(rim.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ocsp.StatusCode);
        Assert.NotNull(ocsp.Headers.RetryAfter);
        Assert.Equal("3003 0a01 03".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(await ocsp.Content.ReadAsByteArrayAsync(Cancellation)));
    }

    [Fact]
    public async Task A_nonce_gets_the_cached_answer_or_one_made_for_it_as_the_site_says()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        var query = NvidiaServices.Query(nvidia.Brom);
        var nonce = new byte[32];
        await using (var cached = await ServedAsync(upstream))
        {
            using var answer = await cached.AskAsync(query, nonce);
            Assert.Equal("cached", answer.Headers.GetValues("x-assay-ocsp").Single());
            Assert.True(OcspResponse.TryParse(await answer.Content.ReadAsByteArrayAsync(Cancellation), out var response, out _));
            Assert.Null(response.Basic!.Nonce);
        }

        await using var forward = await ServedAsync(upstream, options => options with { Nonce = OcspNonceMode.Forward });
        using var made = await forward.AskAsync(query, nonce);
        Assert.Equal("forwarded", made.Headers.GetValues("x-assay-ocsp").Single());
        Assert.True(OcspResponse.TryParse(await made.Content.ReadAsByteArrayAsync(Cancellation), out var fresh, out _));
        Assert.Equal(nonce, fresh.Basic!.Nonce!.Value.ToArray());
        Assert.DoesNotContain(forward.Cache.Held(), item => item.Key.Kind is CollateralKind.Ocsp);
    }

    [Fact]
    public async Task An_answer_made_for_a_nonce_from_before_a_revocation_that_was_seen_is_not_passed_on()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var forward = await ServedAsync(upstream, options => options with { Nonce = OcspNonceMode.Forward });
        var revoked = SimulatedOcsp.Respond(CacheWorld.Revoked(nvidia.Brom, NvidiaServices.Now.AddMinutes(-30)));
        Assert.True(forward.Cache.TryAdd(CacheWorld.OcspKey(forward.Cache, nvidia.Brom), revoked, default, "test", out _, out var fault), fault?.ToString());

        using var made = await forward.AskAsync(NvidiaServices.Query(nvidia.Brom), new byte[32]);

        Assert.Equal(HttpStatusCode.BadGateway, made.StatusCode);
        Assert.Equal("refused; reason=older", made.Headers.GetValues("x-assay-ocsp").Single());
    }

    [Fact]
    public async Task OCSP_by_GET_answers_as_by_POST()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        var query = NvidiaServices.Query(nvidia.Brom);
        var text = Uri.EscapeDataString(Convert.ToBase64String(OcspRequest.Encode(query.Certificate, query.Issuer)));

        using var posted = await proxy.AskAsync(query);
        var expected = await posted.Content.ReadAsByteArrayAsync(Cancellation);
        foreach (var path in new[] { "/", "/ocsp/", "/ocsp//" })
        {
            using var got = await proxy.Http.GetAsync(path + text, Cancellation);
            Assert.Equal(HttpStatusCode.OK, got.StatusCode);
            Assert.Equal(expected, await got.Content.ReadAsByteArrayAsync(Cancellation));
            Assert.True(got.Headers.CacheControl!.MaxAge > TimeSpan.Zero);
        }
    }

    [Fact]
    public async Task Answers_about_devices_come_with_the_chain_of_one()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, learns: false);
        var query = NvidiaServices.Query(nvidia.Brom);

        using (var before = await proxy.AskAsync(query))
        {
            Assert.Equal("refused; reason=unknown-issuer", before.Headers.GetValues("x-assay-ocsp").Single());
            Assert.Equal("30030a0106", Convert.ToHexStringLower(await before.Content.ReadAsByteArrayAsync(Cancellation)));
        }

        using var foreign = SimulatedAuthority.Create(NvidiaServices.Now);
        using var device = SimulatedDevice.Create(foreign, DeviceProfile.Hopper580);
        using (var refused = await proxy.Http.PostAsync("/v1/chains", new StringContent(device.Certificate.ChainPem), Cancellation))
        {
            Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        }

        using (var learnt = await proxy.Http.PostAsync("/v1/chains", new ByteArrayContent(nvidia.Evidence[0].Chain.ToArray()), Cancellation))
        {
            Assert.Equal("""{"added":4}""", await learnt.Content.ReadAsStringAsync(Cancellation));
        }

        using var after = await proxy.AskAsync(query);
        Assert.Equal("cached", after.Headers.GetValues("x-assay-ocsp").Single());
    }

    [Theory]
    [InlineData("POST", "/", "text/plain", 415)]
    [InlineData("POST", "/elsewhere", "application/ocsp-request", 404)]
    [InlineData("PUT", "/v1/rim/x", "text/plain", 405)]
    [InlineData("GET", "/v1/rim/..%2F..%2Fetc", null, 400)]
    [InlineData("GET", "/tdx/certification/v4/tcb?fmspc=zz", null, 400)]
    [InlineData("GET", "/sgx/certification/v4/pckcrl?ca=other", null, 400)]
    [InlineData("GET", "/vcek/v1/Milan/00?blSPL=1", null, 400)]
    [InlineData("GET", "/vcek/v1/Rome/cert_chain", null, 404)]
    [InlineData("GET", "/crl/unknown.crl", null, 502)]
    [InlineData("GET", "/nothing", null, 404)]
    [InlineData("GET", "/", null, 404)]
    public async Task Requests_that_cannot_be_meant_are_refused_by_their_own_status(string method, string path, string? type, int status)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (type is not null)
        {
            request.Content = new StringContent("x", Encoding.ASCII);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        }

        using var response = await proxy.Http.SendAsync(request, Cancellation);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task A_body_beyond_the_bound_is_refused()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        var content = new ByteArrayContent(new byte[100_000]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/ocsp-request");

        using var response = await proxy.Http.PostAsync("/ocsp", content, Cancellation);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task Whoever_asks_too_often_is_told_to_wait_and_whoever_watches_is_not()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, options => options with { Rate = 1 });

        using var refused = await proxy.UntilRefusedAsync();

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("ok\n", await proxy.Http.GetStringAsync("/healthz", Cancellation));
        Assert.Equal("ready\n", await proxy.Http.GetStringAsync("/readyz", Cancellation));
    }

    [Fact]
    public async Task Metrics_tell_what_is_held_and_when_it_ends()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        await proxy.VerifyAsync(nvidia);

        var text = await proxy.Http.GetStringAsync("/metrics", Cancellation);

        Assert.Contains("assay_collateral_misses_total{kind=\"rim\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("assay_collateral_misses_total{kind=\"ocsp\"} 6\n", text, StringComparison.Ordinal);
        Assert.Matches($"assay_collateral_expires_seconds\\{{kind=\"rim\",id=\"{nvidia.DriverRim.Id}\"\\}} [0-9]+\n", text);
    }

    [Fact]
    public async Task Simulated_anchors_are_served_on_loopback_alone()
    {
        var verification = new ItemVerification(nvidia.Expectations.Basis.Trust, new VerifierCache());
        await using var cache = new CollateralCache(verification, null, new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("", ""))), new CachePolicy(), new ManualTime(NvidiaServices.Now), refreshes: false);

        await Assert.ThrowsAsync<ArgumentException>(() => CollateralProxy.StartAsync(
            new ProxyOptions { Listen = [new IPEndPoint(IPAddress.Any, 0)] }, cache, null, verification, TimeProvider.System, Cancellation));
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream, Func<ProxyOptions, ProxyOptions>? with = null, bool learns = true) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, with,
        chain: learns ? nvidia.Evidence[0].Chain : default);
}
