using System.Globalization;
using System.Numerics;

namespace Assay.Rego.Builtins.Formatting;

/// <summary>Doubles as Go's strconv.FormatFloat writes them, rounded to nearest, ties to even.</summary>
internal static class FloatText
{
    private const int MantissaBits = 52;
    private const int ShortestThreshold = 6;

    // Digits after the point: 2^-1074 has 1074 of them. Significant ones are at most 767.
    private const int MostDigits = 1100;

    /// <param name="value">The number.</param>
    /// <param name="verb">One of e E f g G b x X.</param>
    /// <param name="precision">The number of digits as the verb counts them; -1 for the fewest that give the same double.</param>
    public static string Format(double value, char verb, int precision)
    {
        if (double.IsNaN(value))
        {
            return "NaN";
        }

        var sign = double.IsNegative(value) ? "-" : "";
        value = Math.Abs(value);
        if (double.IsInfinity(value))
        {
            return sign.Length > 0 ? "-Inf" : "+Inf";
        }

        return sign + verb switch
        {
            'b' => Binary(value),
            'x' => Hexadecimal(value, precision),
            'X' => Hexadecimal(value, precision).ToUpperInvariant(),
            'f' or 'F' => Fixed(precision < 0 ? Shortest(value) : Rounded(value, precision, true), precision),
            'e' or 'E' => Exponent(precision < 0 ? Shortest(value) : Rounded(value, precision + 1, false), precision, verb),
            _ => General(value, precision, verb == 'G' ? 'E' : 'e'),
        };
    }

    private static string General(double value, int precision, char letter)
    {
        var shortest = precision < 0;
        precision = precision == 0 ? 1 : precision;
        var (digits, point) = shortest ? Shortest(value) : Trimmed(Rounded(value, precision, false));
        var threshold = shortest ? ShortestThreshold : precision > digits.Length && digits.Length >= point ? digits.Length : precision;
        var exponent = point - 1;
        return exponent < -4 || exponent >= threshold
            ? Exponent((digits, point), digits.Length - 1, letter)
            : Fixed((digits, point), Math.Max(digits.Length - point, 0));
    }

    private static (string Digits, int Point) Trimmed((string Digits, int Point) number)
    {
        var digits = number.Digits.TrimEnd('0');
        return digits.Length == 0 ? ("0", 1) : (digits, number.Point);
    }

    private static string Fixed((string Digits, int Point) number, int precision)
    {
        var (digits, point) = number;
        precision = precision < 0 ? Math.Max(digits.Length - point, 0) : precision;
        var whole = point > 0 ? digits[..Math.Min(point, digits.Length)].PadRight(point, '0') : "0";
        if (precision == 0)
        {
            return whole;
        }

        var fraction = point >= digits.Length ? "" : point >= 0 ? digits[point..] : new string('0', Math.Min(-point, precision)) + digits;
        return whole + "." + (fraction.Length > precision ? fraction[..precision] : fraction.PadRight(precision, '0'));
    }

    private static string Exponent((string Digits, int Point) number, int precision, char letter)
    {
        var (digits, point) = number;
        var exponent = digits.Trim('0').Length == 0 ? 0 : point - 1;
        var fraction = precision < 0 ? digits[1..] : digits[1..].PadRight(precision, '0');
        var dotted = fraction.Length > 0 ? digits[..1] + "." + fraction : digits[..1];
        return $"{dotted}{letter}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
    }

    private static (string Digits, int Point) Shortest(double value)
    {
        if (value == 0)
        {
            return ("0", 1);
        }

        var text = value.ToString("E16", CultureInfo.InvariantCulture);
        var brief = value.ToString("R", CultureInfo.InvariantCulture);
        var mantissa = brief.Split('E')[0].Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        var exponent = int.Parse(text.AsSpan(text.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return (mantissa, Point(mantissa, value, exponent));
    }

    // Seventeen digits may round up to the next power of ten (9.9999999999999999E0 as 1.0000000000000000E1); the shortest digits then begin with 9.
    private static int Point(string mantissa, double value, int exponent)
    {
        foreach (var candidate in (ReadOnlySpan<int>)[exponent, exponent - 1, exponent + 1])
        {
            var text = $"{mantissa[..1]}.{mantissa[1..].PadRight(1, '0')}E{candidate}";
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var back) && back.Equals(value))
            {
                return candidate + 1;
            }
        }

        return exponent + 1;
    }

    /// <summary>The exact value rounded to a number of digits: after the point, or in all.</summary>
    private static (string Digits, int Point) Rounded(double value, int count, bool afterPoint)
    {
        if (value == 0)
        {
            return ("0", 1);
        }

        // Whoever asks for a million digits gets zeros behind those that there are: no double has more.
        count = Math.Min(count, MostDigits);
        var (mantissa, exponent) = Parts(value);
        // value = numerator / 2^shift, exactly; scaling by ten to the digits wanted makes the rest a rounding of one division.
        var scale = afterPoint ? count : count - DecimalPoint(value);
        var (digits, point) = Divide(mantissa, exponent, scale);
        if (!afterPoint && digits.Length > count)
        {
            (digits, point) = Divide(mantissa, exponent, scale - 1);
        }

        return (digits, point);
    }

    private static int DecimalPoint(double value)
    {
        var text = value.ToString("E16", CultureInfo.InvariantCulture);
        var point = int.Parse(text.AsSpan(text.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) + 1;
        // The seventeen digits may have been rounded up to a power of ten that the value does not reach.
        return text.StartsWith("1.0000000000000000", StringComparison.Ordinal) && BelowPower(value, point - 1) ? point - 1 : point;
    }

    private static bool BelowPower(double value, int power)
    {
        var (mantissa, exponent) = Parts(value);
        var (left, right) = (new BigInteger(mantissa), BigInteger.One);
        (left, right) = exponent >= 0 ? (left << exponent, right) : (left, right << -exponent);
        (left, right) = power >= 0 ? (left, right * BigInteger.Pow(10, power)) : (left * BigInteger.Pow(10, -power), right);
        return left < right;
    }

    private static (string Digits, int Point) Divide(long mantissa, int exponent, int scale)
    {
        var (numerator, denominator) = (new BigInteger(mantissa), BigInteger.One);
        (numerator, denominator) = exponent >= 0 ? (numerator << exponent, denominator) : (numerator, denominator << -exponent);
        (numerator, denominator) = scale >= 0
            ? (numerator * BigInteger.Pow(10, scale), denominator)
            : (numerator, denominator * BigInteger.Pow(10, -scale));
        var quotient = BigInteger.DivRem(numerator, denominator, out var rest);
        var half = (rest * 2).CompareTo(denominator);
        if (half > 0 || (half == 0 && !quotient.IsEven))
        {
            quotient += 1;
        }

        var digits = quotient.ToString(CultureInfo.InvariantCulture);
        return (digits, digits.Length - scale);
    }

    private static (long Mantissa, int Exponent) Parts(double value)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)(bits >> MantissaBits & 0x7FF);
        var mantissa = bits & ((1L << MantissaBits) - 1);
        return exponent == 0 ? (mantissa, -1074) : (mantissa | (1L << MantissaBits), exponent - 1075);
    }

    private static string Binary(double value)
    {
        var (mantissa, exponent) = Parts(value);
        return $"{mantissa.ToString(CultureInfo.InvariantCulture)}p{(exponent < 0 ? "" : "+")}{exponent.ToString(CultureInfo.InvariantCulture)}";
    }

    private static string Hexadecimal(double value, int precision)
    {
        var (mantissa, exponent) = Parts(value);
        if (mantissa == 0)
        {
            return precision > 0 ? "0x0." + new string('0', precision) + "p+00" : "0x0p+00";
        }

        while (mantissa >> MantissaBits == 0)
        {
            mantissa <<= 1;
            exponent--;
        }

        exponent += MantissaBits;
        if (precision is >= 0 and < 13)
        {
            var drop = MantissaBits - (4 * precision);
            var (kept, rest, half) = (mantissa >> drop, mantissa & ((1L << drop) - 1), 1L << (drop - 1));
            kept += rest > half || (rest == half && (kept & 1) == 1) ? 1 : 0;
            mantissa = kept << drop;
            if (mantissa >> MantissaBits > 1)
            {
                mantissa >>= 1;
                exponent++;
            }
        }

        var digits = (mantissa & ((1L << MantissaBits) - 1)).ToString("x13", CultureInfo.InvariantCulture);
        digits = precision < 0 ? digits.TrimEnd('0') : digits.PadRight(precision, '0')[..precision];
        return $"0x1{(digits.Length > 0 ? "." : "")}{digits}p{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
    }
}
