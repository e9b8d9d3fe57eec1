using System.Threading.RateLimiting;
using Assay.Endorsements;
using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>Finds who answers a request, within the proxy's bounds.</summary>
internal sealed class ProxyEndpoints : IDisposable
{
    private readonly ProxyOptions _options;
    private readonly RimEndpoints _rims;
    private readonly OcspEndpoints _ocsp;
    private readonly ListEndpoints _lists;
    private readonly IntelEndpoints _intel;
    private readonly AmdEndpoints _amd;
    private readonly StatusEndpoints _status;
    private readonly PartitionedRateLimiter<HttpContext>? _rate;
    private int _underWay;

    public ProxyEndpoints(ProxyOptions options, CollateralCache cache, HttpUpstream? upstream, ItemVerification verification, TimeProvider time)
    {
        _options = options;
        var answers = new ItemAnswers(cache, time);
        _rims = new RimEndpoints(answers, cache, upstream, time);
        _ocsp = new OcspEndpoints(answers, cache, upstream, verification, options.Nonce, time);
        _lists = new ListEndpoints(answers);
        _intel = new IntelEndpoints(answers);
        _amd = new AmdEndpoints(answers);
        _status = new StatusEndpoints(cache, verification, time);
        _rate = options.Rate == 0 ? null : PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetTokenBucketLimiter(
            context.Connection.RemoteIpAddress?.ToString() ?? "", _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = 2 * options.Rate,
                TokensPerPeriod = Math.Max(1, options.Rate / 10),
                ReplenishmentPeriod = TimeSpan.FromMilliseconds(100),
                QueueLimit = 0,
            }));
    }

    public void Dispose() => _rate?.Dispose();

    public async Task AnswerAsync(HttpContext context)
    {
        if (RequestBody.HasTwoLengths(context.Request))
        {
            // Where its body ends is not known, so nothing that follows on this connection is a request.
            context.Response.Headers.Connection = "close";
            await Refusal.WriteAsync(context, StatusCodes.Status400BadRequest, "bad-request", "Content-Length and Transfer-Encoding exclude each other: send one").ConfigureAwait(false);
            return;
        }

        // Whoever watches must see also a server that is full.
        if (_status.TryAnswer(context, out var answered))
        {
            await answered.ConfigureAwait(false);
            return;
        }

        using var lease = _rate?.AttemptAcquire(context);
        if (lease is { IsAcquired: false })
        {
            await Refusal.WriteAsync(context, StatusCodes.Status429TooManyRequests, "too-many-requests", "this address asks too often", TimeSpan.FromSeconds(1)).ConfigureAwait(false);
            return;
        }

        if (Interlocked.Increment(ref _underWay) > _options.Concurrency)
        {
            Interlocked.Decrement(ref _underWay);
            await Refusal.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "busy", "too many requests are under way", TimeSpan.FromSeconds(1)).ConfigureAwait(false);
            return;
        }

        try
        {
            await DispatchAsync(context).ConfigureAwait(false);
        }
        catch (BadHttpRequestException exception)
        {
            await Refusal.WriteAsync(context, exception.StatusCode, "bad-request", "the request is malformed or too large").ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    // The hot ones first. Paths are the manufacturers'; what is theirs is compared as they write it.
    private Task DispatchAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "/";
        var isGet = HttpMethods.IsGet(context.Request.Method);
        if (HttpMethods.IsPost(context.Request.Method))
        {
            return path switch
            {
                "/" or "/ocsp" or "/ocsp/" => _ocsp.PostAsync(context),
                "/v1/chains" => _status.LearnAsync(context),
                _ => Refusal.NotFoundAsync(context),
            };
        }

        if (!isGet && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD, POST";
            return Refusal.WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "method", "GET, HEAD or POST is expected");
        }

        return path.StartsWith("/v1/rim/", StringComparison.Ordinal) ? _rims.GetAsync(context, path["/v1/rim/".Length..])
            : path.StartsWith("/ocsp/", StringComparison.Ordinal) ? _ocsp.GetAsync(context, "/ocsp/")
            : path.StartsWith("/crl/", StringComparison.Ordinal) ? _lists.GetAsync(context, path["/crl/".Length..])
            : path.StartsWith("/v1/jwks/", StringComparison.Ordinal) ? _lists.KeysAsync(context, path["/v1/jwks/".Length..])
            : path.StartsWith("/sgx/certification/v4/", StringComparison.Ordinal) ? _intel.GetAsync(context, "sgx", path["/sgx/certification/v4/".Length..])
            : path.StartsWith("/tdx/certification/v4/", StringComparison.Ordinal) ? _intel.GetAsync(context, "tdx", path["/tdx/certification/v4/".Length..])
            : path.StartsWith("/vcek/v1/", StringComparison.Ordinal) ? _amd.GetAsync(context, "vcek", path["/vcek/v1/".Length..])
            : path.StartsWith("/vlek/v1/", StringComparison.Ordinal) ? _amd.GetAsync(context, "vlek", path["/vlek/v1/".Length..])
            : path is "/v1/collateral" ? _status.ListAsync(context)
            : path.Length > 1 ? _ocsp.GetAsync(context, "/")
            : Refusal.NotFoundAsync(context);
    }
}
