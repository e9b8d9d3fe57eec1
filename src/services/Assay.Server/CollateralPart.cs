using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Http;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Service;
using Assay.Trust;

namespace Assay.Server;

/// <summary>The cache of collateral of this process, for appraisals and for the collateral role alike.</summary>
internal sealed class CollateralPart : IAsyncDisposable
{
    private readonly OcspClient? _responder;
    private readonly FileStream? _held;

    private CollateralPart(CollateralCache cache, HttpUpstream upstream, OcspClient? responder, FileStream? held, ItemVerification verification, VerifierCache verifier) =>
        (Cache, Upstream, _responder, _held, Verification, Verifier) = (cache, upstream, responder, held, verification, verifier);

    public CollateralCache Cache { get; }

    public HttpUpstream Upstream { get; }

    public ItemVerification Verification { get; }

    /// <summary>What verified before: one for cache and appraisals.</summary>
    public VerifierCache Verifier { get; }

    public static CollateralPart Create(ServerConfiguration configuration, TimeProvider clock, ILoggerFactory logs)
    {
        var held = Hold(configuration.Options.Collateral.Folder);
        var verifier = new VerifierCache();
        var verification = new ItemVerification(configuration.Trust, verifier);
        var services = UpstreamsOf(configuration, clock);
        var upstream = new HttpUpstream(services);
        var cache = new CollateralCache(verification, configuration.Options.Collateral.Folder, upstream, new CachePolicy(), clock, logger: logs.CreateLogger<CollateralCache>());
        return new CollateralPart(cache, upstream, services.Ocsp is { } address ? new OcspClient(address, services.Http) : null, held, verification, verifier);
    }

    /// <summary>The cache; with a responder that is asked each time where answers must have the nonce of their request.</summary>
    public CachedSource Source(bool asksForStatus) => new(Cache, Verification, Upstream) { Responder = asksForStatus ? _responder : null };

    public async ValueTask DisposeAsync()
    {
        await Cache.DisposeAsync().ConfigureAwait(false);
        Upstream.Dispose();
        _responder?.Dispose();
        if (_held is not null)
        {
            await _held.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Two processes would each write high-water marks that the other does not know, and lose some. assay collateral serve holds the same file.
    private static FileStream? Hold(string? folder)
    {
        if (folder is null)
        {
            return null;
        }

        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ServiceException("service.collateral.held", $"collateral.folder {folder}: it cannot be written, or another process uses it: {exception.Message}. Each process needs a folder of its own", exception);
        }
    }

    private static UpstreamOptions UpstreamsOf(ServerConfiguration configuration, TimeProvider clock)
    {
        var http = new CollateralHttpOptions { Time = clock, BreakAfter = 10 };
        return configuration switch
        {
            { Options.Collateral.Offline: true } => new UpstreamOptions { Http = http, WhyNotConfigured = "collateral.offline is set: nothing is asked" },
            // A proxy has everything at one address; Intel's root list too.
            { CollateralUrl: { } proxy } => new UpstreamOptions { Rim = proxy, Ocsp = proxy, Crl = ServiceAddress.TryParse($"{proxy.Uri.AbsoluteUri.TrimEnd('/')}/crl", out var lists, out _) ? lists : null, Intel = proxy, Amd = proxy, Http = http },
            _ => UpstreamOptions.Manufacturers with { Http = http },
        };
    }
}
