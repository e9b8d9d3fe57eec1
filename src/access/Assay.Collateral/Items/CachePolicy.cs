using System.Security.Cryptography;
using Assay.Endorsements;
using Assay.Trust.Revocation;

namespace Assay.Collateral.Items;

/// <summary>How long items of a kind are kept before they are asked for again, and how long they serve while nobody answers.</summary>
/// <param name="Life">Until then an item is fresh; at half of it a refresh begins. Never beyond the item's own end.</param>
/// <param name="Stale">How long after that it still serves while the upstream fails. Never beyond the item's own end.</param>
internal readonly record struct KindPolicy(TimeSpan Life, TimeSpan Stale);

/// <summary>Lives, bounds and pauses of a cache. The defaults and their reasons are in docs/operations/collateral.md.</summary>
public sealed record CachePolicy
{
    /// <summary>NVIDIA signs a manifest's id anew before its signer ends: from this long before, every life is a day (S-19).</summary>
    public TimeSpan SignerRenewal { get; init; } = TimeSpan.FromDays(30);

    /// <summary>An answer that revokes may be a hold, which can be lifted; one that knows nothing may be a new device.</summary>
    public TimeSpan RevokedLife { get; init; } = TimeSpan.FromHours(1);

    /// <summary>A signed "unknown".</summary>
    public TimeSpan UnknownLife { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the answer "does not exist" is believed. It has no signature.</summary>
    public TimeSpan AbsentLife { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The pause after a failure; it doubles with every other, up to <see cref="LongestErrorLife"/>.</summary>
    public TimeSpan ErrorLife { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest pause.</summary>
    public TimeSpan LongestErrorLife { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Items.</summary>
    public int MostEntries { get; init; } = 50_000;

    /// <summary>High-water marks. They outlive their items, and where there is no room for another its item is refused.</summary>
    public int MostMarks { get; init; } = 500_000;

    /// <summary>Bytes on disk.</summary>
    public long MostBytes { get; init; } = 1024L * 1024 * 1024;

    /// <summary>Bytes of items held in memory; the others are read and verified again when they are asked for.</summary>
    public long MostMemoryBytes { get; init; } = 128L * 1024 * 1024;

    /// <summary>Requests to upstreams at one time.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>Requests to upstreams under way or waiting for a place; more are refused at once.</summary>
    public int MostFlights { get; init; } = 2_000;

    /// <summary>How long a request waits for its upstream.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long it waits while it holds something that still serves: an upstream that hangs must not hold up a boot.</summary>
    public TimeSpan StalePatience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Items that nobody asked for this long are not refreshed.</summary>
    public TimeSpan Interest { get; init; } = TimeSpan.FromDays(14);

    /// <summary>A site's bound on how long an item serves after its life while nobody answers; null: that of the kind.</summary>
    public TimeSpan? MostStale { get; init; }

    /// <summary>The policy of a kind.</summary>
    internal KindPolicy Of(CollateralKind kind)
    {
        var policy = kind switch
        {
            CollateralKind.Rim => new KindPolicy(TimeSpan.FromDays(7), TimeSpan.FromDays(90)),
            CollateralKind.Ocsp => new KindPolicy(TimeSpan.FromDays(1), TimeSpan.FromDays(7)),
            CollateralKind.Crl or CollateralKind.PckCrl or CollateralKind.AmdCrl => new KindPolicy(TimeSpan.FromDays(1), TimeSpan.FromDays(30)),
            CollateralKind.TcbInfo or CollateralKind.QeIdentity => new KindPolicy(TimeSpan.FromDays(1), TimeSpan.FromDays(30)),
            CollateralKind.RootCrl => new KindPolicy(TimeSpan.FromDays(7), TimeSpan.FromDays(90)),
            CollateralKind.PckCertificate or CollateralKind.AmdChain or CollateralKind.Vcek or CollateralKind.Vlek => new KindPolicy(TimeSpan.FromDays(30), TimeSpan.FromDays(365)),
            CollateralKind.KeySet => new KindPolicy(TimeSpan.FromHours(1), TimeSpan.FromDays(1)),
            // Authorities are proven by what is fetched or given, and fetched by nobody.
            _ => new KindPolicy(TimeSpan.FromDays(36_500), TimeSpan.Zero),
        };
        return MostStale is { } most && most < policy.Stale ? policy with { Stale = most } : policy;
    }

    /// <summary>The times of an item that was fetched at an instant.</summary>
    /// <param name="item">The item.</param>
    /// <param name="fetched">When it was fetched.</param>
    /// <param name="isBrought">It came in a bundle: there is nobody to ask for a newer one, and until when it holds the site knows.</param>
    internal ItemTimes TimesOf(KeptItem item, DateTimeOffset fetched, bool isBrought = false)
    {
        var policy = Of(item.Key.Kind);
        policy = isBrought ? policy with { Stale = MostStale ?? TimeSpan.MaxValue } : policy;
        var life = item is not VerifiedItem { Key.Kind: CollateralKind.Ocsp } answer ? policy.Life : answer.Status switch
        {
            CertificateStatus.Good => policy.Life,
            CertificateStatus.Revoked => RevokedLife,
            _ => UnknownLife,
        };
        if (item.SignersUntil - fetched < SignerRenewal && life > TimeSpan.FromDays(1))
        {
            life = TimeSpan.FromDays(1);
        }

        var fresh = Earlier(Plus(fetched, life), item.ValidUntil);
        var stale = Earlier(Plus(fresh, policy.Stale), item.ValidUntil);
        // Between four and six tenths: a fleet of caches that started together does not come back together.
        var refresh = fetched + (fresh - fetched) * (RandomNumberGenerator.GetInt32(400, 601) / 1000.0);
        var renewal = item.SignersUntil - SignerRenewal;
        return new ItemTimes(fetched, renewal > fetched && renewal < refresh ? renewal : refresh, fresh, stale);
    }

    /// <summary>Times that were written under another policy, bounded by this one.</summary>
    internal ItemTimes Bound(CollateralKind kind, ItemTimes times)
    {
        var fresh = Earlier(times.Fresh, Plus(times.Fetched, Of(kind).Life));
        return times with { Fresh = fresh, Servable = MostStale is { } most ? Earlier(times.Servable, Plus(fresh, most)) : times.Servable };
    }

    private static DateTimeOffset Plus(DateTimeOffset time, TimeSpan by) => DateTimeOffset.MaxValue - time < by ? DateTimeOffset.MaxValue : time + by;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}

/// <summary>When an item was fetched, and until when it may be used in which way.</summary>
/// <param name="Fetched">When it was fetched.</param>
/// <param name="Refresh">From then on it is asked for again, beside serving it.</param>
/// <param name="Fresh">Until then it serves without asking.</param>
/// <param name="Servable">Until then it serves while nobody answers.</param>
internal readonly record struct ItemTimes(DateTimeOffset Fetched, DateTimeOffset Refresh, DateTimeOffset Fresh, DateTimeOffset Servable);
