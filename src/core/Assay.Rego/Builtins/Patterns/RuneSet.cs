using System.Globalization;

namespace Assay.Rego.Builtins.Patterns;

/// <summary>A set of Unicode code points, as sorted, disjoint, inclusive ranges.</summary>
internal sealed class RuneSet
{
    public const int MaxRune = 0x10FFFF;

    private readonly (int Low, int High)[] _ranges;
    private readonly ulong _asciiLow;
    private readonly ulong _asciiHigh;

    private RuneSet((int Low, int High)[] ranges)
    {
        _ranges = ranges;
        for (var rune = 0; rune < 128; rune++)
        {
            if (Find(rune))
            {
                if (rune < 64)
                {
                    _asciiLow |= 1UL << rune;
                }
                else
                {
                    _asciiHigh |= 1UL << (rune - 64);
                }
            }
        }
    }

    public static RuneSet Everything { get; } = new([(0, MaxRune)]);

    public static RuneSet NotNewline { get; } = Of(('\n', '\n')).Negate();

    public static RuneSet Digits { get; } = Of(('0', '9'));

    public static RuneSet PerlSpace { get; } = Of(('\t', '\n'), ('\f', '\r'), (' ', ' '));

    public static RuneSet WordCharacters { get; } = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    public bool IsEmpty => _ranges.Length == 0;

    public ReadOnlySpan<(int Low, int High)> Ranges => _ranges;

    public static RuneSet Of(params ReadOnlySpan<(int Low, int High)> ranges)
    {
        var sorted = ranges.ToArray();
        Array.Sort(sorted);
        var merged = new List<(int Low, int High)>(sorted.Length);
        foreach (var range in sorted)
        {
            if (merged.Count > 0 && range.Low <= merged[^1].High + 1)
            {
                merged[^1] = (merged[^1].Low, Math.Max(merged[^1].High, range.High));
            }
            else
            {
                merged.Add(range);
            }
        }

        return new RuneSet([.. merged]);
    }

    public static RuneSet Single(int rune) => Of((rune, rune));

    /// <summary>The code points of the Unicode general categories, one- or two-letter (`L`, `Lu`), or null if there is no such category.</summary>
    public static RuneSet? Category(string name) => UnicodeCategories.Find(name);

    public RuneSet Union(RuneSet other) => Of([.. _ranges, .. other._ranges]);

    public RuneSet Negate()
    {
        var ranges = new List<(int Low, int High)>(_ranges.Length + 1);
        var next = 0;
        foreach (var (low, high) in _ranges)
        {
            if (low > next)
            {
                ranges.Add((next, low - 1));
            }

            next = high + 1;
        }

        if (next <= MaxRune)
        {
            ranges.Add((next, MaxRune));
        }

        return new RuneSet([.. ranges]);
    }

    /// <summary>The set with every simple case variant of its members.</summary>
    public RuneSet Fold()
    {
        var added = new List<(int Low, int High)>(_ranges);
        foreach (var (rune, variants) in CaseFolding.Orbits)
        {
            if (Contains(rune))
            {
                foreach (var variant in variants)
                {
                    added.Add((variant, variant));
                }
            }
        }

        return Of([.. added]);
    }

    public bool Contains(int rune) => rune switch
    {
        < 64 => (_asciiLow >> rune & 1) != 0,
        < 128 => (_asciiHigh >> (rune - 64) & 1) != 0,
        _ => Find(rune),
    };

    private bool Find(int rune)
    {
        var (low, high) = (0, _ranges.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var range = _ranges[middle];
            if (rune < range.Low)
            {
                high = middle - 1;
            }
            else if (rune > range.High)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>Which code points are one another's simple case variants.</summary>
internal static class CaseFolding
{
    private static readonly Lazy<Dictionary<int, int[]>> s_orbits = new(Build);

    public static Dictionary<int, int[]> Orbits => s_orbits.Value;

    public static RuneSet Of(int rune) =>
        Orbits.TryGetValue(rune, out var variants) ? RuneSet.Of([(rune, rune), .. variants.Select(v => (v, v))]) : RuneSet.Single(rune);

    private static Dictionary<int, int[]> Build()
    {
        var groups = new Dictionary<int, List<int>>();
        for (var rune = 0; rune <= 0x1FFFF; rune++)
        {
            if (rune is >= 0xD800 and <= 0xDFFF)
            {
                continue;
            }

            var key = Key(rune);
            if (key != rune)
            {
                if (!groups.TryGetValue(key, out var members))
                {
                    groups[key] = members = [key];
                }

                members.Add(rune);
            }
        }

        var orbits = new Dictionary<int, int[]>();
        foreach (var members in groups.Values)
        {
            foreach (var member in members)
            {
                orbits[member] = [.. members.Where(other => other != member)];
            }
        }

        return orbits;
    }

    private static int Key(int rune) => rune switch
    {
        // The invariant casing of .NET leaves out the variants that would fall into ASCII; Unicode's simple folding has them.
        0x017F => 's',
        0x212A => 'k',
        // Turkish dotless and dotted i have no simple folding partner.
        0x0130 or 0x0131 => rune,
        _ => System.Text.Rune.ToLowerInvariant(System.Text.Rune.ToUpperInvariant(new System.Text.Rune(rune))).Value,
    };
}

/// <summary>Code points by Unicode general category, from the runtime's own tables.</summary>
internal static class UnicodeCategories
{
    private static readonly string[] s_names =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc",
        "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    private static readonly Lazy<Dictionary<string, RuneSet>> s_sets = new(Build);

    public static RuneSet? Find(string name) => s_sets.Value.GetValueOrDefault(name);

    private static Dictionary<string, RuneSet> Build()
    {
        var ranges = new List<(int Low, int High)>[s_names.Length];
        for (var category = 0; category < ranges.Length; category++)
        {
            ranges[category] = [];
        }

        var (start, current) = (0, CharUnicodeInfo.GetUnicodeCategory(0));
        for (var rune = 1; rune <= RuneSet.MaxRune + 1; rune++)
        {
            var category = rune <= RuneSet.MaxRune ? CharUnicodeInfo.GetUnicodeCategory(rune) : (UnicodeCategory)(-1);
            if (category != current)
            {
                ranges[(int)current].Add((start, rune - 1));
                (start, current) = (rune, category);
            }
        }

        var sets = new Dictionary<string, RuneSet>(StringComparer.Ordinal);
        for (var category = 0; category < ranges.Length; category++)
        {
            // RE2 has no set of unassigned code points.
            if (s_names[category] == "Cn")
            {
                continue;
            }

            var set = RuneSet.Of([.. ranges[category]]);
            sets[s_names[category]] = set;
            var major = s_names[category][..1];
            sets[major] = sets.TryGetValue(major, out var broader) ? broader.Union(set) : set;
        }

        return sets;
    }
}
