using System.Diagnostics.CodeAnalysis;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Collateral.Cache;

/// <summary>What is asked of an upstream, and which of its answers is taken.</summary>
public sealed partial class CollateralCache
{
    private async Task<CacheAnswer> FetchAsync(CollateralKey key, Flight flight, CancellationToken cancellation)
    {
        _ = _authoritiesRead.Value;
        if (Staged(key) is { } staged)
        {
            return staged;
        }

        var certId = key.Kind is CollateralKind.Ocsp ? _judge.CertIdOf(key) : null;
        if (await WhyNotJudgedAsync(key, certId, cancellation).ConfigureAwait(false) is { } unjudged)
        {
            return Failed(key, unjudged);
        }

        Fetched<CollateralItem> answer;
        await _places.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // Whoever asked may have left while others had the places: nobody's question is not worth one.
            if (Volatile.Read(ref flight.Askers) == 0)
            {
                throw new OperationCanceledException();
            }

            Meters.Count("upstream_requests", key.Kind);
            answer = await _upstream.FetchAsync(new CollateralQuestion(key) { CertId = certId }, cancellation).ConfigureAwait(false);
        }
        finally
        {
            _places.Release();
        }

        var now = _time.GetUtcNow();
        if (answer.Items.IsEmpty)
        {
            Meters.Count("upstream_errors", key.Kind, answer.IsAbsent ? "absent" : "unreachable");
            if (!answer.IsAbsent)
            {
                LogUpstream(key, answer.Source, answer.WhyNot);
            }

            return answer.IsAbsent
                ? _failures.Add(key, now, CacheFailure.Absent, $"{answer.Source}: {answer.WhyNot}", null)
                : _failures.Add(key, now, CacheFailure.Unreachable, $"{answer.Source}: {answer.WhyNot}", answer.RetryAfter);
        }

        if (TryTakeOne(key, answer, out var item, out var fault))
        {
            _failures.Clear(key);
            return CacheAnswer.Of(item, CacheState.Miss, _entries.TryGetValue(key, out var entry) ? entry.Header.Times : _policy.TimesOf(item, now));
        }

        var refused = Failed(key, fault);
        LogRefused(key, answer.Source, fault);
        // An older answer is not stored and not served: the newer one that is held is, while it holds (S-17).
        return fault.Refusal is ItemRefusal.Older && TryLoad(key, now, out item, out var times) && now <= times.Servable ? CacheAnswer.Of(item, CacheState.Stale, times) : refused;
    }

    // A folder may have several, the newest first. What does not verify hides none behind it; what verifies and does not hold does, for an older one must
    // not take its place (S-17).
    private bool TryTakeOne(CollateralKey key, Fetched<CollateralItem> answer, [NotNullWhen(true)] out KeptItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ItemFault? first = null;
        foreach (var candidate in answer.Items)
        {
            if (TryTake(key, candidate.Body, candidate.Chain, answer.Source, out item, out fault))
            {
                return true;
            }

            first ??= fault;
            if (fault.Refusal is ItemRefusal.NotCurrent or ItemRefusal.Older or ItemRefusal.NoRoom)
            {
                return false;
            }
        }

        (item, fault) = (null, first!);
        return false;
    }

    // What an operator staged is taken before anybody is asked, when nothing else serves: where there is no upstream, it is all there is.
    private CacheAnswer? Staged(CollateralKey key)
    {
        var now = _time.GetUtcNow();
        if (_staged is null || key.Kind is not CollateralKind.Rim || (TryLoad(key, now, out _, out var times) && now <= times.Servable)
            || !_staged.TryRead(key, out var header, out var chain, out var body))
        {
            return null;
        }

        if (!TryTake(key, body, chain, header.Source, out var item, out var fault))
        {
            Meters.Count("refused", key.Kind, fault.Name);
            return null;
        }

        _failures.Clear(key);
        return CacheAnswer.Of(item, CacheState.Miss, _policy.TimesOf(item, now));
    }

    // What is judged by something else needs that first: Intel's root list its root, AMD's keys and lists their chain.
    private async Task<ItemFault?> WhyNotJudgedAsync(CollateralKey key, OcspCertId? certId, CancellationToken cancellation)
    {
        var first = key.Kind switch
        {
            CollateralKind.RootCrl when _authorities.FindRoot(AuthorityPurpose.Intel) is null => new CollateralKey(CollateralKind.PckCrl, "platform"),
            CollateralKind.AmdCrl => new CollateralKey(CollateralKind.AmdChain, key.Id),
            CollateralKind.Vcek or CollateralKind.Vlek => new CollateralKey(CollateralKind.AmdChain, $"{CollateralKinds.NameOf(key.Kind)}/{key.Id.Split('/')[0]}"),
            _ => default,
        };
        if (first.Kind is not CollateralKind.None)
        {
            var answer = await GetAsync(first, cancellation).ConfigureAwait(false);
            return answer.Item is null ? new ItemFault(ItemRefusal.UnknownIssuer, $"{first} is needed first: {answer.WhyNot}") : null;
        }

        return (key.Kind is CollateralKind.Ocsp && certId is null) || (key.Kind is CollateralKind.Crl && _authorities.FindSignerOf(key.Id) is null)
            ? new ItemFault(ItemRefusal.UnknownIssuer, "its issuer is unknown: give evidence, or the chain of a device below it")
            : null;
    }

    private CacheAnswer Failed(CollateralKey key, ItemFault fault)
    {
        Meters.Count("refused", key.Kind, fault.Name);
        return _failures.Refuse(key, _time.GetUtcNow(), fault);
    }
}
