using Assay.Wire;

namespace Assay.Trust;

/// <summary>Time in X.509, CRLs and OCSP (RFC 5280 §4.1.2.5, RFC 6960 §4.2.2.1): whole seconds, UTC, suffix Z.</summary>
internal static class X509Time
{
    /// <summary>
    /// Leniency: RFC 5280 wants UTCTime for years before 2050, yet NVIDIA's RIM L2 and L3 CA certificates carry
    /// GeneralizedTime for 2023 to 2033. Both forms are unambiguous, so either is read.
    /// </summary>
    public const bool AcceptGeneralizedTimeBefore2050 = true;

    /// <summary>A Time: UTCTime or GeneralizedTime, by tag.</summary>
    public static DateTimeOffset Read(ref DerReader reader, string field)
    {
        var tag = reader.PeekTag();
        reader.Require(tag is DerTag.UtcTime or DerTag.GeneralizedTime, field, "neither UTCTime nor GeneralizedTime");
        var text = reader.Value(tag, field);
        var time = Parse(text, twoDigitYear: tag == DerTag.UtcTime);
        reader.Require(time is not null, field, "not a time in whole seconds with suffix Z");
        return time ?? default;
    }

    /// <summary>A GeneralizedTime, as everywhere in OCSP.</summary>
    public static DateTimeOffset ReadGeneralized(ref DerReader reader, string field)
    {
        var time = Parse(reader.Value(DerTag.GeneralizedTime, field), twoDigitYear: false);
        reader.Require(time is not null, field, "not a time in whole seconds with suffix Z");
        return time ?? default;
    }

    private static DateTimeOffset? Parse(ReadOnlySpan<byte> text, bool twoDigitYear)
    {
        var yearDigits = twoDigitYear ? 2 : 4;
        if (text.Length != yearDigits + 11 || text[^1] != 'Z' || text[..^1].ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            return null;
        }

        var year = Number(text[..yearDigits]);
        year += !twoDigitYear ? 0 : year < 50 ? 2000 : 1900;
        var rest = text[yearDigits..];
        var (month, day) = (Number(rest[..2]), Number(rest[2..4]));
        var (hour, minute, second) = (Number(rest[4..6]), Number(rest[6..8]), Number(rest[8..10]));
        var exists = year >= 1 && month is >= 1 and <= 12 && day >= 1 && day <= DateTime.DaysInMonth(year, month)
            && hour < 24 && minute < 60 && second < 60;
        return exists ? new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero) : null;
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            number = number * 10 + (digit - '0');
        }

        return number;
    }
}
