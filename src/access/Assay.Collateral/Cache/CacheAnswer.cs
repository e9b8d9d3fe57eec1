using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Cache;

/// <summary>How an answer of a cache came about.</summary>
public enum CacheState
{
    /// <summary>There is no answer.</summary>
    None,

    /// <summary>It was held, and fresh.</summary>
    Hit,

    /// <summary>It was fetched for this request, or for another that came at the same time.</summary>
    Miss,

    /// <summary>Its life is over and the upstream does not answer; it still holds by its own times.</summary>
    Stale,
}

/// <summary>Why there is no answer.</summary>
public enum CacheFailure
{
    /// <summary>There is one.</summary>
    None,

    /// <summary>The upstream says that there is no such item.</summary>
    Absent,

    /// <summary>The upstream does not answer, or cannot be asked.</summary>
    Unreachable,

    /// <summary>What the upstream answered was refused, and nothing else is held.</summary>
    Refused,

    /// <summary>This machine's clock is behind what verified (S-13): nothing can be judged by it.</summary>
    Clock,
}

/// <summary>An item that holds now, or why there is none.</summary>
public sealed record CacheAnswer
{
    /// <summary>The item; null when there is none.</summary>
    public KeptItem? Item { get; private init; }

    /// <summary>The item, where it is signed and was checked; null for a key set as well.</summary>
    public VerifiedItem? Verified => Item as VerifiedItem;

    /// <summary>How it came about.</summary>
    public CacheState State { get; private init; }

    /// <summary>When it was fetched.</summary>
    public DateTimeOffset Fetched { get; private init; }

    /// <summary>Until when it may be passed on without asking again.</summary>
    public DateTimeOffset FreshUntil { get; private init; }

    /// <summary>Why there is none.</summary>
    public CacheFailure Failure { get; private init; }

    /// <summary>Null exactly when there is an item.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>How long to wait before asking again; null when that is of no use.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    internal static CacheAnswer Of(KeptItem item, CacheState state, ItemTimes times) => new() { Item = item, State = state, Fetched = times.Fetched, FreshUntil = times.Fresh };

    internal static CacheAnswer None(CacheFailure failure, string whyNot, TimeSpan? retryAfter = null) => new() { Failure = failure, WhyNot = whyNot, RetryAfter = retryAfter };
}

/// <summary>What a cache holds of one item, for people and metrics.</summary>
/// <param name="Key">Which one.</param>
/// <param name="Source">Where it came from.</param>
/// <param name="Fetched">When.</param>
/// <param name="FreshUntil">The end of its life here.</param>
/// <param name="ValidUntil">Its own end.</param>
/// <param name="SignersUntil">The first end of a certificate that it rests on.</param>
/// <param name="WhyNot">What came of the last attempt to fetch it anew, if that failed; null otherwise.</param>
public sealed record HeldItem(
    CollateralKey Key, string Source, DateTimeOffset Fetched, DateTimeOffset FreshUntil, DateTimeOffset ValidUntil, DateTimeOffset SignersUntil, string? WhyNot);
