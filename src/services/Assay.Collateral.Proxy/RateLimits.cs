using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Assay.Collateral.Proxy;

/// <summary>
/// How much the proxy takes: requests of one client each second, of all clients each second, and under way at one time. A host that has
/// limits of its own keeps them; these come after, and hold for endpoints of the proxy alone.
/// </summary>
internal sealed class RateLimits : IConfigureOptions<RateLimiterOptions>, IDisposable
{
    private static readonly TimeSpan s_busyPause = TimeSpan.FromSeconds(1);

    private readonly PartitionedRateLimiter<HttpContext>[] _limiters;

    public RateLimits(ProxyOptions options)
    {
        _limiters =
        [
            Create(options.Rate, context => ClientAddress.Of(context.Connection.RemoteIpAddress)),
            Create(options.TotalRate, _ => default),
            PartitionedRateLimiter.Create<HttpContext, bool>(context => IsLimited(context)
                ? RateLimitPartition.GetConcurrencyLimiter(true, _ => new ConcurrencyLimiterOptions { PermitLimit = options.Concurrency, QueueLimit = 0 })
                : RateLimitPartition.GetNoLimiter(false)),
        ];
    }

    public void Configure(RateLimiterOptions options)
    {
        var (limiter, rejected) = (options.GlobalLimiter, options.OnRejected);
        options.GlobalLimiter = PartitionedRateLimiter.CreateChained([.. limiter is null ? [] : new[] { limiter }, .. _limiters]);
        options.OnRejected = (context, cancellation) => IsLimited(context.HttpContext) ? RejectAsync(context) : rejected?.Invoke(context, cancellation) ?? ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        foreach (var limiter in _limiters)
        {
            limiter.Dispose();
        }
    }

    /// <summary>A bucket that holds the requests of two seconds, and fills at exactly this rate.</summary>
    internal static TokenBucketRateLimiterOptions Bucket(int rate)
    {
        var tokens = Math.Max(1, rate / 10);
        return new TokenBucketRateLimiterOptions
        {
            TokenLimit = 2 * rate,
            TokensPerPeriod = tokens,
            ReplenishmentPeriod = TimeSpan.FromSeconds((double)tokens / rate),
            QueueLimit = 0,
        };
    }

    private static PartitionedRateLimiter<HttpContext> Create(int rate, Func<HttpContext, ClientAddress> client) =>
        PartitionedRateLimiter.Create<HttpContext, (bool IsLimited, ClientAddress Client)>(context => rate > 0 && IsLimited(context)
            ? RateLimitPartition.GetTokenBucketLimiter((true, client(context)), _ => Bucket(rate))
            : RateLimitPartition.GetNoLimiter((false, default(ClientAddress))));

    // Whoever watches must see also a server that is full.
    private static bool IsLimited(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<CollateralRoute>() is { IsLimited: true };

    // A bucket knows when it will have a token again; requests under way end when they do.
    private static ValueTask RejectAsync(OnRejectedContext rejected) => new(rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait)
        ? Refusal.WriteAsync(rejected.HttpContext, StatusCodes.Status429TooManyRequests, Refusal.TooManyRequests, "this address asks too often", wait)
        : Refusal.WriteAsync(rejected.HttpContext, StatusCodes.Status503ServiceUnavailable, Refusal.Busy, "too many requests are under way", s_busyPause));
}
