namespace Assay.Cli;

/// <summary>What a bar says: what is fetched, from where, and how far it is.</summary>
internal static class Progress
{
    private const int LongestItem = 48;

    /// <summary>In one line.</summary>
    /// <param name="done">Items that were answered.</param>
    /// <param name="total">Items in all, as far as is known.</param>
    /// <param name="item">The item.</param>
    /// <param name="from">Its source; null where there is none to name.</param>
    public static string Of(int done, int total, string item, string? from) =>
        $"{done} of {total}  {(item.Length > LongestItem ? item[..(LongestItem - 1)] + "…" : item)}{(from is null ? "" : $" from {from}")}";
}
