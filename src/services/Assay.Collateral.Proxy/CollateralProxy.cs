using System.Net;
using System.Net.Sockets;
using Assay.Collateral.Cache;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>
/// A server before a cache, in the shapes of NVIDIA's, Intel's and AMD's services, so that their clients need another base address and
/// nothing else. It decides nothing: what it serves was verified, and its clients verify it again.
/// </summary>
public sealed partial class CollateralProxy : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ILogger _logger;
    private int _isDisposed;

    private CollateralProxy(WebApplication application) => (_application, _logger) = (application, application.Services.GetRequiredService<ILogger<CollateralProxy>>());

    /// <summary>Where it listens, once started.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    /// <summary>What it is made of.</summary>
    internal IServiceProvider Services => _application.Services;

    /// <summary>Starts it. Throws <see cref="IOException"/> when an address is taken.</summary>
    /// <param name="options">Where, and how much.</param>
    /// <param name="cache">What it serves; the caller's to dispose, afterwards.</param>
    /// <param name="upstream">Where it forwards requests to; null for nowhere.</param>
    /// <param name="verification">The verifier of the cache.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <param name="logs">Where log lines go; null for nowhere. The caller's to dispose, afterwards.</param>
    public static async Task<CollateralProxy> StartAsync(
        ProxyOptions options, CollateralCache cache, HttpUpstream? upstream, ItemVerification verification, TimeProvider time, CancellationToken cancellation, ILoggerFactory? logs = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(verification);
        if (verification.Trust.Kind is TrustSetKind.Simulated && options.Listen.Any(address => !IPAddress.IsLoopback(address.Address)))
        {
            throw new ArgumentException("simulated anchors are served on loopback only (S-12)", nameof(options));
        }

        // Empty: an appsettings.json in the folder or a variable may not open a listener of its own.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => ProxyListeners.Configure(kestrel, options));
        if (options.Certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Services.AddSingleton(cache).AddSingleton(verification).AddSingleton(time);
        if (upstream is not null)
        {
            builder.Services.AddSingleton(upstream);
        }

        if (logs is not null)
        {
            builder.Services.AddSingleton(logs);
        }

        builder.Services.AddCollateral(options);
        var application = builder.Build();
        application.UseCollateral();
        application.MapCollateral();
        application.MapCollateralStatus();
        application.MapFallback("/{**path}", Refusal.UnmatchedAsync).WithMetadata(new CollateralRoute(IsLimited: true, HasFreeRest: true));
        var proxy = new CollateralProxy(application);
        await proxy.StartAsync(options, cache, verification.Trust, cancellation).ConfigureAwait(false);
        return proxy;
    }

    /// <summary>Lets requests under way end, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            Log.Stopping(_logger);
            await _application.StopAsync().ConfigureAwait(false);
            Log.Stopped(_logger);
            await _application.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task StartAsync(ProxyOptions options, CollateralCache cache, TrustSet trust, CancellationToken cancellation)
    {
        try
        {
            await _application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (SocketException exception)
        {
            // An address that is not this machine's comes as it is, one that is taken wrapped already.
            await _application.DisposeAsync().ConfigureAwait(false);
            throw new IOException(exception.Message, exception);
        }

        var listeners = Addresses.Select((address, index) => $"{address} ({Describe(options.Pools.GetValueOrDefault(index, PoolView.Default))})");
        Log.Started(_logger, string.Join(", ", listeners), cache.Folder is { } folder ? LogText.Of(folder) : "none, in memory only", cache.Count, LogText.Of(trust.Name));
    }

    private static string Describe(PoolView view) => $"pool {view.Pool}{(view.WithStaged ? " with its staged sets" : "")}";
}
