using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Assay.Collateral.Staging;

namespace Assay.Collateral.Proxy;

/// <summary>What a request with an OCSP nonce gets (S-15).</summary>
public enum OcspNonceMode
{
    /// <summary>The cached answer, without its nonce: fresh by its window.</summary>
    Cached,

    /// <summary>An answer that the upstream makes for it, verified, and kept by nobody.</summary>
    Forward,
}

/// <summary>Where a proxy listens, and how much it takes.</summary>
public sealed record ProxyOptions
{
    /// <summary>Addresses and ports; port 0 for any free one.</summary>
    public ImmutableArray<IPEndPoint> Listen { get; init; } = [new IPEndPoint(IPAddress.Loopback, 8093)];

    /// <summary>The pools of listeners, by their place in <see cref="Listen"/>; those without one serve the default pool.</summary>
    public ImmutableDictionary<int, PoolView> Pools { get; init; } = ImmutableDictionary<int, PoolView>.Empty;

    /// <summary>Certificate and key for TLS; null: plain HTTP, for what is served is signed.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>What a request with an OCSP nonce gets.</summary>
    public OcspNonceMode Nonce { get; init; }

    /// <summary>Requests under way at one time; more are told to come again.</summary>
    public int Concurrency { get; init; } = 2000;

    /// <summary>Requests of one client address each second, twice as many at once; 0: as many as it likes. Of IPv6 a /64 is one address.</summary>
    public int Rate { get; init; } = 2000;

    /// <summary>Requests of all clients together each second, twice as many at once; 0: as many as come.</summary>
    public int TotalRate { get; init; }
}
