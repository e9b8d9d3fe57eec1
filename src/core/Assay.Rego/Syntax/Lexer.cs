using System.Collections.Frozen;
using System.Text;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

internal enum TokenKind
{
    End,
    Name,
    Keyword,
    Number,
    Text,
    RawText,
    TemplateStart,
    RawTemplateStart,
    Symbol,
}

/// <summary>A token. <see cref="Text"/> is the name, the keyword, the symbol, the digits or the decoded string.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, Position At, int End, bool SpaceBefore, bool LineBefore)
{
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    public bool IsKeyword(string word) => Kind == TokenKind.Keyword && Text == word;

    /// <summary>How messages call it.</summary>
    public string Described => Kind switch
    {
        TokenKind.End => "eof",
        TokenKind.Text or TokenKind.RawText => "string",
        TokenKind.TemplateStart or TokenKind.RawTemplateStart => "template string",
        TokenKind.Keyword => $"{Text} keyword",
        TokenKind.Number => "number",
        TokenKind.Name => $"ident {Text}",
        _ => Text,
    };
}

/// <summary>Cuts a source into tokens, one at a time. Its place may be read and set, so that a parser can look ahead and read templates itself.</summary>
internal sealed class Lexer(Source source)
{
    private static readonly FrozenSet<string> s_always = new[] { "as", "default", "else", "false", "import", "not", "null", "package", "some", "true", "with" }.ToFrozenSet(StringComparer.Ordinal);

    // Keywords of v1, which v0 has only after an import.
    private readonly HashSet<string> _future = new(StringComparer.Ordinal);
    private readonly string _text = source.Text;
    private int _offset;
    private int _line = 1;
    private int _column = 1;

    /// <summary>Comments as they were met, with the place of the '#'. A comment read twice is kept once.</summary>
    public List<(Position At, string Text)> Comments { get; } = [];

    public Position Place
    {
        get => new(_offset, _line, _column);
        set => (_offset, _line, _column) = (value.Offset, value.Line, value.Column);
    }

    public void EnableKeyword(string word) => _future.Add(word);

    public bool HasKeyword(string word) => _future.Contains(word);

    public static bool IsFutureKeyword(string word) => word is "if" or "contains" or "every" or "in";

    /// <summary>A word in any form, keyword or not: what may stand in a path.</summary>
    public static bool IsName(string text) => text.Length > 0 && IsNameStart(text[0]) && text.AsSpan(1).IndexOfAnyExcept(s_nameRest) < 0;

    public static bool IsReserved(string word) => s_always.Contains(word) || IsFutureKeyword(word);

    public Token Next()
    {
        var from = _offset;
        var lineBefore = SkipSpace() || from == 0;
        var spaceBefore = _offset != from || from == 0;
        var at = Place;
        if (_offset >= _text.Length)
        {
            return new Token(TokenKind.End, "", at, _offset, spaceBefore, true);
        }

        var (kind, text) = Scan(at);
        return new Token(kind, text, at, _offset, spaceBefore, lineBefore);
    }

    public ParseHalt Error(Position at, string message) => new(source.Error(RegoErrorCode.ParseError, at, message));

    /// <summary>The next character, or U+0000 at the end (which no valid source holds).</summary>
    public char Peek(int ahead = 0) => _offset + ahead < _text.Length ? _text[_offset + ahead] : '\0';

    public bool AtEnd => _offset >= _text.Length;

    /// <summary>Takes one character and keeps the count of lines and columns.</summary>
    public char Take()
    {
        var c = _text[_offset++];
        if (c == '\n')
        {
            _line++;
            _column = 1;
        }
        else if (!char.IsLowSurrogate(c))
        {
            _column++;
        }

        return c;
    }

    /// <summary>Reads one escape after its backslash. <paramref name="braces"/> allows <c>\{</c>.</summary>
    public void Escape(StringBuilder text, Position at, bool braces)
    {
        if (AtEnd)
        {
            throw Error(at, "non-terminated string");
        }

        var place = Place;
        var c = Take();
        switch (c)
        {
            case '"' or '\\' or '/':
                text.Append(c);
                break;
            case 'b':
                text.Append('\b');
                break;
            case 'f':
                text.Append('\f');
                break;
            case 'n':
                text.Append('\n');
                break;
            case 'r':
                text.Append('\r');
                break;
            case 't':
                text.Append('\t');
                break;
            case '{' when braces:
                text.Append('{');
                break;
            case 'u':
                text.Append(Unit(at));
                break;
            default:
                throw Error(place, "illegal escape sequence");
        }
    }

    private static readonly System.Buffers.SearchValues<char> s_nameRest = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    private char Unit(Position at)
    {
        var unit = 0;
        for (var i = 0; i < 4; i++)
        {
            if (AtEnd || !char.IsAsciiHexDigit(Peek()))
            {
                throw Error(at, "illegal unicode escape");
            }

            unit = unit * 16 + Convert.ToInt32(Take().ToString(), 16);
        }

        return (char)unit;
    }

    /// <summary>Passes over white space and comments; true when a line ended.</summary>
    private bool SkipSpace()
    {
        var line = _line;
        while (!AtEnd)
        {
            var c = Peek();
            if (c is ' ' or '\t' or '\r' or '\n')
            {
                Take();
            }
            else if (c == '#')
            {
                var at = Place;
                var end = _text.IndexOf('\n', _offset);
                end = end < 0 ? _text.Length : end;
                var comment = _text[(_offset + 1)..end].TrimEnd('\r');
                if (Comments.Count == 0 || Comments[^1].At.Offset < at.Offset)
                {
                    Comments.Add((at, comment));
                }

                _column += end - _offset;
                _offset = end;
            }
            else
            {
                break;
            }
        }

        return _line != line;
    }

    private (TokenKind Kind, string Text) Scan(Position at)
    {
        var c = Peek();
        if (IsNameStart(c))
        {
            return Name();
        }

        if (char.IsAsciiDigit(c))
        {
            return (TokenKind.Number, Number(at));
        }

        switch (c)
        {
            case '"':
                Take();
                return (TokenKind.Text, Quoted(at));
            case '`':
                Take();
                return (TokenKind.RawText, RawText(at));
            case '$' when Peek(1) is '"' or '`':
                Take();
                return (Take() == '"' ? TokenKind.TemplateStart : TokenKind.RawTemplateStart, "");
            default:
                return (TokenKind.Symbol, Symbol(at));
        }
    }

    private (TokenKind Kind, string Text) Name()
    {
        var start = _offset;
        while (IsNameStart(Peek()) || char.IsAsciiDigit(Peek()))
        {
            Take();
        }

        var word = _text[start.._offset];
        // A keyword with a dot behind it begins a reference: if.foo, not.foo, true.foo.
        var keyword = (s_always.Contains(word) || _future.Contains(word)) && Peek() != '.';
        return (keyword ? TokenKind.Keyword : TokenKind.Name, word);
    }

    private string Number(Position at)
    {
        var start = _offset;
        Digits();
        if (Peek() == '.' && char.IsAsciiDigit(Peek(1)))
        {
            Take();
            Digits();
        }

        if (Peek() is 'e' or 'E')
        {
            Take();
            if (Peek() is '+' or '-')
            {
                Take();
            }

            if (!char.IsAsciiDigit(Peek()))
            {
                throw Error(at, "illegal number format: expected exponent");
            }

            Digits();
        }

        if (IsNameStart(Peek()))
        {
            throw Error(at, "illegal number format");
        }

        return _text[start.._offset];
    }

    private void Digits()
    {
        while (char.IsAsciiDigit(Peek()))
        {
            Take();
        }
    }

    private string Quoted(Position at)
    {
        var text = new StringBuilder();
        while (true)
        {
            if (AtEnd || Peek() == '\n')
            {
                throw Error(at, "non-terminated string");
            }

            var c = Take();
            switch (c)
            {
                case '"':
                    return RegoJson.WellFormed(text.ToString());
                case '\\':
                    Escape(text, at, braces: false);
                    break;
                case < ' ' and not '\t':
                    throw Error(at, "illegal control character in string");
                default:
                    text.Append(c);
                    break;
            }
        }
    }

    private string RawText(Position at)
    {
        var text = new StringBuilder();
        while (true)
        {
            if (AtEnd)
            {
                throw Error(at, "non-terminated raw string");
            }

            var c = Take();
            if (c == '`')
            {
                return text.ToString();
            }

            text.Append(c);
        }
    }

    private string Symbol(Position at)
    {
        var c = Take();
        var next = Peek();
        switch (c)
        {
            case ':' or '=' or '<' or '>' or '!' when next == '=':
                Take();
                return c switch { ':' => ":=", '=' => "==", '<' => "<=", '>' => ">=", _ => "!=" };
            case ':' or '=' or '<' or '>' or '+' or '-' or '*' or '/' or '%' or '&' or '|' or '(' or ')' or '[' or ']' or '{' or '}' or ',' or ';' or '.':
                return c.ToString();
            default:
                throw Error(at, $"illegal token: {(char.IsControl(c) || char.IsSurrogate(c) ? $"U+{(int)c:X4}" : c.ToString())}");
        }
    }
}
