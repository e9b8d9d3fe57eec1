using System.Net;
using Assay.Collateral.Cache;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Collateral;

/// <summary>The endpoints in a host that serves other things too, and keeps its ways for them.</summary>
public sealed class ComposedHostTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_host_keeps_its_own_addresses_probes_and_errors()
    {
        await using var site = await SiteAsync(application =>
        {
            application.MapCollateral();
            application.MapGet("/healthz", (RequestDelegate)(context => context.Response.WriteAsync("mine")));
            application.MapGet("/mine/{name}", (RequestDelegate)(context => context.Response.WriteAsync("mine")));
        });

        Assert.Equal("mine", await site.Http.GetStringAsync("/healthz", Cancellation));
        // The exactness of our paths is not the host's.
        Assert.Equal("mine", await site.Http.GetStringAsync("/MINE/x/", Cancellation));
        Assert.Contains("request_id", await site.Http.GetStringAsync("/v1/rim/ids", Cancellation), StringComparison.Ordinal);
        foreach (var path in (string[])["/nothing", "/V1/rim/ids", "/metrics", "/readyz"])
        {
            using var nothing = await site.Http.GetAsync(path, Cancellation);
            Assert.Equal((HttpStatusCode.NotFound, ""), (nothing.StatusCode, await nothing.Content.ReadAsStringAsync(Cancellation)));
        }
    }

    [Fact]
    public async Task Bodies_are_bounded_also_where_the_host_takes_larger_ones()
    {
        await using var site = await SiteAsync(application => application.MapCollateral());
        foreach (var path in (string[])["/v1/chains", "/ocsp"])
        {
            var content = new ByteArrayContent(new byte[100_000]);
            content.Headers.ContentType = new("application/ocsp-request");
            using var response = await site.Http.PostAsync(path, content, Cancellation);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        }
    }

    [Fact]
    public async Task Below_a_prefix_everything_is_as_at_the_root()
    {
        await using var site = await SiteAsync(application => application.MapGroup("/collateral").MapCollateral());
        var query = NvidiaServices.Query(nvidia.Brom);
        var request = Convert.ToBase64String(OcspRequest.Encode(query.Certificate, query.Issuer));
        foreach (var path in (string[])["/collateral/ocsp/", "/collateral/"])
        {
            using var response = await site.Http.GetAsync(path + request, Cancellation);
            Assert.Equal("cached", Assert.Single(response.Headers.GetValues("x-assay-ocsp")));
        }

        using var elsewhere = await site.Http.GetAsync("/ocsp/" + request, Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);
    }

    private async Task<Site> SiteAsync(Action<WebApplication> map)
    {
        var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        var verification = new ItemVerification(nvidia.Expectations.Basis.Trust, new VerifierCache());
        var http = new HttpUpstream(new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address, Http = Loopback.Patient });
        var cache = new CollateralCache(verification, null, http, CacheWorld.Patient, new ManualTime(NvidiaServices.Now), refreshes: false);
        Assert.True(verification.TryVerifyAuthority(nvidia.Evidence[0].Chain, out var proof, out var fault), fault?.ToString());
        cache.AddAuthorities(proof);

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddSingleton<TimeProvider>(new ManualTime(NvidiaServices.Now)).AddSingleton(cache).AddSingleton(verification).AddSingleton(http);
        builder.Services.AddCollateral(new ProxyOptions());
        var application = builder.Build();
        application.UseCollateral();
        map(application);
        await application.StartAsync(Cancellation);
        return new Site(application, cache, http, upstream);
    }

    private sealed class Site(WebApplication application, CollateralCache cache, HttpUpstream http, Loopback upstream) : IAsyncDisposable
    {
        public HttpClient Http { get; } = new() { BaseAddress = new Uri(application.Urls.First()), Timeout = Patience.Long };

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            await application.StopAsync();
            await application.DisposeAsync();
            await cache.DisposeAsync();
            http.Dispose();
            await upstream.DisposeAsync();
        }
    }
}
