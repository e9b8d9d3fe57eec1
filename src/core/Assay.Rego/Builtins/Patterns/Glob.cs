using System.Diagnostics.CodeAnalysis;

namespace Assay.Rego.Builtins.Patterns;

/// <summary>
/// A glob as OPA's `glob.match` reads it: `*` any run without delimiters, `**` any run, `?` one character that is no delimiter,
/// `[abc] [!abc] [a-c] [!a-c]`, `{a,b}` alternatives that nest, `\` escapes. The whole text must match.
/// </summary>
internal sealed class Glob
{
    /// <summary>The longest glob that is read, and how deep alternatives may nest.</summary>
    public const int MaxPattern = 32 * 1024;
    private const int MaxDepth = 100;

    private readonly string _pattern;
    private readonly RuneSet _one;
    private readonly Stack<(List<PatternNode> Parts, List<PatternNode> Options)> _outer = new();
    private List<PatternNode> _parts = [];
    private List<PatternNode> _options = [];
    private int _at;

    private Glob(string pattern, RuneSet delimiters) => (_pattern, _one) = (pattern, delimiters.Negate());

    public static bool TryCompile(
        string pattern,
        RuneSet delimiters,
        [NotNullWhen(true)] out PatternProgram? program,
        [NotNullWhen(false)] out string? fault)
    {
        program = null;
        if (pattern.Length > MaxPattern)
        {
            fault = $"pattern too long: {pattern.Length} characters, at most {MaxPattern}";
            return false;
        }

        var glob = new Glob(pattern, delimiters);
        fault = glob.Read();
        if (fault is not null)
        {
            return false;
        }

        program = PatternProgram.Compile(
            new PatternNode.Sequence([new PatternNode.Place(Assertion.BeginText), .. glob._parts, new PatternNode.Place(Assertion.EndText)]), 1);
        fault = program is null ? "pattern too large" : null;
        return program is not null;
    }

    public static bool IsMatch(PatternProgram program, string text, Action<int> charge) =>
        new PatternMachine(program, text, false, charge).IsMatch();

    private string? Read()
    {
        while (_at < _pattern.Length)
        {
            var c = _pattern[_at];
            var fault = c switch
            {
                '[' => ReadRange(),
                '{' => OpenAlternatives(),
                _ => null,
            };
            if (fault is not null)
            {
                return fault;
            }

            if (c is '[' or '{')
            {
                continue;
            }

            ReadOther(c);
        }

        // An alternative list left open ends with the pattern, as in the matcher that OPA uses.
        while (_outer.Count > 0)
        {
            CloseAlternatives();
        }

        return null;
    }

    private void ReadOther(char c)
    {
        switch (c)
        {
            case '*':
                var super = _at + 1 < _pattern.Length && _pattern[_at + 1] == '*';
                _at += super ? 2 : 1;
                _parts.Add(new PatternNode.Repeat(new PatternNode.Characters(super ? RuneSet.Everything : _one), 0, -1, false));
                break;
            case '?':
                _at++;
                _parts.Add(new PatternNode.Characters(_one));
                break;
            case ',' when _outer.Count > 0:
                _at++;
                _options.Add(Joined());
                break;
            case '}' when _outer.Count > 0:
                _at++;
                CloseAlternatives();
                break;
            case '\\' when _at + 1 >= _pattern.Length:
                _at++;
                break;
            default:
                _at += c == '\\' ? 1 : 0;
                _parts.Add(new PatternNode.Characters(RuneSet.Single(Next())));
                break;
        }
    }

    private string? OpenAlternatives()
    {
        _at++;
        if (_outer.Count >= MaxDepth)
        {
            return "alternatives nest too deeply";
        }

        _outer.Push((_parts, _options));
        (_parts, _options) = ([], []);
        return null;
    }

    private void CloseAlternatives()
    {
        _options.Add(Joined());
        var choice = new PatternNode.Choice([.. _options]);
        (_parts, _options) = _outer.Pop();
        _parts.Add(choice);
    }

    private PatternNode Joined()
    {
        PatternNode joined = _parts.Count == 0 ? new PatternNode.Empty() : new PatternNode.Sequence([.. _parts]);
        _parts = [];
        return joined;
    }

    private string? ReadRange()
    {
        _at++;
        var negated = _at < _pattern.Length && _pattern[_at] == '!';
        _at += negated ? 1 : 0;
        if (_at >= _pattern.Length)
        {
            return "unexpected end of input";
        }

        var start = _at;
        var low = Next();
        if (low != ']' && _at + 1 < _pattern.Length && _pattern[_at] == '-')
        {
            _at++;
            var high = Next();
            if (_at >= _pattern.Length || _pattern[_at] != ']')
            {
                return "expected close range character";
            }

            _at++;
            if (high < low)
            {
                return $"hi character '{char.ConvertFromUtf32(high)}' should be greater than lo '{char.ConvertFromUtf32(low)}'";
            }

            AddSet(RuneSet.Of((low, high)), negated);
            return null;
        }

        _at = start;
        return ReadList(negated);
    }

    private string? ReadList(bool negated)
    {
        var members = new List<(int, int)>();
        while (_at < _pattern.Length && _pattern[_at] != ']')
        {
            if (_pattern[_at] == '\\' && _at + 1 < _pattern.Length)
            {
                _at++;
            }

            var rune = Next();
            members.Add((rune, rune));
        }

        if (_at >= _pattern.Length)
        {
            return "unexpected end of input";
        }

        _at++;
        if (members.Count == 0)
        {
            return "could not parse range";
        }

        AddSet(RuneSet.Of([.. members]), negated);
        return null;
    }

    private void AddSet(RuneSet set, bool negated) => _parts.Add(new PatternNode.Characters(negated ? set.Negate() : set));

    private int Next()
    {
        var rune = TextRunes.At(_pattern, _at, out var width);
        _at += width;
        return rune;
    }
}
