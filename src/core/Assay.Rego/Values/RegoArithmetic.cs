using System.Numerics;
using Assay.Rego.Diagnostics;

namespace Assay.Rego.Values;

/// <summary>
/// OPA's arithmetic. Integers of any size are exact. Everything else is binary floating point with a 64-bit mantissa and an
/// unlimited exponent, rounded to nearest even after every step; the result is the shortest decimal that gives the same value.
/// </summary>
internal static class RegoArithmetic
{
    public static RegoNumber Add(RegoNumber left, RegoNumber right)
    {
        if (left.TryGetInt64(out var a) && right.TryGetInt64(out var b))
        {
            var sum = unchecked(a + b);
            if (((a ^ sum) & (b ^ sum)) >= 0)
            {
                return RegoNumber.Of(sum);
            }
        }

        return Integers(left, right, out var x, out var y) ? RegoNumber.Of(x + y) : (Binary.From(left) + Binary.From(right)).ToNumber();
    }

    public static RegoNumber Subtract(RegoNumber left, RegoNumber right)
    {
        if (left.TryGetInt64(out var a) && right.TryGetInt64(out var b))
        {
            var difference = unchecked(a - b);
            if (((a ^ b) & (a ^ difference)) >= 0)
            {
                return RegoNumber.Of(difference);
            }
        }

        return Integers(left, right, out var x, out var y) ? RegoNumber.Of(x - y) : (Binary.From(left) - Binary.From(right)).ToNumber();
    }

    public static RegoNumber Multiply(RegoNumber left, RegoNumber right)
    {
        if (left.TryGetInt64(out var a) && right.TryGetInt64(out var b) && Math.BigMul(a, b, out var low) == low >> 63)
        {
            return RegoNumber.Of(low);
        }

        return Integers(left, right, out var x, out var y) ? RegoNumber.Of(x * y) : (Binary.From(left) * Binary.From(right)).ToNumber();
    }

    /// <summary>The quotient; null when the divisor is zero.</summary>
    public static RegoNumber? Divide(RegoNumber left, RegoNumber right)
    {
        if (right.Sign == 0)
        {
            return null;
        }

        if (left.TryGetInt32(out var a) && right.TryGetInt32(out var b) && (long)a % b == 0)
        {
            return RegoNumber.Of((long)a / b);
        }

        return (Binary.From(left) / Binary.From(right)).ToNumber();
    }

    /// <summary>The remainder, with the sign of the dividend; null when the divisor is zero. Both must be integers.</summary>
    public static RegoNumber? Remainder(RegoNumber left, RegoNumber right)
    {
        if (right.Sign == 0)
        {
            return null;
        }

        if (left.TryGetInt64(out var a) && right.TryGetInt64(out var b))
        {
            return b == -1 ? RegoNumber.Zero : RegoNumber.Of(a % b);
        }

        return Integers(left, right, out var x, out var y) ? RegoNumber.Of(BigInteger.Remainder(x, y)) : null;
    }

    private static bool Integers(RegoNumber left, RegoNumber right, out BigInteger a, out BigInteger b)
    {
        (a, b) = (default, default);
        RegoNumber.Arithmetic((left.OwnSize + right.OwnSize - 160) * 3);
        return left.IsInteger && right.IsInteger && left.TryGetInteger(out a) && right.TryGetInteger(out b);
    }

    /// <summary>mantissa × 2^exponent, the mantissa of 64 bits at most.</summary>
    private readonly record struct Binary(BigInteger Mantissa, int Exponent)
    {
        private const int Precision = 64;

        public static Binary From(RegoNumber number)
        {
            var (mantissa, exponent) = number.ToDecimal();
            RegoNumber.Arithmetic(Math.Abs((long)exponent) + 3L * mantissa.GetByteCount());
            return exponent >= 0
                ? Round(mantissa * BigInteger.Pow(10, exponent), 0)
                : Quotient(mantissa, 0, BigInteger.Pow(10, -exponent), 0);
        }

        public static Binary operator +(Binary left, Binary right)
        {
            var low = Math.Min(left.Exponent, right.Exponent);
            // A summand that is too small to reach even the rounding of the other would only cost memory.
            if (Math.Abs((long)left.Exponent - right.Exponent) > 4 * Precision)
            {
                var (large, small) = left.Exponent >= right.Exponent ? (left, right) : (right, left);
                return large.Mantissa.IsZero ? small : small.Mantissa.IsZero ? large : large;
            }

            return Round((left.Mantissa << left.Exponent - low) + (right.Mantissa << right.Exponent - low), low);
        }

        public static Binary operator -(Binary left, Binary right) => left + right with { Mantissa = -right.Mantissa };

        public static Binary operator *(Binary left, Binary right) => Round(left.Mantissa * right.Mantissa, left.Exponent + right.Exponent);

        public static Binary operator /(Binary left, Binary right) => Quotient(left.Mantissa, left.Exponent, right.Mantissa, right.Exponent);

        /// <summary>The shortest decimal that rounds to this value.</summary>
        public RegoNumber ToNumber()
        {
            if (Mantissa.IsZero)
            {
                return RegoNumber.Zero;
            }

            if (Math.Abs((long)Exponent) > RegoNumber.MaxIntegerBits)
            {
                throw EvaluationHalt.OverBudget("a number is too large or too small");
            }

            // Writing out the decimal takes several long operations.
            RegoNumber.Arithmetic(2 * Math.Abs((long)Exponent));
            if (Exponent >= 0)
            {
                return RegoNumber.Of(Mantissa << Exponent);
            }

            // value = Mantissa / 2^scale; exact decimal = Mantissa · 5^scale / 10^scale.
            var scale = -Exponent;
            var five = BigInteger.Pow(5, scale);
            var exact = Mantissa * five;
            var digits = NumberText.DigitCount(exact);
            for (var kept = Math.Min(digits, 18); kept < Math.Min(digits, 23); kept++)
            {
                var cut = digits - kept;
                var unit = BigInteger.Pow(10, cut);
                var half = unit / 2;
                var rounded = BigInteger.Divide(exact + (exact.Sign >= 0 ? half : -half), unit);
                var (shorter, power) = NumberText.StripZeros(rounded, cut - scale);
                if (From(RegoNumber.Of(shorter, power)) == Canonical())
                {
                    return Shorten(exact, digits, scale, kept);
                }
            }

            return RegoNumber.Of(exact, -scale);
        }

        private RegoNumber Shorten(BigInteger exact, int digits, int scale, int known)
        {
            var target = Canonical();
            RegoNumber best = RegoNumber.Of(exact, -scale);
            for (var kept = known; kept >= 1; kept--)
            {
                var cut = digits - kept;
                var unit = BigInteger.Pow(10, cut);
                var half = unit / 2;
                var candidate = RegoNumber.Of(BigInteger.Divide(exact + (exact.Sign >= 0 ? half : -half), unit), cut - scale);
                if (From(candidate) != target)
                {
                    break;
                }

                best = candidate;
            }

            return best;
        }

        private Binary Canonical() => Round(Mantissa, Exponent);

        private static Binary Quotient(BigInteger numerator, int numeratorExponent, BigInteger divisor, int divisorExponent)
        {
            if (numerator.IsZero)
            {
                return new Binary(BigInteger.Zero, 0);
            }

            // Enough bits that the quotient has two more than are kept, and one that stands for the rest.
            var shift = (int)Math.Max(0, Precision + 2 + divisor.GetBitLength() - BigInteger.Abs(numerator).GetBitLength());
            var (quotient, rest) = BigInteger.DivRem(numerator << shift, divisor);
            var sticky = rest.IsZero ? 0 : numerator.Sign * divisor.Sign;
            return Round((quotient << 1) + sticky, numeratorExponent - divisorExponent - shift - 1);
        }

        private static Binary Round(BigInteger mantissa, int exponent)
        {
            if (mantissa.IsZero)
            {
                return new Binary(BigInteger.Zero, 0);
            }

            var negative = mantissa.Sign < 0;
            var size = BigInteger.Abs(mantissa);
            var excess = (int)size.GetBitLength() - Precision;
            if (excess > 0)
            {
                var cut = size & ((BigInteger.One << excess) - 1);
                var half = BigInteger.One << (excess - 1);
                size >>= excess;
                exponent += excess;
                if (cut > half || cut == half && !size.IsEven)
                {
                    size += 1;
                }
            }

            // One form per value: odd mantissas.
            var zeros = (int)BigInteger.TrailingZeroCount(size);
            return new Binary((negative ? -1 : 1) * (size >> zeros), exponent + zeros);
        }
    }
}
