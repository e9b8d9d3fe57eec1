using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Cache;

/// <summary>How items enter and leave.</summary>
public sealed partial class CollateralCache
{
    /// <summary>What is known of an item, and the item while it is in memory.</summary>
    private sealed class Entry(ItemHeader header, long length, KeptItem? item)
    {
        private KeptItem? _item = item;

        public long LastUsed;

        public ItemHeader Header => header;

        /// <summary>Bytes of its file.</summary>
        public long Length => length;

        public KeptItem? Item => Volatile.Read(ref _item);

        /// <summary>Whether this call put it into memory, and has to account for it.</summary>
        public bool TryHold(KeptItem item) => Interlocked.CompareExchange(ref _item, item, null) is null;

        /// <summary>Bytes that this call freed.</summary>
        public int Drop() => Interlocked.Exchange(ref _item, null) is { } item ? item.Body.Length + item.Chain.Length : 0;
    }

    /// <summary>The one door by which an item enters.</summary>
    private bool TryTake(CollateralKey key, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain, string source, [NotNullWhen(true)] out KeptItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        var now = _time.GetUtcNow();
        if (!_judge.TryAccept(key, body, chain, out item, out fault) || !item.IsCurrent(now, out fault))
        {
            item = null;
            return false;
        }

        if (item is not VerifiedItem verified)
        {
            // Not signed: what the disk says of it would be believed, and there is no date to tell an older one by.
            Keep(item, source, _policy.TimesOf(item, now), persists: false);
            return true;
        }

        // Between the question and the answer nobody else may raise the mark.
        lock (StripeOf(verified))
        {
            item = TryKeep(verified, source, now, out fault) ? verified : null;
            return item is not null;
        }
    }

    private Lock StripeOf(VerifiedItem item) => _stripes[(item.MarkId.GetHashCode(StringComparison.Ordinal) & int.MaxValue) % Stripes];

    private bool TryKeep(VerifiedItem item, string source, DateTimeOffset now, [NotNullWhen(false)] out ItemFault? fault, bool isBrought = false)
    {
        fault = null;
        if (_marks.Find(item.Key.Kind, item.MarkId) is { } mark && item.Rank.IsOlderThan(mark))
        {
            fault = new ItemFault(ItemRefusal.Older, $"of {Utc.Text(item.Rank.Date)}, and one of {Utc.Text(mark.Date)} was seen{(mark.Revokes ? " that revokes" : "")}");
            return false;
        }

        // The mark first: after a crash between the two, what was seen is still known. "Unknown" is the answer about serial numbers that
        // anybody may think up: it leaves no mark, which would last for ever, and no file.
        var persists = false;
        if (!IsUnknown(item) && !TryMark(item, out persists))
        {
            fault = new ItemFault(ItemRefusal.NoRoom, $"{_policy.MostMarks} high-water marks are held, and there is no room for its own");
            return false;
        }

        Learn(item);
        Keep(item, source, _policy.TimesOf(item, now, isBrought), persists);
        return true;
    }

    /// <summary>Whether its mark is raised, or was as high; and whether the disk took it.</summary>
    private bool TryMark(VerifiedItem item, out bool persists)
    {
        persists = true;
        try
        {
            return _marks.TryRaise(item);
        }
        catch (IOException exception)
        {
            // A full disk costs persistence, not service: mark and item stay in memory.
            CountStoreError(item.Key.Kind, exception);
            persists = false;
            return true;
        }
    }

    private void Keep(KeptItem item, string source, ItemTimes times, bool persists)
    {
        var header = ItemHeader.Of(item, source, times);
        long length = item.Body.Length + item.Chain.Length;
        try
        {
            length = persists && _folder is not null ? _folder.Write(header, item.Chain, item.Body) : length;
        }
        catch (IOException exception)
        {
            CountStoreError(item.Key.Kind, exception);
        }

        // A refresh is no use of it: what nobody asks for ends.
        var used = _entries.TryGetValue(item.Key, out var before) ? Volatile.Read(ref before.LastUsed) : _time.GetUtcNow().UtcTicks;
        var entry = new Entry(header, length, item) { LastUsed = used };
        Interlocked.Add(ref _bytes, length);
        Interlocked.Add(ref _memoryBytes, item.Body.Length + item.Chain.Length);
        while (!_entries.TryAdd(item.Key, entry))
        {
            if (_entries.TryGetValue(item.Key, out var old) && _entries.TryUpdate(item.Key, entry, old))
            {
                Forget(old);
                break;
            }
        }

        Evict();
    }

    private static bool IsUnknown(KeptItem item) => item is VerifiedItem { Key.Kind: CollateralKind.Ocsp, Status: not (CertificateStatus.Good or CertificateStatus.Revoked) };

    /// <summary>
    /// Whether an answer that is passed on and not kept is the newest that was seen; one that revokes is remembered, so that no <c>good</c>
    /// from before it is served afterwards (S-17).
    /// </summary>
    public bool TrySee(VerifiedItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        lock (StripeOf(item))
        {
            var mark = _marks.Find(item.Key.Kind, item.MarkId);
            return !(mark is { } seen && item.Rank.IsOlderThan(seen)) && ((mark is null && !item.Rank.Revokes) || TryMark(item, out _));
        }
    }

    // Authorities outlive the items that proved them, so they are items themselves.
    private ImmutableArray<CertifiedAuthority> Learn(VerifiedItem proof)
    {
        var added = _authorities.Add(proof.Authorities);
        foreach (var authority in added)
        {
            var item = ItemVerification.ItemOf(authority);
            if (item.Key != proof.Key && item.IsCurrent(_time.GetUtcNow(), out _) && TryMark(item, out var persists))
            {
                Keep(item, $"with {proof.Key}", _policy.TimesOf(item, _time.GetUtcNow()), persists);
            }
        }

        return added;
    }

    private bool ReadAuthorities()
    {
        foreach (var key in _entries.Keys.Where(key => key.Kind is CollateralKind.Authority or CollateralKind.AmdChain).OrderBy(key => key.Kind).ToArray())
        {
            TryLoad(key, _time.GetUtcNow(), out _, out _);
        }

        return true;
    }

    /// <summary>
    /// The item of a key, if it is held, holds now and nothing newer was seen. From disk it is verified as if it had just arrived; one that
    /// does not is removed, and asked for again.
    /// </summary>
    private bool TryLoad(CollateralKey key, DateTimeOffset now, [NotNullWhen(true)] out KeptItem? item, out ItemTimes times)
    {
        (item, times) = (null, default);
        if (!_entries.TryGetValue(key, out var entry))
        {
            return false;
        }

        item = entry.Item ?? Read(entry);
        if (item is null || !item.IsCurrent(now, out _) || IsSuperseded(item))
        {
            item = null;
            return false;
        }

        Volatile.Write(ref entry.LastUsed, now.UtcTicks);
        times = entry.Header.Times;
        return true;
    }

    // An answer under another hash that is newer does not take this one's window from it, unless it revokes: who chooses the hash is the asker.
    private bool IsSuperseded(KeptItem kept) =>
        kept is VerifiedItem item && _marks.Find(item.Key.Kind, item.MarkId) is { } mark && item.Rank.IsOlderThan(mark) && (item.Key.Kind is not CollateralKind.Ocsp || mark.Revokes);

    private VerifiedItem? Read(Entry entry)
    {
        var key = entry.Header.Key;
        if (key.Kind is not (CollateralKind.Authority or CollateralKind.AmdChain) && _folder is not null)
        {
            _ = _authoritiesRead.Value;
        }

        ItemFault? fault = null;
        if (_folder is not null && _folder.TryRead(key, out _, out var chain, out var body) && _judge.TryVerify(key, body, chain, out var item, out fault))
        {
            Meters.Count("loads", key.Kind);
            _authorities.Add(item.Authorities);
            if (entry.TryHold(item))
            {
                Interlocked.Add(ref _memoryBytes, body.Length + chain.Length);
                Evict();
            }

            return item;
        }

        CountDamaged(key.Kind, fault?.Name ?? "file");
        if (_entries.TryRemove(new KeyValuePair<CollateralKey, Entry>(key, entry)))
        {
            Forget(entry);
            // What no root of ours certifies may be sound under the roots of another start: it stays where it is, and serves nobody here.
            if (fault?.Refusal is not (ItemRefusal.Chain or ItemRefusal.UnknownIssuer))
            {
                _folder?.SetAside(key);
            }
        }

        return null;
    }

    private void Forget(Entry entry)
    {
        Interlocked.Add(ref _bytes, -entry.Length);
        Interlocked.Add(ref _memoryBytes, -entry.Drop());
    }

    // Rare, for a full cache only: the order of use is looked up then, so that hits need not keep it.
    private void Evict()
    {
        if (_entries.Count > _policy.MostEntries || Bytes > _policy.MostBytes)
        {
            // Authorities are small and what the others are judged by: they go when nothing else is left. What nobody knows goes first. A
            // fiftieth at once, so that a full cache is not sorted for every item that enters.
            foreach (var entry in _entries.Values.OrderBy(entry => entry.Header.Key.Kind is CollateralKind.Authority).ThenBy(entry => entry.Item is not { } item || !IsUnknown(item)).ThenBy(entry => Volatile.Read(ref entry.LastUsed)))
            {
                if (_entries.Count <= _policy.MostEntries - (_policy.MostEntries / 50) && Bytes <= _policy.MostBytes - (_policy.MostBytes / 50))
                {
                    break;
                }

                Meters.Count("evictions", entry.Header.Key.Kind);
                Remove(entry.Header.Key);
            }
        }

        if (_folder is not null && Volatile.Read(ref _memoryBytes) > _policy.MostMemoryBytes)
        {
            foreach (var entry in _entries.Values.Where(entry => entry.Item is not null).OrderBy(entry => Volatile.Read(ref entry.LastUsed)))
            {
                if (Volatile.Read(ref _memoryBytes) <= _policy.MostMemoryBytes / 2)
                {
                    return;
                }

                Interlocked.Add(ref _memoryBytes, -entry.Drop());
            }
        }
    }
}
