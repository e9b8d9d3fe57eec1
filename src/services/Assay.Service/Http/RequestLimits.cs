using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Http;

namespace Assay.Service.Http;

/// <summary>How much is taken at one time.</summary>
public sealed record RequestLimitTerms
{
    /// <summary>Requests of one address each second, twice as many at once; of IPv6 a /64 is one address.</summary>
    public int PerAddress { get; init; } = 200;

    /// <summary>Requests of one tenant each second, twice as many at once.</summary>
    public int PerTenant { get; init; } = 500;

    /// <summary>Requests under way; of one tenant half as many, of an address without one an eighth.</summary>
    public int Concurrency { get; init; } = 64;

    /// <summary>Requests that wait for one of these, with the same shares; more are told to come again.</summary>
    public int Waiting { get; init; } = 256;
}

/// <summary>
/// Limits for each address before anything is asked of the database, for each tenant after it is known, and on what is under way: beyond that the server
/// answers at once that it is busy, and keeps its time for what it took on.
/// </summary>
public sealed class RequestLimits : IAsyncDisposable
{
    private readonly PartitionedRateLimiter<HttpContext> _addresses;
    private readonly PartitionedRateLimiter<string> _tenants;
    private readonly ConcurrencyLimiter _underWay;
    private readonly ConcurrencyLimiter _anonymous;
    private readonly PartitionedRateLimiter<(string Name, bool IsTenant)> _shares;

    /// <param name="terms">How much.</param>
    public RequestLimits(RequestLimitTerms terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        _addresses = PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetTokenBucketLimiter(AddressOf(context.Connection.RemoteIpAddress), _ => Bucket(terms.PerAddress)));
        _tenants = PartitionedRateLimiter.Create<string, string>(tenant => RateLimitPartition.GetTokenBucketLimiter(tenant, _ => Bucket(terms.PerTenant)));
        // Clients that send slowly hold their places for as long as that is allowed: of a tenant half of all, of an address without one an eighth.
        _shares = PartitionedRateLimiter.Create<(string Name, bool IsTenant), (string, bool)>(holder => RateLimitPartition.GetConcurrencyLimiter(holder, _ => new ConcurrencyLimiterOptions
        {
            PermitLimit = Math.Max(1, terms.Concurrency / (holder.IsTenant ? 2 : 8)),
            QueueLimit = terms.Waiting / (holder.IsTenant ? 2 : 8),
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        }));
        // All callers without a tenant together: who has a credential finds a place beside them.
        _anonymous = new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = Math.Max(1, terms.Concurrency / 2), QueueLimit = terms.Waiting / 2, QueueProcessingOrder = QueueProcessingOrder.OldestFirst });
        _underWay = new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = terms.Concurrency, QueueLimit = terms.Waiting, QueueProcessingOrder = QueueProcessingOrder.OldestFirst });
    }

    /// <summary>How many places a tenant has left.</summary>
    internal long FreeOf(string tenant) => _shares.GetStatistics((tenant, true))!.CurrentAvailablePermits;

    /// <summary>The address, before authentication.</summary>
    internal async Task AddressesAsync(HttpContext context, RequestDelegate next)
    {
        using var lease = _addresses.AttemptAcquire(context);
        if (!lease.IsAcquired)
        {
            await Problems.WriteAsync(context, Problems.TooManyRequests, "this address asks too often", WaitOf(lease)).ConfigureAwait(false);
            return;
        }

        await next(context).ConfigureAwait(false);
    }

    /// <summary>The tenant and what is under way, after authentication. Health and metrics are answered also by a server that is full.</summary>
    internal async Task TenantsAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<AlwaysAnswered>() is not null)
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        var tenant = context.User.FindFirst(Caller.TenantClaim)?.Value;
        if (tenant is not null)
        {
            using var lease = _tenants.AttemptAcquire(tenant);
            if (!lease.IsAcquired)
            {
                await Problems.WriteAsync(context, Problems.TooManyRequests, "this tenant asks too often", WaitOf(lease)).ConfigureAwait(false);
                return;
            }
        }

        using var share = await _shares.AcquireAsync(tenant is not null ? (tenant, true) : (AddressOf(context.Connection.RemoteIpAddress), false), 1, context.RequestAborted).ConfigureAwait(false);
        using var among = share.IsAcquired && tenant is null ? await _anonymous.AcquireAsync(1, context.RequestAborted).ConfigureAwait(false) : null;
        using var place = share.IsAcquired && among is not { IsAcquired: false } ? await _underWay.AcquireAsync(1, context.RequestAborted).ConfigureAwait(false) : null;
        if (place is not { IsAcquired: true })
        {
            await Problems.WriteAsync(context, Problems.Busy, retryAfter: TimeSpan.FromSeconds(1)).ConfigureAwait(false);
            return;
        }

        await next(context).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _addresses.DisposeAsync().ConfigureAwait(false);
        await _tenants.DisposeAsync().ConfigureAwait(false);
        await _shares.DisposeAsync().ConfigureAwait(false);
        await _anonymous.DisposeAsync().ConfigureAwait(false);
        await _underWay.DisposeAsync().ConfigureAwait(false);
    }

    private static TimeSpan WaitOf(RateLimitLease lease) => lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);

    private static TokenBucketRateLimiterOptions Bucket(int rate) =>
        new() { TokenLimit = 2 * rate, TokensPerPeriod = Math.Max(1, rate / 10), ReplenishmentPeriod = TimeSpan.FromSeconds((double)Math.Max(1, rate / 10) / rate), QueueLimit = 0 };

    /// <summary>What counts as one address: of IPv6 a /64, whose owner has as many addresses in it as they like. No header is believed: a proxy before this server must limit by itself.</summary>
    public static string AddressOf(IPAddress? address)
    {
        address = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        return address is null ? ""
            : address.AddressFamily is AddressFamily.InterNetworkV6 ? Convert.ToHexStringLower(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }
}

/// <summary>Marks what is answered whatever the load.</summary>
public sealed record AlwaysAnswered;
