using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Cli.Verify;

/// <summary>What a bar says: what is fetched, from where, and how far it is.</summary>
internal static class Progress
{
    private const int LongestItem = 48;

    public static string Of(AppraisalProgress progress, Func<CollateralKind, string?> from)
    {
        var item = progress.Item.Length > LongestItem ? progress.Item[..(LongestItem - 1)] + "…" : progress.Item;
        return $"{progress.Done} of {progress.Total}  {item}{(from(progress.Kind) is { } source ? $" from {source}" : "")}";
    }
}
