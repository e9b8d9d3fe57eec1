namespace Assay;

/// <summary>Which known word was probably meant by one that is not known.</summary>
internal static class Nearest
{
    private const int LongestWord = 64;

    /// <summary>Those within a few slips of the pen, the nearest first; none where nothing is near.</summary>
    public static string[] Of(string word, IEnumerable<string> known, int most = 2)
    {
        if (word.Length is 0 or > LongestWord)
        {
            return [];
        }

        // A third of the letters: "verfiy" is verify, "status" is nothing of ours.
        var furthest = Math.Max(1, word.Length / 3);
        return [.. known.Distinct(StringComparer.Ordinal)
            .Select(candidate => (Word: candidate, Distance: candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase) ? 0 : Distance(word, candidate)))
            .Where(candidate => candidate.Distance <= furthest)
            .OrderBy(candidate => candidate.Distance).ThenBy(candidate => candidate.Word, StringComparer.Ordinal)
            .Take(most).Select(candidate => candidate.Word)];
    }

    /// <summary>As a question for the end of a message; empty where nothing is near.</summary>
    public static string Asked(string word, IEnumerable<string> known) => Of(word, known) is { Length: > 0 } near ? $"; did you mean {string.Join(" or ", near)}?" : "";

    // Letters that are added, left out, exchanged, or swapped with their neighbour.
    private static int Distance(string left, string right)
    {
        var rows = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            for (var j = 0; j <= right.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var same = char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]);
                rows[i, j] = Math.Min(Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1, rows[i - 1, j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 2]) && char.ToLowerInvariant(left[i - 2]) == char.ToLowerInvariant(right[j - 1]))
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[left.Length, right.Length];
    }
}
