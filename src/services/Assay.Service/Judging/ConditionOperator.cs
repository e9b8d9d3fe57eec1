using System.Collections.Frozen;
using System.Collections.Immutable;
using Assay.Policy;

namespace Assay.Service.Judging;

/// <summary>An operator of conditions, by its name in AWS's policies; <c>Version…</c> is ours.</summary>
/// <param name="Name">Without <c>ForAllValues:</c> and <c>ForAnyValue:</c>.</param>
/// <param name="Types">Keys of which types it takes.</param>
/// <param name="IsNegated">Whether none of the policy's values may match, in place of any.</param>
/// <param name="IsPattern">Whether the policy's values are patterns.</param>
/// <param name="Matches">The machine's value, and one of the policy's.</param>
internal sealed record ConditionOperator(string Name, ImmutableArray<ConditionKeyType> Types, bool IsNegated, bool IsPattern, Func<ConditionValue, ConditionValue, bool> Matches)
{
    private static readonly ImmutableArray<ConditionKeyType> s_text = [ConditionKeyType.Text];

    public static ImmutableArray<ConditionOperator> All { get; } =
    [
        new("StringEquals", s_text, false, false, (found, wanted) => found.Text == wanted.Text),
        new("StringNotEquals", s_text, true, false, (found, wanted) => found.Text == wanted.Text),
        new("StringLike", s_text, false, true, (found, wanted) => Like(found.Text, wanted.Text)),
        new("StringNotLike", s_text, true, true, (found, wanted) => Like(found.Text, wanted.Text)),
        .. Ordered("Numeric", ConditionKeyType.Number),
        .. Ordered("Version", ConditionKeyType.Version, ConditionKeyType.HexVersion),
        .. Ordered("Date", ConditionKeyType.Date),
        new("Bool", [ConditionKeyType.Bool], false, false, (found, wanted) => found.Text == wanted.Text),
    ];

    private static readonly FrozenDictionary<string, ConditionOperator> s_byName = All.ToFrozenDictionary(item => item.Name, StringComparer.Ordinal);

    public static ConditionOperator? Find(string name) => s_byName.GetValueOrDefault(name);

    private static ConditionOperator[] Ordered(string family, params ImmutableArray<ConditionKeyType> types) =>
    [
        new($"{family}Equals", types, false, false, (found, wanted) => found.CompareTo(wanted) == 0),
        new($"{family}NotEquals", types, true, false, (found, wanted) => found.CompareTo(wanted) == 0),
        new($"{family}LessThan", types, false, false, (found, wanted) => found.CompareTo(wanted) < 0),
        new($"{family}LessThanEquals", types, false, false, (found, wanted) => found.CompareTo(wanted) <= 0),
        new($"{family}GreaterThan", types, false, false, (found, wanted) => found.CompareTo(wanted) > 0),
        new($"{family}GreaterThanEquals", types, false, false, (found, wanted) => found.CompareTo(wanted) >= 0),
    ];

    // The whole value: * is any number of characters, ? is one. After a mismatch only the last * is tried again, so the time is at most the product of both lengths.
    internal static bool Like(string text, string pattern) => Like(text, pattern, out _);

    internal static bool Like(string text, string pattern, out int steps)
    {
        var (at, next, star, resume) = (0, 0, -1, 0);
        steps = 0;
        while (at < text.Length)
        {
            steps++;
            if (next < pattern.Length && pattern[next] == '*')
            {
                (star, resume, next) = (next, at, next + 1);
            }
            else if (next < pattern.Length && (pattern[next] == '?' || pattern[next] == text[at]))
            {
                (at, next) = (at + 1, next + 1);
            }
            else if (star >= 0)
            {
                resume++;
                (at, next) = (resume, star + 1);
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(next).IndexOfAnyExcept('*') < 0;
    }
}
