using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Templates;

/// <summary>The tokens of one action: words, fields (<c>.a</c>), variables (<c>$x</c>), quoted texts, and punctuation.</summary>
internal sealed class TemplateLexer
{
    private readonly string _text;
    private int _at;

    private TemplateLexer(string text) => _text = text;

    /// <summary>A token: its kind (w word, f field, v variable, s text, n number, p punctuation), its text, and whether white space stands before it.</summary>
    internal readonly record struct Token(char Kind, string Text, bool Spaced);

    public static bool TryRead(string text, out List<Token> tokens, out string fault)
    {
        tokens = [];
        fault = "";
        var lexer = new TemplateLexer(text);
        while (true)
        {
            var start = lexer._at;
            while (lexer._at < text.Length && (text[lexer._at] is ' ' or '\t' or '\r' or '\n'))
            {
                lexer._at++;
            }

            if (lexer._at >= text.Length)
            {
                return true;
            }

            if (lexer.Next(lexer._at > start || start == 0) is not { } token)
            {
                fault = $"template: unexpected {text[lexer._at..Math.Min(lexer._at + 10, text.Length)]} in action";
                return false;
            }

            tokens.Add(token);
        }
    }

    private Token? Next(bool spaced)
    {
        var c = _text[_at];
        switch (c)
        {
            case '"':
                return Quoted(spaced);
            case '`':
                var close = _text.IndexOf('`', _at + 1);
                return close < 0 ? null : Take('s', close + 1 - _at, spaced, _text[(_at + 1)..close]);
            case '.' when _at + 1 < _text.Length && IsLetter(_text[_at + 1]):
                var field = Run(_at + 1, IsWord);
                return Take('f', field - _at, spaced, _text[(_at + 1)..field]);
            case '$':
                var variable = Run(_at + 1, IsWord);
                return Take('v', variable - _at, spaced, _text[_at..variable]);
            case ':' when _at + 1 < _text.Length && _text[_at + 1] == '=':
                return Take('p', 2, spaced, ":=");
            case '.' or '|' or '(' or ')' or ',' or '=':
                return Take('p', 1, spaced, c.ToString());
            default:
                return IsLetter(c) ? Word(spaced) : Number(spaced);
        }
    }

    private Token Word(bool spaced)
    {
        var end = Run(_at, IsWord);
        return Take('w', end - _at, spaced, _text[_at..end]);
    }

    private Token? Number(bool spaced)
    {
        var start = _text[_at] is '-' or '+' ? _at + 1 : _at;
        var end = Run(start, c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_');
        var digits = _text[start..end];
        return RegoNumber.TryParse(digits, out _) ? Take('n', end - _at, spaced, _text[_at] == '-' ? "-" + digits : digits) : null;
    }

    private Token? Quoted(bool spaced)
    {
        var value = new StringBuilder();
        for (var at = _at + 1; at < _text.Length; at++)
        {
            switch (_text[at])
            {
                case '"':
                    return Take('s', at + 1 - _at, spaced, value.ToString());
                case '\\' when at + 1 < _text.Length:
                    value.Append(_text[++at] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var other => other });
                    break;
                default:
                    value.Append(_text[at]);
                    break;
            }
        }

        return null;
    }

    private int Run(int at, Func<char, bool> holds)
    {
        while (at < _text.Length && holds(_text[at]))
        {
            at++;
        }

        return at;
    }

    private Token Take(char kind, int length, bool spaced, string text)
    {
        _at += length;
        return new Token(kind, text, spaced);
    }

    private static bool IsLetter(char c) => char.IsLetter(c) || c == '_';

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';
}
