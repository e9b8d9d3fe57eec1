using Assay.Collateral.Staging;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Assay.Collateral.Proxy;

/// <summary>The listeners of a host that serves nothing but collateral, each with its pool, and how little a connection may take.</summary>
internal static class ProxyListeners
{
    private const int HeaderKilobytes = 16;
    private const int RequestBytes = CollateralRoute.MostBodyBytes;

    /// <summary>The pool of the listener that a request came by.</summary>
    public static PoolView PoolOf(HttpContext context) =>
        context.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(typeof(PoolView), out var view) is true && view is PoolView named ? named : PoolView.Default;

    public static void Configure(KestrelServerOptions kestrel, ProxyOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = RequestBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = HeaderKilobytes * 1024;
        kestrel.Limits.MaxRequestLineSize = RequestBytes;
        kestrel.Limits.MaxRequestBufferSize = 2 * RequestBytes;
        kestrel.Limits.MaxConcurrentConnections = 4L * options.Concurrency;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        // A request of 30 kB that trickles in would hold its slot for minutes.
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(3));
        kestrel.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(5));
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        foreach (var (index, address) in options.Listen.Index())
        {
            kestrel.Listen(address, listener => Configure(listener, options, options.Pools.GetValueOrDefault(index)));
        }
    }

    private static void Configure(ListenOptions listener, ProxyOptions options, PoolView? pool)
    {
        if (pool is not null)
        {
            listener.Use(next => connection =>
            {
                connection.Items[typeof(PoolView)] = pool;
                return next(connection);
            });
        }

        if (options.Certificate is { } certificate)
        {
            listener.UseHttps(certificate);
        }
        else
        {
            listener.Protocols = HttpProtocols.Http1;
        }
    }
}
