using System.Globalization;
using System.Numerics;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Amounts with units: <c>10Ki</c>, <c>200m</c>, <c>1.5GiB</c>.</summary>
internal static class UnitBuiltins
{
    private const int MaxExponentDigits = 6;
    private const int MaxText = 256;
    private const int MaxExponent = 10_000;

    // What is not integral is given with ten decimals, as OPA does.
    private const int Decimals = 10;

    public static readonly Builtin[] All =
    [
        new("units.parse", [RegoTypes.String], RegoTypes.Number, (context, arguments) => Parse(context, arguments, bytes: false)),
        new("units.parse_bytes", [RegoTypes.String], RegoTypes.Number, (context, arguments) => Parse(context, arguments, bytes: true)),
    ];

    private static RegoValue? Parse(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool bytes)
    {
        if (!context.TryString(arguments, 0, out var operand))
        {
            return null;
        }

        var kind = bytes ? "byte " : "";
        var text = operand.Value.Replace("\"", "", StringComparison.Ordinal);
        if (text.Contains(' ', StringComparison.Ordinal))
        {
            return context.Fail("spaces not allowed in resource strings");
        }

        if (text.Length > MaxText)
        {
            return context.Fail($"longer than {MaxText} characters");
        }

        var length = NumberLength(text, out var exponentDigits);
        var unit = text[length..];
        if (length == 0)
        {
            return context.Fail($"no {kind}amount provided");
        }

        if (exponentDigits > MaxExponentDigits)
        {
            return context.Fail("exponent too large");
        }

        if (!TryAmount(text[..length], out var mantissa, out var exponent))
        {
            return context.Fail($"could not parse {kind}amount to a number");
        }

        if (Math.Abs(exponent) > MaxExponent)
        {
            throw EvaluationHalt.OverBudget("an amount is too large");
        }

        context.Charge(64 + (8L * Math.Abs(exponent)));
        return (bytes ? ByteScale(unit) : Scale(unit)) is { } scale
            ? Amount(mantissa * scale.Up, exponent, scale.Down, bytes)
            : context.Fail($"{kind}unit {unit} not recognized");
    }

    /// <summary>The longest run that reads as a number; an <c>e</c> belongs to it only when a digit or a sign follows.</summary>
    private static int NumberLength(string text, out int exponentDigits)
    {
        exponentDigits = 0;
        var at = 0;
        while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.'))
        {
            at++;
        }

        if (at == 0 || at + 1 >= text.Length || text[at] is not ('e' or 'E') || !(char.IsAsciiDigit(text[at + 1]) || text[at + 1] is '+' or '-'))
        {
            return at;
        }

        at += text[at + 1] is '+' or '-' ? 2 : 1;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
            exponentDigits++;
        }

        return at;
    }

    private static bool TryAmount(string text, out BigInteger mantissa, out int exponent)
    {
        (mantissa, exponent) = (0, 0);
        var e = text.IndexOfAny(['e', 'E']);
        var digits = e < 0 ? text : text[..e];
        if (e >= 0 && !int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
        {
            return false;
        }

        var point = digits.IndexOf('.', StringComparison.Ordinal);
        var plain = point < 0 ? digits : digits.Remove(point, 1);
        exponent -= point < 0 ? 0 : digits.Length - point - 1;
        return plain.Length > 0 && BigInteger.TryParse(plain, NumberStyles.None, CultureInfo.InvariantCulture, out mantissa);
    }

    private static (BigInteger Up, BigInteger Down)? Scale(string unit)
    {
        // The case of the first letter tells milli from mega; the rest does not matter.
        var known = unit.Length > 0 ? unit[..1] + unit[1..].ToLowerInvariant() : unit;
        return known switch
        {
            "" => (1, 1),
            "m" => (1, 1000),
            "k" or "K" => (BigInteger.Pow(10, 3), 1),
            "M" => (BigInteger.Pow(10, 6), 1),
            "g" or "G" => (BigInteger.Pow(10, 9), 1),
            "t" or "T" => (BigInteger.Pow(10, 12), 1),
            "p" or "P" => (BigInteger.Pow(10, 15), 1),
            "e" or "E" => (BigInteger.Pow(10, 18), 1),
            _ => Binary(known.ToLowerInvariant()),
        };
    }

    private static (BigInteger Up, BigInteger Down)? ByteScale(string unit) => unit.ToLowerInvariant() switch
    {
        "" => (1, 1),
        "k" or "kb" => (BigInteger.Pow(10, 3), 1),
        "m" or "mb" => (BigInteger.Pow(10, 6), 1),
        "g" or "gb" => (BigInteger.Pow(10, 9), 1),
        "t" or "tb" => (BigInteger.Pow(10, 12), 1),
        "p" or "pb" => (BigInteger.Pow(10, 15), 1),
        "e" or "eb" => (BigInteger.Pow(10, 18), 1),
        var other => Binary(other.EndsWith("ib", StringComparison.Ordinal) ? other[..^1] : other),
    };

    private static (BigInteger Up, BigInteger Down)? Binary(string unit) => unit switch
    {
        "ki" => (BigInteger.One << 10, 1),
        "mi" => (BigInteger.One << 20, 1),
        "gi" => (BigInteger.One << 30, 1),
        "ti" => (BigInteger.One << 40, 1),
        "pi" => (BigInteger.One << 50, 1),
        "ei" => (BigInteger.One << 60, 1),
        _ => null,
    };

    private static RegoNumber Amount(BigInteger mantissa, int exponent, BigInteger down, bool truncate)
    {
        var (numerator, denominator) = exponent >= 0
            ? (mantissa * BigInteger.Pow(10, exponent), down)
            : (mantissa, down * BigInteger.Pow(10, -exponent));
        var whole = BigInteger.DivRem(numerator, denominator, out var rest);
        if (rest.IsZero || truncate)
        {
            return RegoNumber.Of(whole);
        }

        var scaled = BigInteger.DivRem(numerator * BigInteger.Pow(10, Decimals), denominator, out rest);
        return RegoNumber.Of(rest * 2 >= denominator ? scaled + 1 : scaled, -Decimals);
    }
}
