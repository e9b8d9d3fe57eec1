using System.Globalization;
using System.Numerics;
using System.Text;

namespace Assay.Rego.Values;

/// <summary>Digits of decimals.</summary>
internal static class NumberText
{
    public static int DigitCount(BigInteger value)
    {
        value = BigInteger.Abs(value);
        if (value.IsZero)
        {
            return 1;
        }

        // log10 in double is right to far better than one digit; the power of ten next to it decides.
        var estimate = (int)Math.Floor(BigInteger.Log10(value));
        if (value >= BigInteger.Pow(10, estimate + 1))
        {
            estimate++;
        }
        else if (value < BigInteger.Pow(10, estimate))
        {
            estimate--;
        }

        return estimate + 1;
    }

    /// <summary>Moves factors of ten from the mantissa to the exponent, halving the stride.</summary>
    public static (BigInteger Mantissa, int Exponent) StripZeros(BigInteger mantissa, int exponent)
    {
        if (!mantissa.IsEven || !(mantissa % 10).IsZero)
        {
            return (mantissa, exponent);
        }

        var stride = 1;
        while (stride < DigitCount(mantissa))
        {
            stride *= 2;
        }

        for (; stride >= 1; stride /= 2)
        {
            var (quotient, rest) = BigInteger.DivRem(mantissa, BigInteger.Pow(10, stride));
            if (rest.IsZero && !quotient.IsZero)
            {
                (mantissa, exponent) = (quotient, exponent + stride);
            }
        }

        return (mantissa, exponent);
    }

    /// <summary>Integers in full; fractions as Go's %g prints them shortest: with an exponent below 1e-4 and from 1e6 on.</summary>
    public static string Plain(BigInteger mantissa, int exponent)
    {
        var digits = BigInteger.Abs(mantissa).ToString(CultureInfo.InvariantCulture);
        var text = new StringBuilder();
        if (mantissa.Sign < 0)
        {
            text.Append('-');
        }

        if (exponent >= 0)
        {
            return text.Append(digits).Append('0', exponent).ToString();
        }

        var point = digits.Length + exponent;
        if (point - 1 < -4 || point - 1 >= 6)
        {
            text.Append(digits[0]);
            if (digits.Length > 1)
            {
                text.Append('.').Append(digits, 1, digits.Length - 1);
            }

            var power = point - 1;
            return text.Append('e').Append(power < 0 ? '-' : '+').Append(Math.Abs(power).ToString("00", CultureInfo.InvariantCulture)).ToString();
        }

        return point > 0
            ? text.Append(digits, 0, point).Append('.').Append(digits, point, digits.Length - point).ToString()
            : text.Append("0.").Append('0', -point).Append(digits).ToString();
    }
}
