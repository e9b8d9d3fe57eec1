using System.Globalization;
using System.Numerics;
using Assay.Rego.Builtins.Formatting;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Ranges, rounding, bits, and numbers from and to text.</summary>
internal static class NumberBuiltins
{
    public static readonly Builtin[] All =
    [
        new("numbers.range", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Array, (context, arguments) => Range(context, arguments, false)),
        new("numbers.range_step", [RegoTypes.Number, RegoTypes.Number, RegoTypes.Number], RegoTypes.Array, (context, arguments) => Range(context, arguments, true)),
        new("rand.intn", [RegoTypes.String, RegoTypes.Number], RegoTypes.Number, RandomInteger) { Nondeterministic = true },
        new("abs", [RegoTypes.Number], RegoTypes.Number, (context, arguments) => Rounded(context, arguments, Rounding.None)),
        new("ceil", [RegoTypes.Number], RegoTypes.Number, (context, arguments) => Rounded(context, arguments, Rounding.Up)),
        new("floor", [RegoTypes.Number], RegoTypes.Number, (context, arguments) => Rounded(context, arguments, Rounding.Down)),
        new("round", [RegoTypes.Number], RegoTypes.Number, (context, arguments) => Rounded(context, arguments, Rounding.Nearest)),
        new("bits.and", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, (context, arguments) => Bits(context, arguments, (a, b) => a & b)),
        new("bits.or", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, (context, arguments) => Bits(context, arguments, (a, b) => a | b)),
        new("bits.xor", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, (context, arguments) => Bits(context, arguments, (a, b) => a ^ b)),
        new("bits.negate", [RegoTypes.Number], RegoTypes.Number, Negate),
        new("bits.lsh", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, (context, arguments) => Shift(context, arguments, left: true)),
        new("bits.rsh", [RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, (context, arguments) => Shift(context, arguments, left: false)),
        new("format_int", [RegoTypes.Number, RegoTypes.Number], RegoTypes.String, FormatInteger),
        new("to_number", [RegoTypes.Null | RegoTypes.Boolean | RegoTypes.Number | RegoTypes.String], RegoTypes.Number, ToNumber),
    ];

    private enum Rounding
    {
        None,
        Up,
        Down,
        Nearest,
    }

    private static RegoValue? Range(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool stepped)
    {
        var step = BigInteger.One;
        if (!context.TryInteger(arguments, 0, out var from) || !context.TryInteger(arguments, 1, out var to)
            || (stepped && !context.TryInteger(arguments, 2, out step)))
        {
            return null;
        }

        if (step.Sign <= 0)
        {
            return context.Fail("step must be a positive integer");
        }

        var count = (BigInteger.Abs(to - from) / step) + 1;
        if (count > int.MaxValue / 64)
        {
            throw EvaluationHalt.OverBudget($"a range of {(count.GetBitLength() > 200 ? "too many" : count.ToString(CultureInfo.InvariantCulture))} numbers");
        }

        context.Charge(64 + ((32 + Math.Max(from.GetByteCount(), to.GetByteCount())) * (long)count));
        var numbers = new RegoValue[(int)count];
        var stride = to >= from ? step : -step;
        for (var index = 0; index < numbers.Length; index++)
        {
            context.Tick();
            numbers[index] = RegoNumber.Of(from + (stride * index));
        }

        return RegoArray.Over(numbers);
    }

    private static RegoValue? RandomInteger(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var seed) || !context.TryInteger(arguments, 1, out var bound))
        {
            return null;
        }

        bound = BigInteger.Abs(bound);
        if (bound.IsZero)
        {
            return RegoNumber.Zero;
        }

        var key = ("rand.intn", seed.Value, bound);
        if (context.QueryCache.TryGetValue(key, out var known))
        {
            return (RegoValue)known;
        }

        if (context.Environment.Random is not { } fill)
        {
            return context.Fail("no source of randomness was given to this evaluation");
        }

        // Eight bytes more than the bound has make the bias of the remainder negligible.
        var bytes = new byte[bound.GetByteCount() + 8];
        fill(bytes);
        var drawn = RegoNumber.Of(new BigInteger(bytes, isUnsigned: true) % bound);
        context.QueryCache[key] = drawn;
        return drawn;
    }

    private static RegoValue? Rounded(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, Rounding rounding)
    {
        if (!context.TryNumber(arguments, 0, out var number))
        {
            return null;
        }

        if (rounding is Rounding.None)
        {
            return number.Sign >= 0 ? number : RegoArithmetic.Subtract(RegoNumber.Zero, number);
        }

        if (number.IsInteger)
        {
            return number;
        }

        var (mantissa, exponent) = number.ToDecimal();
        // Below 0.1 the whole part is zero, and the power of ten need not be written out.
        if (NumberText.DigitCount(mantissa) + exponent < 0)
        {
            return RegoNumber.Of(rounding is Rounding.Up && mantissa.Sign > 0 ? 1 : rounding is Rounding.Down && mantissa.Sign < 0 ? -1 : 0);
        }

        var unit = BigInteger.Pow(10, -exponent);
        var whole = BigInteger.DivRem(mantissa, unit, out var rest);
        var away = rounding switch
        {
            Rounding.Up => rest.Sign > 0,
            Rounding.Down => rest.Sign < 0,
            _ => BigInteger.Abs(rest) * 2 >= unit,
        };
        return RegoNumber.Of(away ? whole + mantissa.Sign : whole);
    }

    private static RegoValue? Bits(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, Func<BigInteger, BigInteger, BigInteger> operation)
    {
        if (!context.TryInteger(arguments, 0, out var a) || !context.TryInteger(arguments, 1, out var b))
        {
            return null;
        }

        context.Charge(64 + Math.Max(a.GetByteCount(), b.GetByteCount()));
        return RegoNumber.Of(operation(a, b));
    }

    private static RegoValue? Negate(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryInteger(arguments, 0, out var value) ? RegoNumber.Of(-value - 1) : null;

    private static RegoValue? Shift(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool left)
    {
        if (!context.TryInteger(arguments, 0, out var value) || !context.TryInteger(arguments, 1, out var distance))
        {
            return null;
        }

        if (distance.Sign < 0)
        {
            return context.FailOperand(2, "must be an unsigned integer number but got a negative integer");
        }

        if (!left)
        {
            return RegoNumber.Of(distance > RegoNumber.MaxIntegerBits ? (value.Sign < 0 ? -1 : 0) : value >> (int)distance);
        }

        if (value.IsZero)
        {
            return RegoNumber.Zero;
        }

        if (distance + value.GetBitLength() > RegoNumber.MaxIntegerBits)
        {
            throw EvaluationHalt.OverBudget("a number is too large");
        }

        context.Charge(64 + ((long)distance / 8) + value.GetByteCount());
        return RegoNumber.Of(value << (int)distance);
    }

    private static RegoValue? FormatInteger(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryNumber(arguments, 0, out var number) || !context.TryNumber(arguments, 1, out var radix))
        {
            return null;
        }

        if (!radix.TryGetInt32(out var places) || places is not (2 or 8 or 10 or 16))
        {
            return context.FailOperand(2, "must be one of {2, 8, 10, 16}");
        }

        if (!number.TryGetInteger(out var value))
        {
            var (mantissa, exponent) = number.ToDecimal();
            value = NumberText.DigitCount(mantissa) + exponent < 0 ? BigInteger.Zero : mantissa / BigInteger.Pow(10, -exponent);
        }

        context.Charge(64 + (16L * value.GetByteCount()));
        return new RegoString((value.Sign < 0 ? "-" : "") + Radix.ToText(BigInteger.Abs(value), places));
    }

    private static RegoValue? ToNumber(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        switch (arguments[0])
        {
            case RegoNull:
                return RegoNumber.Zero;
            case RegoBoolean boolean:
                return RegoNumber.Of(boolean.Value ? 1 : 0);
            case RegoNumber number:
                return number;
            case RegoString text:
                return FromText(context, text.Value);
            default:
                return context.FailOperandKind(1, arguments[0], RegoKind.Null, RegoKind.Boolean, RegoKind.Number, RegoKind.String);
        }
    }

    private static RegoValue? FromText(BuiltinContext context, string text)
    {
        var bare = text.TrimStart('+', '-').ToLowerInvariant();
        if (bare is "inf" or "infinity" or "nan" && text.Length - bare.Length <= 1)
        {
            return context.FailOperand(1, "must be valid number string");
        }

        // Go reads also what JSON does not: a leading plus, leading zeros, a point without digits on one side.
        var sign = text.StartsWith('-') ? "-" : "";
        var rest = text.AsSpan(text.StartsWith('-') || text.StartsWith('+') ? 1 : 0);
        var end = rest.IndexOfAny('e', 'E');
        var mantissa = end < 0 ? rest : rest[..end];
        var exponent = end < 0 ? "" : rest[end..].ToString();
        var point = mantissa.IndexOf('.');
        var whole = (point < 0 ? mantissa : mantissa[..point]).ToString();
        var fraction = point < 0 ? "" : mantissa[(point + 1)..].ToString();
        var tidy = sign + (whole.TrimStart('0') is { Length: > 0 } digits ? digits : "0") + (fraction.Length > 0 ? "." + fraction : "") + exponent;
        return whole.Length + fraction.Length > 0 && RegoNumber.TryParse(tidy, out var number)
            ? number
            : context.Fail($"strconv.ParseFloat: parsing {GoQuote.Quote(text)}: invalid syntax");
    }
}
