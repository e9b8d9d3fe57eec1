using System.Diagnostics.CodeAnalysis;

namespace Assay.Rego.Builtins.Patterns;

/// <summary>
/// Reads RE2 syntax as OPA's regular expressions accept it (github.com/google/re2/wiki/Syntax, the Perl flavour):
/// no look-around, no back-references, ASCII `\d \s \w \b`, `\Q…\E`, `[[:class:]]`, `(?P&lt;name&gt;…)`, `(?imsU)`, `\z`, `\pN`.
/// What RE2 refuses is refused. Unicode scripts (`\p{Greek}`) are refused too: the runtime has no table of them.
/// </summary>
internal sealed partial class Re2Parser
{
    // RE2: counted repetition at most 1000, also multiplied through nesting; height as bounded for our own recursion.
    private const int MaxRepeat = 1000;
    private const int MaxHeight = 500;

    // Every pair of case variants in Unicode is looked at.
    private const int CostOfFolding = 4000;

    private readonly string _pattern;
    private readonly List<string?> _names = [null];
    private readonly Stack<Open> _open = new();
    private int _at;
    private Flags _flags;
    private List<PatternNode> _parts = [];
    private List<PatternNode> _options = [];
    private bool _repeated;

    private Re2Parser(string pattern) => _pattern = pattern;

    [Flags]
    private enum Flags
    {
        None = 0,
        IgnoreCase = 1,
        Multiline = 2,
        DotAll = 4,
        Ungreedy = 8,
    }

    private string? Fault { get; set; }

    private bool More => _at < _pattern.Length;

    /// <summary>Parses a pattern. <paramref name="names"/> has one entry per group, the whole match first; unnamed groups are null.</summary>
    public static bool TryParse(
        string pattern,
        [NotNullWhen(true)] out PatternNode? node,
        [NotNullWhen(true)] out string?[]? names,
        [NotNullWhen(false)] out string? fault)
    {
        var parser = new Re2Parser(pattern);
        node = parser.Parse();
        if (parser.Fault is { } problem)
        {
            (node, names, fault) = (null, null, $"error parsing regexp: {problem}");
            return false;
        }

        (names, fault) = ([.. parser._names], null);
        return true;
    }

    private PatternNode Parse()
    {
        while (More && Fault is null)
        {
            Step();
        }

        if (Fault is null && _open.Count > 0)
        {
            Refuse($"missing closing ): `{_pattern}`");
        }

        return Fault is null ? Close() : new PatternNode.Empty();
    }

    private void Step()
    {
        var wasRepeated = _repeated;
        _repeated = false;
        switch (_pattern[_at])
        {
            case '(':
                OpenGroup();
                break;
            case ')':
                CloseGroup();
                break;
            case '|':
                _at++;
                _options.Add(Joined());
                break;
            case '^':
                _at++;
                Push(new PatternNode.Place(Has(Flags.Multiline) ? Assertion.BeginLine : Assertion.BeginText));
                break;
            case '$':
                _at++;
                Push(new PatternNode.Place(Has(Flags.Multiline) ? Assertion.EndLine : Assertion.EndText));
                break;
            case '.':
                _at++;
                Push(new PatternNode.Characters(Has(Flags.DotAll) ? RuneSet.Everything : RuneSet.NotNewline));
                break;
            case '[':
                Push(new PatternNode.Characters(ReadClass()));
                break;
            case '*':
                Repeat(0, -1, _at, _at + 1, wasRepeated);
                break;
            case '+':
                Repeat(1, -1, _at, _at + 1, wasRepeated);
                break;
            case '?':
                Repeat(0, 1, _at, _at + 1, wasRepeated);
                break;
            case '{' when TryReadCounts(out var least, out var most, out var end):
                if (least > MaxRepeat || most > MaxRepeat || (most >= 0 && most < least))
                {
                    Refuse($"invalid repeat count: `{_pattern[_at..end]}`");
                    break;
                }

                Repeat(least, most, _at, end, wasRepeated);
                break;
            case '\\':
                Escape();
                break;
            default:
                PushLiteral(NextRune());
                break;
        }
    }

    private void Repeat(int least, int most, int start, int end, bool wasRepeated)
    {
        _at = end;
        var lazy = Has(Flags.Ungreedy);
        if (More && _pattern[_at] == '?')
        {
            _at++;
            lazy = !lazy;
        }

        if (wasRepeated)
        {
            Refuse($"invalid nested repetition operator: `{_pattern[start.._at]}`");
            return;
        }

        if (_parts.Count == 0)
        {
            Refuse($"missing argument to repetition operator: `{_pattern[start.._at]}`");
            return;
        }

        var repeat = new PatternNode.Repeat(_parts[^1], least, most, lazy);
        _parts[^1] = repeat;
        _repeated = true;
        if (Math.Max(least, most) >= 2 && Copies(repeat, MaxRepeat) > MaxRepeat)
        {
            Refuse($"invalid repeat count: `{_pattern[start.._at]}`");
        }
        else if (repeat.Height > MaxHeight)
        {
            Refuse("expression nests too deeply");
        }
    }

    /// <summary>The greatest product of counted repetitions along any path down, stopping once it is over the limit.</summary>
    private static int Copies(PatternNode node, int limit)
    {
        var inner = node switch
        {
            PatternNode.Sequence sequence => sequence.Parts.Max(part => Copies(part, limit)),
            PatternNode.Choice choice => choice.Options.Max(option => Copies(option, limit)),
            PatternNode.Group group => Copies(group.Body, limit),
            PatternNode.Repeat repeat => Copies(repeat.Body, limit),
            _ => 1,
        };
        var own = node is PatternNode.Repeat counted ? Math.Max(1, Math.Max(counted.Least, counted.Most)) : 1;
        return inner > limit ? inner : inner * own;
    }

    private bool TryReadCounts(out int least, out int most, out int end)
    {
        (most, end) = (-1, _at + 1);
        if (!TryReadCount(ref end, out least) || end >= _pattern.Length)
        {
            return false;
        }

        if (_pattern[end] == ',')
        {
            end++;
            if (end < _pattern.Length && _pattern[end] != '}' && !TryReadCount(ref end, out most))
            {
                return false;
            }
        }
        else
        {
            most = least;
        }

        return end < _pattern.Length && _pattern[end++] == '}';
    }

    private bool TryReadCount(ref int at, out int count)
    {
        var start = at;
        count = 0;
        while (at < _pattern.Length && char.IsAsciiDigit(_pattern[at]))
        {
            count = Math.Min((count * 10) + (_pattern[at++] - '0'), MaxRepeat + 1);
        }

        return at > start && (at - start == 1 || _pattern[start] != '0');
    }

    private void OpenGroup()
    {
        if (!_pattern.AsSpan(_at).StartsWith("(?"))
        {
            _at++;
            OpenScope(_names.Count, _flags);
            _names.Add(null);
            return;
        }

        var rest = _pattern.AsSpan(_at + 2);
        if (rest.StartsWith("P<") || rest.StartsWith("<"))
        {
            OpenNamed(_at + (rest[0] == 'P' ? 4 : 3));
            return;
        }

        ReadFlags();
    }

    private void OpenNamed(int start)
    {
        var end = _pattern.IndexOf('>', start);
        var name = end < 0 ? "" : _pattern[start..end];
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
        {
            Refuse($"invalid named capture: `{_pattern[_at..(end < 0 ? _pattern.Length : end + 1)]}`");
            return;
        }

        if (_names.Contains(name))
        {
            Refuse($"duplicate group name: `{name}`");
            return;
        }

        _at = end + 1;
        OpenScope(_names.Count, _flags);
        _names.Add(name);
    }

    private void ReadFlags()
    {
        var start = _at;
        _at += 2;
        var (on, flags, seen, negative) = (true, _flags, false, false);
        while (More)
        {
            var c = _pattern[_at++];
            var flag = c switch { 'i' => Flags.IgnoreCase, 'm' => Flags.Multiline, 's' => Flags.DotAll, 'U' => Flags.Ungreedy, _ => Flags.None };
            if (flag != Flags.None)
            {
                flags = on ? flags | flag : flags & ~flag;
                seen = true;
            }
            else if (c == '-' && !negative)
            {
                (on, negative, seen) = (false, true, false);
            }
            else if (c is ':' or ')' && (!negative || seen))
            {
                if (c == ':')
                {
                    OpenScope(-1, _flags);
                }

                _flags = flags;
                return;
            }
            else
            {
                break;
            }
        }

        Refuse($"invalid or unsupported Perl syntax: `{_pattern[start.._at]}`");
    }

    private void OpenScope(int group, Flags outside)
    {
        if (_open.Count >= MaxHeight)
        {
            Refuse("expression nests too deeply");
            return;
        }

        _open.Push(new Open(_parts, _options, outside, group));
        (_parts, _options) = ([], []);
    }

    private void CloseGroup()
    {
        _at++;
        if (_open.Count == 0)
        {
            Refuse($"unexpected ): `{_pattern}`");
            return;
        }

        var body = Close();
        var open = _open.Pop();
        (_parts, _options, _flags) = (open.Parts, open.Options, open.Flags);
        Push(open.Group < 0 ? body : new PatternNode.Group(body, open.Group));
        if (_parts[^1].Height > MaxHeight)
        {
            Refuse("expression nests too deeply");
        }
    }

    private PatternNode Close()
    {
        _options.Add(Joined());
        return _options.Count == 1 ? _options[0] : new PatternNode.Choice([.. _options]);
    }

    private PatternNode Joined()
    {
        PatternNode node = _parts.Count switch
        {
            0 => new PatternNode.Empty(),
            1 => _parts[0],
            _ => new PatternNode.Sequence([.. _parts]),
        };
        _parts = [];
        return node;
    }

    private void Escape()
    {
        var next = _at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0';
        switch (next)
        {
            case 'A':
                Place(Assertion.BeginText);
                return;
            case 'z':
                Place(Assertion.EndText);
                return;
            case 'b':
                Place(Assertion.WordBoundary);
                return;
            case 'B':
                Place(Assertion.NoWordBoundary);
                return;
            case 'Q':
                Quoted();
                return;
            case 'C':
                // RE2 can match one byte; here, as in Go, it is refused: texts are code points.
                Refuse("invalid escape sequence: `\\C`");
                return;
            default:
                break;
        }

        if (TryReadClassEscape(out var set))
        {
            Push(new PatternNode.Characters(set));
            return;
        }

        if (Fault is null)
        {
            PushLiteral(ReadEscapedRune());
        }
    }

    private void Place(Assertion assertion)
    {
        _at += 2;
        Push(new PatternNode.Place(assertion));
    }

    private void Quoted()
    {
        _at += 2;
        var end = _pattern.IndexOf("\\E", _at, StringComparison.Ordinal);
        var stop = end < 0 ? _pattern.Length : end;
        while (_at < stop)
        {
            PushLiteral(NextRune());
        }

        _at = end < 0 ? stop : end + 2;
    }

    private void Push(PatternNode node) => _parts.Add(node);

    private void PushLiteral(int rune) =>
        Push(new PatternNode.Characters(Has(Flags.IgnoreCase) ? CaseFolding.Of(rune) : RuneSet.Single(rune)));

    private bool Has(Flags flag) => (_flags & flag) != 0;

    private sealed record Open(List<PatternNode> Parts, List<PatternNode> Options, Flags Flags, int Group);
}
