using Assay.Service.Audit;

namespace Assay.Broker.Release;

/// <summary>A denial, but for its time: what two that repeat each other have in common.</summary>
/// <param name="Tenant">Whose key.</param>
/// <param name="Actor">Who asked, as the log names it.</param>
/// <param name="Key">Which key.</param>
/// <param name="Protocol">By which protocol.</param>
/// <param name="Why">The reason.</param>
/// <param name="Address">From where; it is in no entry.</param>
internal sealed record Denial(string Tenant, string Actor, string Key, string Protocol, string Why, string Address);

/// <summary>
/// Denials of askers without a login. A client of the KBS protocol that is denied asks again at once, and any client may ask: the first denial of each minute
/// is an entry of the log, and those that repeat it are counted, to be one more entry together. What was counted and not yet written is lost where the process ends.
/// </summary>
internal sealed class Denials(TimeProvider clock)
{
    private const int MostKept = 4096;

    private static readonly TimeSpan s_span = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<Denial, Seen> _seen = [];

    /// <summary>Whether the log has it, of the last minute.</summary>
    public bool Has(Denial? denial)
    {
        if (denial is null)
        {
            return false;
        }

        lock (_lock)
        {
            return _seen.TryGetValue(At(denial), out var seen) && clock.GetUtcNow() - seen.Since < s_span;
        }
    }

    /// <summary>Takes one: at a position of the log it is the first, below zero one that repeats it.</summary>
    public void Count(Denial denial, long position)
    {
        lock (_lock)
        {
            var at = At(denial);
            if (position < 0 && _seen.TryGetValue(at, out var seen))
            {
                seen.Repeated++;
            }
            else if (!_seen.TryGetValue(at, out seen) || clock.GetUtcNow() - seen.Since >= s_span)
            {
                // What was counted before its minute ended is written by the next look of the upkeep, or with this one.
                _seen[at] = new Seen(clock.GetUtcNow(), position) { Repeated = (seen?.Repeated ?? 0) + (position < 0 ? 1 : 0) };
            }
        }
    }

    /// <summary>What is to be written now: those whose minute is over, or all of them.</summary>
    public IReadOnlyList<(Denial Denial, long Repeated, AuditEvent Entry)> Take(bool all)
    {
        lock (_lock)
        {
            var over = _seen.Where(pair => all || clock.GetUtcNow() - pair.Value.Since >= s_span).ToArray();
            foreach (var (denial, _) in over)
            {
                _seen.Remove(denial);
            }

            return [.. over.Where(pair => pair.Value.Repeated > 0).Select(pair => (pair.Key, pair.Value.Repeated, Entry(pair.Key, pair.Value)))];
        }
    }

    /// <summary>Takes back what could not be written.</summary>
    public void Return(Denial denial, long repeated)
    {
        lock (_lock)
        {
            if (!_seen.TryGetValue(denial, out var seen))
            {
                _seen[denial] = seen = new Seen(clock.GetUtcNow(), -1);
            }

            seen.Repeated += repeated;
        }
    }

    // Beyond what is kept, askers are told apart no more.
    private Denial At(Denial denial) => _seen.Count < MostKept || _seen.ContainsKey(denial) ? denial : denial with { Address = "" };

    private static AuditEvent Entry(Denial denial, Seen seen) => new AuditEvent(BrokerEntries.Repeated, denial.Tenant, denial.Actor, AuditOutcome.Denied)
        .With("key", denial.Key).With("protocol", denial.Protocol).With("why", denial.Why).With("repeated", seen.Repeated).With("first", seen.Position < 0 ? null : seen.Position).With("since", seen.Since.ToUnixTimeMilliseconds());

    private sealed record Seen(DateTimeOffset Since, long Position)
    {
        public long Repeated { get; set; }
    }
}
