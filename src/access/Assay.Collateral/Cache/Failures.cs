using System.Collections.Immutable;
using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Cache;

/// <summary>
/// What could not be fetched, and when to ask again: "does not exist" and failures are kept apart from each other and from items. Bounded: requests
/// for names that do not exist cannot fill it. Safe for concurrent use.
/// </summary>
internal sealed class Failures(CachePolicy policy)
{
    private const int Most = 10_000;
    private const int MostRefused = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<CollateralKey, Failure> _failures = [];
    private readonly Queue<(DateTimeOffset At, CollateralKey Key, ItemFault Fault)> _refused = new();

    private sealed record Failure(CacheAnswer Answer, DateTimeOffset Until, int Times);

    public bool MayTry(CollateralKey key, DateTimeOffset now) => MayTry(key, now, out _);

    /// <summary>Whether the upstream may be asked; the answer to give instead when not.</summary>
    public bool MayTry(CollateralKey key, DateTimeOffset now, out CacheAnswer last)
    {
        lock (_lock)
        {
            last = null!;
            // A clock that went back must not make a pause of five seconds one of years.
            if (!_failures.TryGetValue(key, out var failure) || now >= failure.Until || failure.Until - now > policy.AbsentLife + policy.LongestErrorLife)
            {
                return true;
            }

            last = CacheAnswer.None(failure.Answer.Failure, failure.Answer.WhyNot!, failure.Answer.RetryAfter is null ? null : failure.Until - now);
            return false;
        }
    }

    public string? WhyNot(CollateralKey key)
    {
        lock (_lock)
        {
            return _failures.GetValueOrDefault(key)?.Answer.WhyNot;
        }
    }

    public CacheAnswer Add(CollateralKey key, DateTimeOffset now, CacheFailure failure, string whyNot, TimeSpan? retryAfter)
    {
        lock (_lock)
        {
            var times = (_failures.GetValueOrDefault(key)?.Times ?? 0) + 1;
            var pause = failure is CacheFailure.Absent ? policy.AbsentLife : Pause(times, retryAfter);
            var answer = CacheAnswer.None(failure, whyNot, failure is CacheFailure.Absent ? null : pause);
            if (_failures.Count >= Most && !_failures.ContainsKey(key))
            {
                // Most of them are over; if none is, the soonest goes.
                foreach (var old in _failures.OrderBy(item => item.Value.Until).Take(Most / 10).Select(item => item.Key).ToArray())
                {
                    _failures.Remove(old);
                }
            }

            _failures[key] = new Failure(answer, now + pause, times);
            return answer;
        }
    }

    /// <summary>The same of an answer that was refused, which people want to know of.</summary>
    public CacheAnswer Refuse(CollateralKey key, DateTimeOffset now, ItemFault fault)
    {
        lock (_lock)
        {
            _refused.Enqueue((now, key, fault));
            if (_refused.Count > MostRefused)
            {
                _refused.Dequeue();
            }

            // Whose issuer is not known nobody was asked about, and in a moment it may be known.
            return fault.Refusal is ItemRefusal.UnknownIssuer ? CacheAnswer.None(CacheFailure.Refused, fault.ToString()) : Add(key, now, CacheFailure.Refused, fault.ToString(), null);
        }
    }

    public void Clear(CollateralKey key)
    {
        lock (_lock)
        {
            _failures.Remove(key);
        }
    }

    public ImmutableArray<(DateTimeOffset At, CollateralKey Key, ItemFault Fault)> Refused()
    {
        lock (_lock)
        {
            return [.. _refused.Reverse()];
        }
    }

    private TimeSpan Pause(int times, TimeSpan? retryAfter)
    {
        var doubled = policy.ErrorLife * Math.Pow(2, Math.Min(times - 1, 16));
        var pause = retryAfter is { } asked && asked > doubled ? asked : doubled;
        return pause < policy.LongestErrorLife ? pause : policy.LongestErrorLife;
    }
}
