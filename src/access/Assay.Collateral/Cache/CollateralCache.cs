using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Checks;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Items;
using Assay.Collateral.Staging;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Assay.Collateral.Cache;

/// <summary>
/// Collateral that verified, kept with its exact bytes. Nothing enters that did not verify, nothing leaves that does not hold now, and
/// nothing older replaces what was seen (S-13, S-16, S-17). Whoever controls it can withhold, and cannot deceive.
/// </summary>
public sealed partial class CollateralCache : IAsyncDisposable
{
    private const int Stripes = 64;

    private static readonly TimeSpan s_tick = TimeSpan.FromMinutes(1);

    private readonly CachePolicy _policy;
    private readonly ICollateralSource _upstream;
    private readonly TimeProvider _time;
    private readonly ItemFolder? _folder;
    private readonly ItemFolder? _staged;
    private readonly HighWaterMarks _marks;
    private readonly AuthorityDirectory _authorities = new();
    private readonly ItemJudge _judge;
    private readonly ConcurrentDictionary<CollateralKey, Entry> _entries = new();
    private readonly Failures _failures;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _end = new();
    private readonly Lock[] _stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new Lock())];
    private readonly ITimer? _timer;
    private readonly Lazy<bool> _authoritiesRead;
    private long _bytes;
    private long _memoryBytes;

    /// <param name="verification">The verifier, and whose roots it believes.</param>
    /// <param name="folder">Where items are kept; null for memory alone.</param>
    /// <param name="upstream">Where they are asked for.</param>
    /// <param name="policy">Lives and bounds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="refreshes">Whether it asks again by itself for what grows old.</param>
    /// <param name="logger">Where it logs outages, refused answers and a failing disk; null for nowhere.</param>
    public CollateralCache(
        ItemVerification verification, string? folder, ICollateralSource upstream, CachePolicy policy, TimeProvider time, bool refreshes = true, ILogger<CollateralCache>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(verification);
        ArgumentNullException.ThrowIfNull(upstream);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(time);
        (_policy, _upstream, _time) = (policy, upstream, time);
        (Folder, _logger, _throttle) = (folder, logger ?? NullLogger<CollateralCache>.Instance, new LogThrottle(time));
        _folder = folder is null ? null : new ItemFolder(folder);
        _staged = folder is null ? null : new ItemFolder(PoolFolder.StagedIn(folder));
        Pools = new PoolBoard(folder, Meters, time);
        _marks = new HighWaterMarks(folder is null ? null : Path.Combine(folder, "marks"), policy.MostMarks);
        _judge = new ItemJudge(verification, _authorities);
        _failures = new Failures(policy);
        _places = new SemaphoreSlim(policy.Concurrency);
        _authoritiesRead = new Lazy<bool>(ReadAuthorities);
        foreach (var (header, length) in _folder?.Scan() ?? [])
        {
            // No key signs key sets, and a file is not an issuer.
            if (header.Key.Kind is CollateralKind.KeySet)
            {
                continue;
            }

            // Headers alone: an item is read when it is asked for. Their times are of the policy of another day, or of anybody with the disk:
            // the item's own end bounds them, and today's policy.
            _entries[header.Key] = new Entry(header with { Times = policy.Bound(header.Key.Kind, header.Times) }, length, null) { LastUsed = header.Times.Fetched.UtcTicks };
            _bytes += length;
        }

        AddGauges();
        _timer = refreshes ? time.CreateTimer(_ => _ = RefreshAsync(), null, s_tick, s_tick) : null;
    }

    /// <summary>What happened here.</summary>
    public CacheMeters Meters { get; } = new();

    /// <summary>Which RIMs are served to which pool.</summary>
    public PoolBoard Pools { get; }

    /// <summary>Items held.</summary>
    public int Count => _entries.Count;

    /// <summary>Their bytes on disk.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>No honest clock is earlier.</summary>
    public DateTimeOffset TimeFloor => _marks.TimeFloor < EvaluationTime.ReleaseDate ? EvaluationTime.ReleaseDate : _marks.TimeFloor;

    /// <summary>Why nothing can be judged by this machine's clock; null when it can.</summary>
    public string? WhyNotClock()
    {
        var (now, floor) = (_time.GetUtcNow(), TimeFloor);
        return floor - now > RevocationJudgement.ClockSkewTolerance ? $"the clock says {Utc.Text(now)} and is behind the dates of verified items, {Utc.Text(floor)}: set it" : null;
    }

    /// <summary>The item of a key: held, or fetched for everybody who asks at this time by one request. Throws only when cancelled.</summary>
    public async Task<CacheAnswer> GetAsync(CollateralKey key, CancellationToken cancellation)
    {
        if (WhyNotClock() is { } whyNotClock)
        {
            return CacheAnswer.None(CacheFailure.Clock, whyNotClock);
        }

        var now = _time.GetUtcNow();
        var held = TryLoad(key, now, out var item, out var times);
        if (held && now < times.Fresh && times.Fetched - now <= RevocationJudgement.ClockSkewTolerance)
        {
            Meters.Count("hits", key.Kind);
            if (now >= times.Refresh && _failures.MayTry(key, now))
            {
                _ = Join(key);
            }

            return CacheAnswer.Of(item!, CacheState.Hit, times);
        }

        var stale = held && now <= times.Servable ? CacheAnswer.Of(item!, CacheState.Stale, times) : null;
        if (!_failures.MayTry(key, now, out var last))
        {
            Meters.Count(stale is null ? "failures" : "stale", key.Kind);
            return stale ?? last;
        }

        Meters.Count("misses", key.Kind);
        var answer = await WaitAsync(key, stale is null ? _policy.Patience : _policy.StalePatience, cancellation).ConfigureAwait(false);
        if (answer.Item is not null || stale is null)
        {
            if (answer.Item is null)
            {
                Meters.Count("failures", key.Kind);
            }
            else if (_entries.TryGetValue(key, out var entry))
            {
                Volatile.Write(ref entry.LastUsed, now.UtcTicks);
            }

            return answer;
        }

        Meters.Count("stale", key.Kind);
        return stale;
    }

    /// <summary>The item of a key if it is held and holds now; nothing is fetched.</summary>
    internal bool TryGetHeld(CollateralKey key, [NotNullWhen(true)] out KeptItem? item) =>
        TryLoad(key, _time.GetUtcNow(), out item, out var times) && _time.GetUtcNow() <= times.Servable;

    /// <summary>Who issued the certificate that a CertID names, of the authorities that are known here.</summary>
    public CertifiedAuthority? FindIssuer(OcspCertId id) => _authoritiesRead.Value ? _authorities.FindIssuer(id) : null;

    /// <summary>Takes in an item that somebody brought, if it verifies, holds now and is not older than what was seen.</summary>
    public bool TryAdd(CollateralKey key, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain, string source, [NotNullWhen(true)] out KeptItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        _ = _authoritiesRead.Value;
        var taken = TryTake(key, body, chain, source, out item, out fault);
        if (!taken)
        {
            Meters.Count("refused", key.Kind, fault!.Name);
        }

        return taken;
    }

    /// <summary>Takes in the authorities of a chain, a leaf before them left out. How many of them were not known.</summary>
    public int AddAuthorities(VerifiedItem proof)
    {
        ArgumentNullException.ThrowIfNull(proof);
        _ = _authoritiesRead.Value;
        return Learn(proof).Length;
    }

    /// <summary>Forgets an item; its high-water mark stays.</summary>
    internal bool Remove(CollateralKey key)
    {
        if (!_entries.TryRemove(key, out var entry))
        {
            return false;
        }

        Forget(entry);
        _folder?.Remove(key);
        return true;
    }

    /// <summary>What is held, sorted by key.</summary>
    public ImmutableArray<HeldItem> Held() =>
    [
        .. _entries.Values.Select(entry => entry.Header).OrderBy(header => header.Key.Kind).ThenBy(header => header.Key.Id, StringComparer.Ordinal)
            .Select(header => new HeldItem(header.Key, header.Source, header.Times.Fetched, header.Times.Fresh, header.ValidUntil, header.SignersUntil, _failures.WhyNot(header.Key))),
    ];

    /// <summary>What was refused last, newest first.</summary>
    public ImmutableArray<(DateTimeOffset At, CollateralKey Key, ItemFault Fault)> Refused() => _failures.Refused();

    /// <summary>Asks again for everything that is due. One pass; the cache's own timer makes one every minute.</summary>
    internal async Task RefreshAsync()
    {
        var now = _time.GetUtcNow();
        var due = _entries.Values.Where(entry => now >= entry.Header.Times.Refresh && entry.Header.Key.Kind is not CollateralKind.Authority
            && now.UtcTicks - Volatile.Read(ref entry.LastUsed) < _policy.Interest.Ticks && _failures.MayTry(entry.Header.Key, now)).Select(entry => entry.Header.Key).ToArray();
        await Task.WhenAll(due.Select(key => Join(key).Task)).ConfigureAwait(false);
    }

    /// <summary>Lets requests under way go, and waits until they have.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_timer is not null)
        {
            await _timer.DisposeAsync().ConfigureAwait(false);
        }

        await _end.CancelAsync().ConfigureAwait(false);
        await ((Task)Task.WhenAll(_flights.Values.Select(flight => flight.Task))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Meters.Dispose();
        _end.Dispose();
        _places.Dispose();
    }
}
