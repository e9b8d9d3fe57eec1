using System.Net;
using System.Net.Sockets;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Collateral.Proxy;

/// <summary>
/// A server before a cache, in the shapes of NVIDIA's, Intel's and AMD's services, so that their clients need another base address and
/// nothing else. It decides nothing: what it serves was verified, and its clients verify it again.
/// </summary>
public sealed class CollateralProxy : IAsyncDisposable
{
    private const int HeaderKilobytes = 16;
    private const int RequestBytes = 64 * 1024;

    private readonly WebApplication _application;
    private readonly ProxyEndpoints _endpoints;

    private CollateralProxy(WebApplication application, ProxyEndpoints endpoints) => (_application, _endpoints) = (application, endpoints);

    /// <summary>Where it listens, once started.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    /// <summary>Starts it. Throws <see cref="IOException"/> when an address is taken.</summary>
    /// <param name="options">Where, and how much.</param>
    /// <param name="cache">What it serves; the caller's to dispose, afterwards.</param>
    /// <param name="upstream">Whom it forwards to; null for nobody.</param>
    /// <param name="verification">The verifier of the cache.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the start.</param>
    public static async Task<CollateralProxy> StartAsync(
        ProxyOptions options, CollateralCache cache, HttpUpstream? upstream, ItemVerification verification, TimeProvider time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(verification);
        if (verification.Trust.Kind is TrustSetKind.Simulated && options.Listen.Any(address => !IPAddress.IsLoopback(address.Address)))
        {
            throw new ArgumentException("simulated anchors are served on loopback alone (S-12)", nameof(options));
        }

        // Empty: an appsettings.json in the folder or a variable may not open a listener of its own.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var application = builder.Build();
        var endpoints = new ProxyEndpoints(options, cache, upstream, verification, time);
        application.Run(endpoints.AnswerAsync);
        try
        {
            await application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (SocketException exception)
        {
            // An address that is not this machine's comes as it is, one that is taken wrapped already.
            await application.DisposeAsync().ConfigureAwait(false);
            throw new IOException(exception.Message, exception);
        }

        return new CollateralProxy(application, endpoints);
    }

    /// <summary>The pool of the listener that a request came by.</summary>
    internal static PoolView PoolOf(HttpContext context) =>
        context.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(typeof(PoolView), out var view) is true && view is PoolView named ? named : PoolView.Default;

    /// <summary>Lets requests under way end, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        _endpoints.Dispose();
    }

    private static void Configure(KestrelServerOptions kestrel, ProxyOptions options)
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
            kestrel.Listen(address, listener =>
            {
                if (options.Pools.GetValueOrDefault(index) is { } view)
                {
                    listener.Use(next => connection =>
                    {
                        connection.Items[typeof(PoolView)] = view;
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
            });
        }
    }
}
