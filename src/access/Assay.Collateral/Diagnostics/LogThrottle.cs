namespace Assay.Collateral.Diagnostics;

/// <summary>
/// Lets one log line of a key through each minute and counts the others, so that neither an outage nor a flood of requests fills a disk.
/// Safe for concurrent use.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class LogThrottle(TimeProvider time)
{
    // Keys are hosts of the configuration and kinds of refusals: some dozens. The bound is there for the day when one is not.
    private const int MostKeys = 1000;

    private static readonly TimeSpan s_pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (DateTimeOffset At, long LeftOut)> _lines = new(StringComparer.Ordinal);

    /// <summary>Whether a line of this key may be written now, and how many were left out since the last one.</summary>
    public bool MayWrite(string key, out long leftOut)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            key = _lines.Count < MostKeys || _lines.ContainsKey(key) ? key : "";
            var known = _lines.TryGetValue(key, out var last);
            leftOut = known ? last.LeftOut : 0;
            // A clock that was set back must not silence a key for the years in between.
            if (known && now >= last.At && now - last.At < s_pause)
            {
                _lines[key] = last with { LeftOut = last.LeftOut + 1 };
                return false;
            }

            _lines[key] = (now, 0);
            return true;
        }
    }
}
