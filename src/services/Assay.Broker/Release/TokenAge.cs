using Assay.Checks;

namespace Assay.Broker.Release;

/// <summary>The age limit for tokens that are accepted in place of evidence: five minutes, and one minute of clock skew.</summary>
internal static class TokenAge
{
    private static readonly TimeSpan s_oldest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(1);

    public static bool IsRecent(DateTimeOffset instant, EvaluationTime time) => time.Instant - instant is var age && age <= s_oldest && age >= -s_skew;
}
