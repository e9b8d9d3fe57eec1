using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>
/// A number: an exact decimal of any size, mantissa × 10^exponent. A literal keeps its spelling for printing; equality,
/// order and hash go by value (3.0 equals 3). Integers that fit in 64 bits take a short way.
/// </summary>
public sealed class RegoNumber : RegoValue
{
    /// <summary>The longest number text that is read, in characters.</summary>
    internal const int MaxTextLength = 10_000;

    /// <summary>The largest power of ten that is read, either way. Go's own limit is higher, but 1e100000 is already 41 kB when written out.</summary>
    internal const int MaxExponent = 100_000;

    /// <summary>The most bits an integer that arithmetic makes may have.</summary>
    internal const int MaxIntegerBits = 1 << 16;

    // Integers below this many digits are held with exponent 0; longer ones and fractions with a mantissa that 10 does not divide.
    private const int PlainDigits = 400;

    private const int CachedFrom = -128;
    private static readonly RegoNumber[] s_cached = [.. Enumerable.Range(CachedFrom, 1024 + 128).Select(value => new RegoNumber(value, null))];

    private readonly long _small;
    private readonly Wide? _wide;
    private readonly string? _text;

    private RegoNumber(long small, string? text)
    {
        _small = small;
        _text = text;
    }

    private RegoNumber(Wide wide, string? text)
    {
        _wide = wide;
        _text = text;
    }

    /// <summary>0.</summary>
    public static RegoNumber Zero => s_cached[-CachedFrom];

    /// <summary>1.</summary>
    public static RegoNumber One => s_cached[1 - CachedFrom];

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Number;

    // With the digits that it is written with: 1e18000 is small until somebody prints it.
    internal override long OwnSize => _wide is null ? 32 : 80 + 6L * _wide.Mantissa.GetByteCount() + 2L * (_text?.Length ?? Math.Max(_wide.Exponent, 0));

    /// <summary>Whether the value is integral: 4.0 and 1e6 are.</summary>
    public bool IsInteger => _wide is null || _wide.Exponent >= 0;

    /// <summary>−1, 0 or 1.</summary>
    public int Sign => _wide is null ? Math.Sign(_small) : _wide.Mantissa.Sign;

    /// <summary>The spelling in the source, when it was read and is not the plain one; else null.</summary>
    internal string? Spelling => _text;

    /// <summary>The number of an integer.</summary>
    public static RegoNumber Of(long value) =>
        value is >= CachedFrom and < 1024 ? s_cached[value - CachedFrom] : new RegoNumber(value, null);

    /// <summary>The number of an integer. Integers above <see cref="MaxIntegerBits"/> are over budget.</summary>
    public static RegoNumber Of(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return Of((long)value);
        }

        return value.GetBitLength() <= MaxIntegerBits ? Normal(value, 0, null) : throw EvaluationHalt.OverBudget("a number is too large");
    }

    /// <summary>The number mantissa × 10^exponent.</summary>
    public static RegoNumber Of(BigInteger mantissa, int exponent) => Normal(mantissa, exponent, null);

    /// <summary>The number that a finite double prints as, shortest.</summary>
    public static RegoNumber Of(double value) =>
        TryParse(value.ToString("R", CultureInfo.InvariantCulture), out var number) ? number : throw new ArgumentOutOfRangeException(nameof(value));

    /// <summary>Reads a number as JSON and Rego write it: <c>-?digits[.digits][e[±]digits]</c>. Leading zeros are refused.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out RegoNumber? number)
    {
        number = null;
        if (text.IsEmpty || text.Length > MaxTextLength)
        {
            return false;
        }

        if (text.Length < 18 && text.IndexOfAnyExceptInRange('0', '9') < 0)
        {
            if (text[0] == '0' && text.Length > 1)
            {
                return false;
            }

            _ = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var small);
            number = Of(small);
            return true;
        }

        var at = text[0] == '-' ? 1 : 0;
        var whole = Digits(text, ref at);
        if (whole.IsEmpty || whole.Length > 1 && whole[0] == '0')
        {
            return false;
        }

        var fraction = ReadOnlySpan<char>.Empty;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            fraction = Digits(text, ref at);
            if (fraction.IsEmpty)
            {
                return false;
            }
        }

        var exponent = 0;
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            at++;
            var negative = at < text.Length && text[at] == '-';
            at += at < text.Length && text[at] is '+' or '-' ? 1 : 0;
            var power = Digits(text, ref at);
            if (power.IsEmpty || !int.TryParse(power, NumberStyles.None, CultureInfo.InvariantCulture, out exponent) || exponent > MaxExponent)
            {
                return false;
            }

            exponent = negative ? -exponent : exponent;
        }

        if (at != text.Length)
        {
            return false;
        }

        var mantissa = BigInteger.Parse(string.Concat(whole, fraction), NumberStyles.None, CultureInfo.InvariantCulture);
        number = Normal(text[0] == '-' ? -mantissa : mantissa, exponent - fraction.Length, text.ToString());
        return true;
    }

    /// <summary>The value as a 64-bit integer, when it is one.</summary>
    public bool TryGetInt64(out long value)
    {
        value = _small;
        return _wide is null;
    }

    /// <summary>The value as a 32-bit integer, when it is one.</summary>
    public bool TryGetInt32(out int value)
    {
        var fits = _wide is null && _small is >= int.MinValue and <= int.MaxValue;
        value = fits ? (int)_small : 0;
        return fits;
    }

    /// <summary>The value as an integer of any size, when it is integral. Powers of ten beyond <see cref="MaxIntegerBits"/> are over budget.</summary>
    public bool TryGetInteger(out BigInteger value)
    {
        if (_wide is null)
        {
            value = _small;
            return true;
        }

        if (_wide.Exponent < 0)
        {
            value = default;
            return false;
        }

        Arithmetic(_wide.Exponent);
        if (_wide.Exponent > MaxIntegerBits / 3)
        {
            throw EvaluationHalt.OverBudget("a number is too large");
        }

        value = _wide.Mantissa * BigInteger.Pow(10, _wide.Exponent);
        return true;
    }

    /// <summary>Mantissa and power of ten.</summary>
    internal (BigInteger Mantissa, int Exponent) ToDecimal() => _wide is null ? (_small, 0) : (_wide.Mantissa, _wide.Exponent);

    /// <summary>The nearest double; infinite beyond its range.</summary>
    public double ToDouble() =>
        _wide is null ? _small : double.TryParse(ToText(), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : 0;

    /// <summary>The text by which the number prints: its own spelling, or the plain one.</summary>
    public string ToText()
    {
        if (_wide is not null && _text is null)
        {
            Arithmetic(Math.Abs(_wide.Exponent) + 2L * _wide.Mantissa.GetByteCount());
        }

        return Text();
    }

    private string Text() => _text ?? (_wide is null ? _small.ToString(CultureInfo.InvariantCulture) : NumberText.Plain(_wide.Mantissa, _wide.Exponent));

    /// <inheritdoc/>
    public override int GetHashCode() =>
        _wide is null ? HashCode.Combine(_small) : HashCode.Combine(_wide.Mantissa.GetHashCode(), _wide.Exponent);

    internal override int CompareSameKind(RegoValue other)
    {
        var that = (RegoNumber)other;
        if (_wide is null && that._wide is null)
        {
            return _small.CompareTo(that._small);
        }

        if (Sign != that.Sign)
        {
            return Sign.CompareTo(that.Sign);
        }

        var (left, leftExponent) = ToDecimal();
        var (right, rightExponent) = that.ToDecimal();
        Arithmetic(Math.Abs((long)leftExponent - rightExponent) + left.GetByteCount() + right.GetByteCount());
        // Where the leading digits stand decides first, so that 1e100000 is never written out to compare it with 2.
        var leading = (NumberText.DigitCount(left) + leftExponent).CompareTo(NumberText.DigitCount(right) + rightExponent);
        if (leading != 0)
        {
            return Sign >= 0 ? leading : -leading;
        }

        return leftExponent >= rightExponent
            ? (left * BigInteger.Pow(10, leftExponent - rightExponent)).CompareTo(right)
            : left.CompareTo(right * BigInteger.Pow(10, rightExponent - leftExponent));
    }

    internal override bool EqualsSameKind(RegoValue other)
    {
        var that = (RegoNumber)other;
        if (_wide is null || that._wide is null)
        {
            return _wide is null && that._wide is null && _small == that._small;
        }

        return _wide.Exponent == that._wide.Exponent && _wide.Mantissa == that._wide.Mantissa;
    }

    /// <summary>Counts the work of an operation on numbers of so many digits: more than linear in them.</summary>
    internal static void Arithmetic(long digits)
    {
        if (digits > 64)
        {
            Work.Tick(digits / 16 + digits * digits / (1 << 10));
        }
    }

    // One form per value: equality compares forms.
    private static RegoNumber Normal(BigInteger mantissa, int exponent, string? text)
    {
        if (mantissa.IsZero)
        {
            return text is null or "0" ? Zero : new RegoNumber(0, text);
        }

        Arithmetic(3L * mantissa.GetByteCount());
        var digits = NumberText.DigitCount(mantissa);
        if (exponent < 0 || digits + exponent > PlainDigits)
        {
            (mantissa, exponent) = NumberText.StripZeros(mantissa, exponent);
        }

        if (exponent > 0 && NumberText.DigitCount(mantissa) + exponent <= PlainDigits)
        {
            (mantissa, exponent) = (mantissa * BigInteger.Pow(10, exponent), 0);
        }

        if (exponent == 0 && mantissa >= long.MinValue && mantissa <= long.MaxValue)
        {
            var small = (long)mantissa;
            return text is null || text == small.ToString(CultureInfo.InvariantCulture) ? Of(small) : new RegoNumber(small, text);
        }

        return new RegoNumber(new Wide(mantissa, exponent), text);
    }

    private static ReadOnlySpan<char> Digits(ReadOnlySpan<char> text, scoped ref int at)
    {
        var rest = text[at..];
        var end = rest.IndexOfAnyExceptInRange('0', '9');
        rest = end < 0 ? rest : rest[..end];
        at += rest.Length;
        return rest;
    }

    private sealed record Wide(BigInteger Mantissa, int Exponent);
}
