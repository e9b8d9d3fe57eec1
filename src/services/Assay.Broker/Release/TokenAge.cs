using Assay.Checks;

namespace Assay.Broker.Release;

/// <summary>How old the statement of another service may be that stands for evidence. Clocks may differ by a minute.</summary>
internal static class TokenAge
{
    private static readonly TimeSpan s_oldest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(1);

    public static bool IsRecent(DateTimeOffset instant, EvaluationTime time) => time.Instant - instant is var age && age <= s_oldest && age >= -s_skew;
}
