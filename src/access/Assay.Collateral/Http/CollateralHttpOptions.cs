using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;

namespace Assay.Collateral.Http;

/// <summary>How services are asked. The defaults are meant for NVIDIA's; proxies are those of the environment.</summary>
public sealed record CollateralHttpOptions
{
    /// <summary>NVAT's connect time-out.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For one try, from connecting to the last byte. NVAT's request time-out.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Further tries after the first. NVAT makes 5; nine certificates behind a dead responder should not take minutes.
    /// </summary>
    public int Retries { get; init; } = 3;

    /// <summary>The longest pause before the first retry; it doubles with every other. NVAT's.</summary>
    public TimeSpan BaseDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause, whatever Retry-After asks for.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Sent with every request as a bearer token; null for none. Whoever made it disposes it, after the clients.</summary>
    public SecretText? ServiceKey { get; init; }

    /// <summary>The header that carries <see cref="ServiceKey"/>; null: Authorization, as a bearer token. Intel's is Ocp-Apim-Subscription-Key.</summary>
    public string? KeyHeader { get; init; }

    /// <summary>The proxy through which services are asked; null: what the environment names. Services on this machine are asked without.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Tries that must fail in a row, nine of ten at least, before the service is left alone for <see cref="BreakFor"/>; 0: it never is.</summary>
    public int BreakAfter { get; init; }

    /// <summary>How long a service that fails is left alone.</summary>
    public TimeSpan BreakFor { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The roots that certify the service, instead of the machine's: for a proxy with its own authority. Empty: the machine's.</summary>
    public ImmutableArray<X509Certificate2> TlsRoots { get; init; } = [];

    /// <summary>The clock of pauses and time-outs.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Throws where a setting cannot be meant.</summary>
    internal void ThrowIfUnusable()
    {
        // The pause doubles with each: the tenth would already be a thousand times the first.
        const int mostRetries = 10;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(ConnectTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RequestTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegative(Retries);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Retries, mostRetries);
        ArgumentOutOfRangeException.ThrowIfNegative(BreakAfter);
        ArgumentOutOfRangeException.ThrowIfEqual(BreakAfter, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BreakFor, TimeSpan.FromMilliseconds(500));
        ArgumentOutOfRangeException.ThrowIfLessThan(BaseDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(LongestDelay, BaseDelay);
        ArgumentNullException.ThrowIfNull(Time);
    }
}
