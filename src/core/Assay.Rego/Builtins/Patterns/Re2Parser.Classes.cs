using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Metering;

namespace Assay.Rego.Builtins.Patterns;

// Bracketed classes and escapes.
internal sealed partial class Re2Parser
{
    private RuneSet ReadClass()
    {
        var start = _at++;
        var negated = More && _pattern[_at] == '^';
        if (negated)
        {
            _at++;
        }

        var ranges = new List<(int Low, int High)>();
        var first = true;
        while (Fault is null && More && (_pattern[_at] != ']' || first))
        {
            first = false;
            if (TryReadNamedClass(out var named) || (Fault is null && _pattern[_at] == '\\' && TryReadClassEscape(out named)))
            {
                ranges.AddRange(named.Ranges);
            }
            else if (Fault is null)
            {
                ranges.Add(ReadRange());
            }
        }

        if (Fault is null && !More)
        {
            Refuse($"missing closing ]: `{_pattern[start..]}`");
        }

        if (Fault is not null)
        {
            return RuneSet.Everything;
        }

        _at++;
        Work.Tick(ranges.Count);
        Work.Charge(8L * ranges.Count);
        return Adjusted(RuneSet.Of([.. ranges]), negated);
    }

    private (int Low, int High) ReadRange()
    {
        var start = _at;
        var low = ReadClassRune();
        var high = low;
        if (Fault is null && _at + 1 < _pattern.Length && _pattern[_at] == '-' && _pattern[_at + 1] != ']')
        {
            _at++;
            high = ReadClassRune();
            if (Fault is null && high < low)
            {
                Refuse($"invalid character class range: `{_pattern[start.._at]}`");
            }
        }

        return (low, Math.Max(low, high));
    }

    private int ReadClassRune()
    {
        if (!More)
        {
            Refuse("missing closing ]");
            return 0;
        }

        return _pattern[_at] == '\\' ? ReadEscapedRune() : NextRune();
    }

    /// <summary>Reads `[:alpha:]` or `[:^alpha:]`; without a closing `:]` it is not a named class at all.</summary>
    private bool TryReadNamedClass([NotNullWhen(true)] out RuneSet? set)
    {
        set = null;
        if (!_pattern.AsSpan(_at).StartsWith("[:"))
        {
            return false;
        }

        var end = _pattern.IndexOf(":]", _at + 2, StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        var name = _pattern[(_at + 2)..end];
        var negated = name.StartsWith('^');
        set = PosixClass(negated ? name[1..] : name);
        if (set is null)
        {
            Refuse($"invalid character class range: `{_pattern[_at..(end + 2)]}`");
            return false;
        }

        _at = end + 2;
        set = Adjusted(set, negated);
        return true;
    }

    private static RuneSet? PosixClass(string name) => name switch
    {
        "alnum" => RuneSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z')),
        "alpha" => RuneSet.Of(('A', 'Z'), ('a', 'z')),
        "ascii" => RuneSet.Of((0, 0x7F)),
        "blank" => RuneSet.Of(('\t', '\t'), (' ', ' ')),
        "cntrl" => RuneSet.Of((0, 0x1F), (0x7F, 0x7F)),
        "digit" => RuneSet.Digits,
        "graph" => RuneSet.Of(('!', '~')),
        "lower" => RuneSet.Of(('a', 'z')),
        "print" => RuneSet.Of((' ', '~')),
        "punct" => RuneSet.Of(('!', '/'), (':', '@'), ('[', '`'), ('{', '~')),
        "space" => RuneSet.Of(('\t', '\r'), (' ', ' ')),
        "upper" => RuneSet.Of(('A', 'Z')),
        "word" => RuneSet.WordCharacters,
        "xdigit" => RuneSet.Of(('0', '9'), ('A', 'F'), ('a', 'f')),
        _ => null,
    };

    private RuneSet Adjusted(RuneSet set, bool negated)
    {
        // Pattern and matching are charged by length, but one letter stands for all of Unicode's.
        Work.Tick(Has(Flags.IgnoreCase) ? CostOfFolding : 8);
        var folded = Has(Flags.IgnoreCase) ? set.Fold() : set;
        var adjusted = negated ? folded.Negate() : folded;
        Work.Tick(adjusted.Ranges.Length / 8);
        Work.Charge(8L * adjusted.Ranges.Length);
        return adjusted;
    }

    /// <summary>Reads `\d \D \s \S \w \W \pX \PX \p{…}`; false without a fault when the escape is of another kind.</summary>
    private bool TryReadClassEscape([NotNullWhen(true)] out RuneSet? set)
    {
        set = null;
        if (_at + 1 >= _pattern.Length)
        {
            return false;
        }

        var letter = _pattern[_at + 1];
        if (letter is 'p' or 'P')
        {
            set = ReadCategory(letter == 'P');
            return set is not null;
        }

        set = char.ToLowerInvariant(letter) switch
        {
            'd' => RuneSet.Digits,
            's' => RuneSet.PerlSpace,
            'w' => RuneSet.WordCharacters,
            _ => null,
        };
        if (set is null)
        {
            return false;
        }

        _at += 2;
        set = Adjusted(set, char.IsAsciiLetterUpper(letter));
        return true;
    }

    private RuneSet? ReadCategory(bool negated)
    {
        var start = _at;
        _at += 2;
        if (!More)
        {
            Refuse($"invalid character class range: `{_pattern[start..]}`");
            return null;
        }

        string name;
        if (_pattern[_at] == '{')
        {
            var end = _pattern.IndexOf('}', _at);
            if (end < 0)
            {
                Refuse($"invalid character class range: `{_pattern[start..]}`");
                return null;
            }

            name = _pattern[(_at + 1)..end];
            _at = end + 1;
        }
        else
        {
            name = char.ConvertFromUtf32(NextRune());
        }

        if (name.StartsWith('^'))
        {
            (negated, name) = (!negated, name[1..]);
        }

        var set = name == "Any" ? RuneSet.Everything : RuneSet.Category(name);
        if (set is null)
        {
            Refuse($"invalid character class range: `{_pattern[start.._at]}`");
            return null;
        }

        return Adjusted(set, negated);
    }

    private int ReadEscapedRune()
    {
        var start = _at++;
        if (!More)
        {
            Refuse("trailing backslash at end of expression: ``");
            return 0;
        }

        var c = _pattern[_at++];
        switch (c)
        {
            case 'a':
                return 7;
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'v':
                return '\v';
            case 'x':
                return ReadHex(start);
            case '0':
                return ReadOctal(0);
            // A lone digit would be a back-reference; two or more are an octal code.
            case >= '1' and <= '7' when More && _pattern[_at] is >= '0' and <= '7':
                return ReadOctal(c - '0');
            default:
                if (c < 0x80 && !char.IsAsciiLetterOrDigit(c))
                {
                    return c;
                }

                Refuse($"invalid escape sequence: `{_pattern[start.._at]}`");
                return 0;
        }
    }

    private int ReadOctal(int value)
    {
        for (var digits = 0; digits < 2 && More && _pattern[_at] is >= '0' and <= '7'; digits++)
        {
            value = (value * 8) + (_pattern[_at++] - '0');
        }

        return value;
    }

    private int ReadHex(int start)
    {
        var braced = More && _pattern[_at] == '{';
        if (braced)
        {
            _at++;
        }

        var (value, digits) = (0, 0);
        while (More && char.IsAsciiHexDigit(_pattern[_at]) && value <= RuneSet.MaxRune && (braced || digits < 2))
        {
            value = (value * 16) + Convert.ToInt32(_pattern[_at++].ToString(), 16);
            digits++;
        }

        var closed = !braced || (More && _pattern[_at] == '}');
        if (!closed || value > RuneSet.MaxRune || (braced ? digits == 0 : digits != 2))
        {
            Refuse($"invalid escape sequence: `{_pattern[start.._at]}`");
            return 0;
        }

        _at += braced ? 1 : 0;
        return value;
    }

    private int NextRune()
    {
        var rune = TextRunes.At(_pattern, _at, out var width);
        _at += width;
        return rune;
    }

    private void Refuse(string problem) => Fault ??= problem;
}

/// <summary>Reads a .NET string as code points.</summary>
internal static class TextRunes
{
    private const int Replacement = 0xFFFD;

    /// <summary>The code point at an index; an unpaired surrogate counts as U+FFFD, as broken UTF-8 does in RE2.</summary>
    public static int At(string text, int index, out int width)
    {
        var c = text[index];
        width = 1;
        if (!char.IsSurrogate(c))
        {
            return c;
        }

        if (char.IsHighSurrogate(c) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            width = 2;
            return char.ConvertToUtf32(c, text[index + 1]);
        }

        return Replacement;
    }

    /// <summary>The code point that ends before an index, or -1 at the start.</summary>
    public static int Before(string text, int index)
    {
        if (index == 0)
        {
            return -1;
        }

        var c = text[index - 1];
        return !char.IsSurrogate(c) ? c
            : char.IsLowSurrogate(c) && index >= 2 && char.IsHighSurrogate(text[index - 2]) ? char.ConvertToUtf32(text[index - 2], c)
            : Replacement;
    }
}
