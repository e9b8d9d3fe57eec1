using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Assay.Rego.Builtins.Formatting;

namespace Assay.Rego.Builtins.Times;

/// <summary>Go's durations: `1h2m3.5s`, signed, units ns, us, µs, ms, s, m, h; the result in nanoseconds.</summary>
internal static class Durations
{
    // Longer than any duration of 64 bits is worth writing; bounds the big integers below.
    private const int MaxText = 512;

    private static readonly SearchValues<char> s_numeric = SearchValues.Create("0123456789.");

    public static bool TryParse(string text, out long nanoseconds, [NotNullWhen(false)] out string? fault)
    {
        nanoseconds = 0;
        var negative = text.StartsWith('-');
        var rest = text.AsSpan(text.StartsWith('-') || text.StartsWith('+') ? 1 : 0);
        if (rest is "0")
        {
            fault = null;
            return true;
        }

        fault = rest.IsEmpty || text.Length > MaxText ? Invalid(text) : null;
        var total = BigInteger.Zero;
        while (fault is null && !rest.IsEmpty)
        {
            fault = ReadPart(text, ref rest, ref total);
        }

        if (fault is null && (total > long.MaxValue || (negative ? -total : total) < long.MinValue))
        {
            fault = negative && total == -(BigInteger)long.MinValue ? null : Invalid(text);
        }

        if (fault is not null)
        {
            return false;
        }

        nanoseconds = (long)(negative ? -total : total);
        return true;
    }

    private static string? ReadPart(string text, scoped ref ReadOnlySpan<char> rest, ref BigInteger total)
    {
        var whole = Digits(ref rest);
        var fraction = ReadOnlySpan<char>.Empty;
        if (!rest.IsEmpty && rest[0] == '.')
        {
            rest = rest[1..];
            fraction = Digits(ref rest);
        }

        if (whole.IsEmpty && fraction.IsEmpty)
        {
            return Invalid(text);
        }

        var length = rest.IndexOfAny(s_numeric);
        var unit = length < 0 ? rest : rest[..length];
        rest = rest[unit.Length..];
        if (unit.IsEmpty)
        {
            return $"time: missing unit in duration {GoQuote.Quote(text)}";
        }

        long? scale = unit switch
        {
            "ns" => 1,
            "us" or "µs" or "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => CivilTime.NanosecondsPerSecond,
            "m" => 60 * CivilTime.NanosecondsPerSecond,
            "h" => 3600 * CivilTime.NanosecondsPerSecond,
            _ => null,
        };
        if (scale is not { } factor)
        {
            return $"time: unknown unit {GoQuote.Quote(unit.ToString())} in duration {GoQuote.Quote(text)}";
        }

        total += Number(whole) * factor;
        total += Number(fraction) * factor / BigInteger.Pow(10, fraction.Length);
        return null;
    }

    private static ReadOnlySpan<char> Digits(scoped ref ReadOnlySpan<char> rest)
    {
        var length = rest.IndexOfAnyExceptInRange('0', '9');
        var digits = length < 0 ? rest : rest[..length];
        rest = rest[digits.Length..];
        return digits;
    }

    private static BigInteger Number(ReadOnlySpan<char> digits)
    {
        var number = BigInteger.Zero;
        foreach (var digit in digits)
        {
            number = (number * 10) + (digit - '0');
        }

        return number;
    }

    private static string Invalid(string text) => $"time: invalid duration {GoQuote.Quote(text)}";
}
