using System.Net;
using System.Net.Http.Headers;
using Assay.Collateral.Cache;
using Assay.Collateral.Http;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Collateral;

/// <summary>A proxy on 127.0.0.1 with the cache behind it, and a client of it.</summary>
internal sealed class ServedProxy : IAsyncDisposable
{
    private readonly CollateralProxy _proxy;
    private readonly HttpUpstream _upstream;

    private ServedProxy(CollateralProxy proxy, CollateralCache cache, HttpUpstream upstream)
    {
        (_proxy, Cache, _upstream) = (proxy, cache, upstream);
        Http = new HttpClient { BaseAddress = new Uri(Address), Timeout = Patience.Long };
    }

    /// <summary>For example http://127.0.0.1:40123.</summary>
    public string Address => _proxy.Addresses.First();

    public CollateralCache Cache { get; }

    public IServiceProvider Services => _proxy.Services;

    public HttpClient Http { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <param name="trust">Whose roots are believed.</param>
    /// <param name="time">The clock.</param>
    /// <param name="upstreams">Who is asked; pauses between attempts are not made.</param>
    /// <param name="with">Changes the proxy's options.</param>
    /// <param name="folder">Where items are kept; null for memory alone.</param>
    /// <param name="chain">A chain of authorities to learn, PEM; empty for none.</param>
    /// <param name="policy">Lives and bounds.</param>
    /// <param name="logs">Where log lines go; null for nowhere.</param>
    public static async Task<ServedProxy> StartAsync(
        TrustSet trust, TimeProvider time, UpstreamOptions upstreams, Func<ProxyOptions, ProxyOptions>? with = null, string? folder = null, ReadOnlyMemory<byte> chain = default, CachePolicy? policy = null, ILoggerFactory? logs = null)
    {
        var verification = new ItemVerification(trust, new VerifierCache());
        var http = new HttpUpstream(upstreams with { Http = upstreams.Http with { Time = new HastyTime(), ConnectTimeout = Patience.Long, RequestTimeout = Patience.Long } });
        var cache = new CollateralCache(verification, folder, http, policy ?? CacheWorld.Patient, time, refreshes: false, logs?.CreateLogger<CollateralCache>());
        if (!chain.IsEmpty)
        {
            Assert.True(verification.TryVerifyAuthority(chain, out var proof, out var fault), fault?.ToString());
            cache.AddAuthorities(proof);
        }

        var options = new ProxyOptions { Listen = [new IPEndPoint(IPAddress.Loopback, 0)] };
        return new ServedProxy(await CollateralProxy.StartAsync(with?.Invoke(options) ?? options, cache, http, verification, time, Cancellation, logs), cache, http);
    }

    public Task<HttpResponseMessage> AskAsync(RevocationQuery query, byte[]? nonce = null)
    {
        var content = new ByteArrayContent(OcspRequest.Encode(query.Certificate, query.Issuer, nonce));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/ocsp-request");
        return Http.PostAsync("/ocsp", content, Cancellation);
    }

    public async Task<Verdict> VerifyAsync(NvidiaServices nvidia, string below = "")
    {
        var address = Loopback.Addressed(Address + below);
        using var rims = new RimServiceClient(address, Loopback.Patient);
        using var ocsp = new OcspClient(address, Loopback.Patient);
        return DefaultPolicy.Decide(await new Appraiser(rims, ocsp, new VerifierCache()).AppraiseAsync(nvidia.Evidence, nvidia.Expectations, null, Cancellation));
    }

    /// <summary>Asks until it is told to wait. The proxy's rate is one a second, so that a slow machine needs some more requests.</summary>
    public async Task<HttpResponseMessage> UntilRefusedAsync()
    {
        for (var tries = 0; tries < 10_000; tries++)
        {
            var response = await Http.GetAsync("/v1/rim/ids", Cancellation);
            if (!response.IsSuccessStatusCode)
            {
                return response;
            }

            response.Dispose();
        }

        throw new InvalidOperationException("10,000 requests were answered");
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _proxy.DisposeAsync();
        await Cache.DisposeAsync();
        _upstream.Dispose();
    }
}
