using System.Diagnostics.CodeAnalysis;

namespace Assay.Rego.Builtins.Patterns;

/// <summary>
/// Whether two simple patterns have a text in common (`regex.globs_match`): `.` any character, `[a-z0-9]`, a following `*` or `+`
/// repeats an item, `\` escapes. Decided on the product of both, so in the time of one length by the other.
/// </summary>
internal static class GlobIntersection
{
    private const int MaxPattern = 1024;

    public static bool TryDecide(string left, string right, Action<int> charge, out bool meet, [NotNullWhen(false)] out string? fault)
    {
        meet = false;
        if (!TryRead(left, out var first, out fault) || !TryRead(right, out var second, out fault))
        {
            return false;
        }

        meet = Meet(first, second, charge);
        fault = null;
        return true;
    }

    private static bool Meet(List<Item> left, List<Item> right, Action<int> charge)
    {
        var seen = new bool[left.Count + 1, right.Count + 1];
        var pending = new Stack<(int Left, int Right)>();
        pending.Push((0, 0));
        while (pending.TryPop(out var state))
        {
            var (l, r) = state;
            if (seen[l, r])
            {
                continue;
            }

            charge(1);
            seen[l, r] = true;
            if (l == left.Count && r == right.Count)
            {
                return true;
            }

            if (l < left.Count && left[l].Any)
            {
                pending.Push((l + 1, r));
            }

            if (r < right.Count && right[r].Any)
            {
                pending.Push((l, r + 1));
            }

            if (l < left.Count && r < right.Count && Overlap(left[l].Set, right[r].Set))
            {
                pending.Push((left[l].Any ? l : l + 1, right[r].Any ? r : r + 1));
            }
        }

        return false;
    }

    private static bool Overlap(RuneSet left, RuneSet right)
    {
        foreach (var (low, high) in left.Ranges)
        {
            foreach (var (otherLow, otherHigh) in right.Ranges)
            {
                if (low <= otherHigh && otherLow <= high)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool TryRead(string pattern, out List<Item> items, [NotNullWhen(false)] out string? fault)
    {
        items = [];
        fault = pattern.Length > MaxPattern ? $"the input provided is longer than {MaxPattern} characters" : null;
        for (var at = 0; at < pattern.Length && fault is null;)
        {
            var set = ReadItem(pattern, ref at, out fault);
            if (set is null)
            {
                break;
            }

            var flag = at < pattern.Length ? pattern[at] : '\0';
            if (flag is '*' or '+')
            {
                at++;
            }

            if (flag != '*')
            {
                items.Add(new Item(set, false));
            }

            if (flag is '*' or '+')
            {
                items.Add(new Item(set, true));
            }
        }

        return fault is null;
    }

    private static RuneSet? ReadItem(string pattern, ref int at, out string? fault)
    {
        fault = null;
        var start = at;
        switch (pattern[at])
        {
            case '.':
                at++;
                return RuneSet.Everything;
            case '[':
                return ReadSet(pattern, ref at, out fault);
            case ']':
                fault = Invalid(pattern, start, "set-close ']' with no preceding '['");
                return null;
            case '*' or '+':
                fault = Invalid(pattern, start, $"flag '{pattern[at]}' must be preceded by a non-flag");
                return null;
            default:
                return ReadRune(pattern, ref at, out fault) is { } rune ? RuneSet.Single(rune) : null;
        }
    }

    private static RuneSet? ReadSet(string pattern, ref int at, out string? fault)
    {
        var ranges = new List<(int, int)>();
        at++;
        while (at < pattern.Length && pattern[at] != ']')
        {
            if (ReadRune(pattern, ref at, out fault) is not { } low)
            {
                return null;
            }

            var high = low;
            if (at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] != ']')
            {
                at++;
                if (ReadRune(pattern, ref at, out fault) is not { } end)
                {
                    return null;
                }

                high = end;
            }

            if (high < low)
            {
                fault = Invalid(pattern, at - 1, "range is out of order");
                return null;
            }

            ranges.Add((low, high));
        }

        if (at >= pattern.Length || ranges.Count == 0)
        {
            fault = Invalid(pattern, Math.Min(at, pattern.Length - 1), at >= pattern.Length ? "set-open '[' with no following ']'" : "empty set");
            return null;
        }

        at++;
        fault = null;
        return RuneSet.Of([.. ranges]);
    }

    private static int? ReadRune(string pattern, ref int at, out string? fault)
    {
        fault = null;
        if (pattern[at] == '\\' && ++at >= pattern.Length)
        {
            fault = Invalid(pattern, at - 1, "escape character at the end");
            return null;
        }

        var rune = TextRunes.At(pattern, at, out var width);
        at += width;
        return rune;
    }

    private static string Invalid(string pattern, int at, string problem) =>
        $"input:{pattern}, pos:{at + 1}, {problem}: the input provided is invalid";

    private readonly record struct Item(RuneSet Set, bool Any);
}
