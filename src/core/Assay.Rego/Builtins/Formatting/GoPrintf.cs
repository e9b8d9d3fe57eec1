using System.Globalization;
using System.Numerics;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Formatting;

/// <summary>
/// Go's fmt.Sprintf over Rego values as OPA hands them over: integer texts as integers, other numbers as doubles (or as text beyond
/// their range), strings as strings, all else as the text of the Rego term. Mistakes show in the text (`%!d(string=x)`), never as errors.
/// </summary>
internal sealed class GoPrintf
{
    // Go's own bound on widths and precisions.
    private const int MaxNumber = 1_000_000;

    private readonly string _format;
    private readonly List<object> _arguments = [];
    private readonly StringBuilder _text = new();
    private readonly Action<long> _grow;
    private int _at;
    private int _next;
    private bool _reordered;
    private bool _goodIndex;
    private Flags _flags;

    private GoPrintf(string format, ReadOnlySpan<RegoValue> arguments, Action<long> grow)
    {
        (_format, _grow) = (format, grow);
        foreach (var argument in arguments)
        {
            _arguments.Add(Convert(argument));
        }
    }

    /// <param name="format">The format.</param>
    /// <param name="arguments">The values.</param>
    /// <param name="grow">Told the length of the text before it grows; may throw to refuse.</param>
    public static string Format(string format, ReadOnlySpan<RegoValue> arguments, Action<long> grow)
    {
        var printf = new GoPrintf(format, arguments, grow);
        printf.Run();
        return printf._text.ToString();
    }

    private static object Convert(RegoValue value)
    {
        switch (value)
        {
            case RegoString text:
                return text.Value;
            case RegoNumber number:
                var digits = number.ToText();
                if (BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
                {
                    return integer;
                }

                var real = number.ToDouble();
                return double.IsFinite(real) ? real : digits;
            default:
                return value.ToString();
        }
    }

    private void Run()
    {
        while (_at < _format.Length)
        {
            var percent = _format.IndexOf('%', _at);
            var end = percent < 0 ? _format.Length : percent;
            Append(_format.AsSpan(_at, end - _at));
            _at = end;
            if (percent >= 0)
            {
                _at++;
                Directive();
            }
        }

        if (!_reordered && _next < _arguments.Count)
        {
            Extra();
        }
    }

    private void Extra()
    {
        _flags = default;
        Append("%!(EXTRA ");
        for (var index = _next; index < _arguments.Count; index++)
        {
            Append(index > _next ? ", " : "");
            Append(TypeName(_arguments[index]) + "=");
            Print(_arguments[index], 'v');
        }

        Append(")");
    }

    private void Directive()
    {
        _flags = default;
        _goodIndex = true;
        while (_at < _format.Length && ReadFlag(_format[_at]))
        {
            _at++;
        }

        var afterIndex = ReadIndex();
        if (!ReadWidth(ref afterIndex) || !ReadPrecision(ref afterIndex))
        {
            return;
        }

        if (!afterIndex)
        {
            ReadIndex();
        }

        if (_at >= _format.Length)
        {
            Append("%!(NOVERB)");
            return;
        }

        var verb = Rune.TryGetRuneAt(_format, _at, out var rune) ? rune : Rune.ReplacementChar;
        _at += Rune.TryGetRuneAt(_format, _at, out _) ? verb.Utf16SequenceLength : 1;
        if (verb.Value == '%')
        {
            Append("%");
        }
        else if (!_goodIndex)
        {
            Append($"%!{verb}(BADINDEX)");
        }
        else if (_next >= _arguments.Count)
        {
            Append($"%!{verb}(MISSING)");
        }
        else
        {
            Verb(_arguments[_next++], verb);
        }
    }

    private void Verb(object argument, Rune verb)
    {
        if (verb.Value > 0x7E)
        {
            BadVerb(argument, verb.ToString());
            return;
        }

        if (verb.Value == 'v' && _flags.Sharp)
        {
            _flags = _flags with { Sharp = false, SharpV = true };
        }

        if (verb.Value == 'v' && _flags.Plus)
        {
            _flags = _flags with { Plus = false };
        }

        Print(argument, (char)verb.Value);
    }

    private bool ReadFlag(char c)
    {
        switch (c)
        {
            case '#':
                _flags = _flags with { Sharp = true };
                return true;
            case '0':
                _flags = _flags with { Zero = true };
                return true;
            case '+':
                _flags = _flags with { Plus = true };
                return true;
            case '-':
                _flags = _flags with { Minus = true };
                return true;
            case ' ':
                _flags = _flags with { Space = true };
                return true;
            default:
                return false;
        }
    }

    /// <summary>Reads `[n]`, which names the next argument counting from one.</summary>
    private bool ReadIndex()
    {
        if (_at >= _format.Length || _format[_at] != '[')
        {
            return false;
        }

        _reordered = true;
        var close = _format.IndexOf(']', _at);
        var number = close < 0 ? default : _format.AsSpan((_at + 1)..close);
        _at = close < 0 ? _at + 1 : close + 1;
        if (close >= 0 && number.Length is > 0 and < 8 && !number.ContainsAnyExceptInRange('0', '9')
            && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index >= 1 && index <= _arguments.Count)
        {
            _next = index - 1;
            return true;
        }

        _goodIndex = false;
        return close >= 0;
    }

    private bool ReadWidth(ref bool afterIndex)
    {
        if (_at < _format.Length && _format[_at] == '*')
        {
            _at++;
            var width = NumberArgument();
            if (width is null)
            {
                Append("%!(BADWIDTH)");
            }

            _flags = _flags with { Width = width is { } given ? Math.Abs(given) : null, Minus = _flags.Minus || width < 0 };
            afterIndex = false;
            return true;
        }

        var (number, fits) = ReadNumber();
        _flags = _flags with { Width = number };
        _goodIndex &= !(afterIndex && number is not null);
        return fits;
    }

    private bool ReadPrecision(ref bool afterIndex)
    {
        if (_at >= _format.Length || _format[_at] != '.')
        {
            return true;
        }

        _at++;
        _goodIndex &= !afterIndex;
        afterIndex = ReadIndex();
        if (_at < _format.Length && _format[_at] == '*')
        {
            _at++;
            var precision = NumberArgument();
            if (precision is null)
            {
                Append("%!(BADPREC)");
            }

            _flags = _flags with { Precision = precision < 0 ? null : precision };
            afterIndex = false;
            return true;
        }

        var (number, fits) = ReadNumber();
        _flags = _flags with { Precision = number ?? 0 };
        return fits;
    }

    private int? NumberArgument()
    {
        if (_next >= _arguments.Count)
        {
            return null;
        }

        return _arguments[_next++] is BigInteger number && BigInteger.Abs(number) <= MaxNumber ? (int)number : null;
    }

    private (int? Number, bool Fits) ReadNumber()
    {
        var start = _at;
        var number = 0;
        while (_at < _format.Length && char.IsAsciiDigit(_format[_at]))
        {
            number = (number * 10) + (_format[_at++] - '0');
            if (number > MaxNumber)
            {
                // So long a number swallows the rest of the format, as in Go.
                _at = _format.Length;
                Append("%!(NOVERB)");
                return (null, false);
            }
        }

        return (_at > start ? number : null, true);
    }

    private void Print(object argument, char verb)
    {
        switch (argument)
        {
            case BigInteger integer:
                Integer(integer, verb);
                break;
            case double real:
                Real(real, verb);
                break;
            default:
                Text((string)argument, verb);
                break;
        }
    }

    private static string TypeName(object argument) => argument switch
    {
        BigInteger integer => IsInt(integer) ? "int" : "*big.Int",
        double => "float64",
        _ => "string",
    };

    private static bool IsInt(BigInteger integer) => integer >= long.MinValue && integer <= long.MaxValue;

    private void BadVerb(object argument, string verb)
    {
        Append($"%!{verb}({TypeName(argument).TrimStart('*')}=");
        Print(argument, 'v');
        Append(")");
    }

    private void Integer(BigInteger value, char verb)
    {
        switch (verb)
        {
            case 'v' or 'd':
            case 's' when !IsInt(value):
                Digits(value, 10, verb);
                break;
            case 'b':
                Digits(value, 2, verb);
                break;
            case 'o' or 'O':
                Digits(value, 8, verb);
                break;
            case 'x' or 'X':
                Digits(value, 16, verb);
                break;
            case 'c' when IsInt(value):
                Pad(GoQuote.Character((long)value));
                break;
            case 'q' when IsInt(value):
                Pad(GoQuote.QuoteRune((long)value, _flags.Plus));
                break;
            case 'U' when IsInt(value):
                var text = "U+" + ((long)value).ToString("X4", CultureInfo.InvariantCulture);
                Pad(_flags.Sharp ? $"{text} '{GoQuote.Character((long)value)}'" : text, zeros: false);
                break;
            default:
                BadVerb(value, verb.ToString());
                break;
        }
    }

    private void Digits(BigInteger value, int radix, char verb)
    {
        var negative = value.Sign < 0;
        var digits = Radix.ToText(BigInteger.Abs(value), radix);
        digits = verb == 'X' ? digits.ToUpperInvariant() : digits;
        var least = 0;
        if (_flags.Precision is { } precision)
        {
            least = precision;
            if (precision == 0 && value.IsZero)
            {
                Pad("", zeros: false);
                return;
            }
        }
        else if (_flags.Zero && !_flags.Minus && _flags.Width is { } width)
        {
            least = width - (negative || _flags.Plus || _flags.Space ? 1 : 0);
        }

        _grow(_text.Length + (long)least);
        digits = digits.PadLeft(Math.Max(least, 0), '0');
        var prefix = (verb, radix) switch
        {
            ('O', _) => "0o",
            (_, 2) when _flags.Sharp => "0b",
            (_, 8) when _flags.Sharp && digits[0] != '0' => "0",
            (_, 16) when _flags.Sharp => "0" + verb,
            _ => "",
        };
        Pad((negative ? "-" : _flags.Plus ? "+" : _flags.Space ? " " : "") + prefix + digits, zeros: false);
    }

    private void Real(double value, char verb)
    {
        var (letter, precision) = verb switch
        {
            'v' => ('g', -1),
            'g' or 'G' or 'x' or 'X' or 'b' => (verb, -1),
            'f' or 'F' or 'e' or 'E' => (verb == 'F' ? 'f' : verb, 6),
            _ => ('\0', 0),
        };
        if (letter == '\0')
        {
            BadVerb(value, verb.ToString());
            return;
        }

        precision = _flags.Precision ?? precision;
        _grow(_text.Length + (long)precision);
        var text = FloatText.Format(value, letter, precision);
        var sign = text[0] is '-' ? "-" : _flags.Plus ? "+" : _flags.Space ? " " : "";
        text = text.TrimStart('-', '+');
        text = _flags.Sharp && letter != 'b' ? Sharp(text, letter, precision) : text;
        if (_flags.Zero && !_flags.Minus && _flags.Width is { } width && sign.Length > 0)
        {
            _grow(_text.Length + (long)width);
            Append(sign + text.PadLeft(Math.Max(width - 1, 0), '0'));
            return;
        }

        Pad(sign + text);
    }

    /// <summary>The `#` flag: always a decimal point, and for %g no trailing zeros removed.</summary>
    private static string Sharp(string text, char letter, int precision)
    {
        var tail = text.IndexOfAny(['e', 'E', 'p']);
        var (head, rest) = tail < 0 ? (text, "") : (text[..tail], text[tail..]);
        head = head.Contains('.', StringComparison.Ordinal) ? head : head + ".";
        if (letter is 'g' or 'G')
        {
            var digits = head.Replace(".", "", StringComparison.Ordinal).TrimStart('0').Length;
            head += new string('0', Math.Max((precision < 0 ? 6 : precision) - digits, 0));
        }

        return head + rest;
    }

    private void Text(string value, char verb)
    {
        switch (verb)
        {
            case 'v' when _flags.SharpV:
            case 'q':
                Quoted(Truncated(value));
                break;
            case 'v' or 's':
                Pad(Truncated(value));
                break;
            case 'x' or 'X':
                Hexadecimal(new RegoString(value).ToUtf8(), verb == 'X');
                break;
            default:
                BadVerb(value, verb.ToString());
                break;
        }
    }

    private void Quoted(string value) =>
        Pad(_flags.Sharp && !value.Contains('`', StringComparison.Ordinal) && !value.Any(char.IsControl) ? $"`{value}`"
            : _flags.Plus ? GoQuote.QuoteToAscii(value)
            : GoQuote.Quote(value));

    private void Hexadecimal(byte[] bytes, bool upper)
    {
        var taken = _flags.Precision is { } precision ? bytes.AsSpan(0, Math.Min(precision, bytes.Length)) : bytes;
        var prefix = _flags.Sharp ? (upper ? "0X" : "0x") : "";
        var pairs = new StringBuilder(prefix.Length + (taken.Length * 2));
        for (var index = 0; index < taken.Length; index++)
        {
            pairs.Append(index > 0 && _flags.Space ? " " : "").Append(index == 0 || _flags.Space ? prefix : "");
            pairs.Append(taken[index].ToString(upper ? "X2" : "x2", CultureInfo.InvariantCulture));
        }

        Pad(pairs.ToString());
    }

    private string Truncated(string value)
    {
        if (_flags.Precision is not { } precision)
        {
            return value;
        }

        var at = 0;
        for (var count = 0; count < precision && at < value.Length; count++)
        {
            at += char.IsHighSurrogate(value[at]) && at + 1 < value.Length && char.IsLowSurrogate(value[at + 1]) ? 2 : 1;
        }

        return value[..at];
    }

    private void Pad(string text, bool zeros = true)
    {
        var missing = (_flags.Width ?? 0) - new RegoString(text).CodePointCount;
        if (missing <= 0)
        {
            Append(text);
            return;
        }

        _grow(_text.Length + (long)text.Length + missing);
        if (_flags.Minus)
        {
            _text.Append(text).Append(' ', missing);
        }
        else
        {
            _text.Append(zeros && _flags.Zero ? '0' : ' ', missing).Append(text);
        }
    }

    private void Append(ReadOnlySpan<char> text)
    {
        _grow(_text.Length + (long)text.Length);
        _text.Append(text);
    }

    private readonly record struct Flags(bool Sharp, bool SharpV, bool Zero, bool Plus, bool Minus, bool Space, int? Width, int? Precision);
}

/// <summary>Integers in other bases than ten.</summary>
internal static class Radix
{
    /// <summary>A non-negative integer in base 2, 8, 10 or 16, lower case.</summary>
    public static string ToText(BigInteger value, int radix)
    {
        if (radix == 10 || value.IsZero)
        {
            return value.ToString(CultureInfo.InvariantCulture);
        }

        var hexadecimal = value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
        if (radix == 16)
        {
            return hexadecimal;
        }

        var bits = string.Concat(hexadecimal.Select(digit => System.Convert.ToInt32(digit.ToString(), 16).ToString("b4", CultureInfo.InvariantCulture))).TrimStart('0');
        if (radix == 2)
        {
            return bits;
        }

        var padded = bits.PadLeft((bits.Length + 2) / 3 * 3, '0');
        return string.Concat(padded.Chunk(3).Select(three => (char)('0' + ((three[0] - '0') * 4) + ((three[1] - '0') * 2) + (three[2] - '0'))));
    }
}
