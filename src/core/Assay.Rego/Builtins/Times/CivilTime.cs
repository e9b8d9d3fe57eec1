namespace Assay.Rego.Builtins.Times;

/// <summary>A wall-clock time in the proleptic Gregorian calendar, with its offset from UTC in seconds.</summary>
internal readonly record struct CivilTime(long Year, int Month, int Day, int Hour, int Minute, int Second, int Nanosecond, int Offset, string Zone)
{
    public const long NanosecondsPerSecond = 1_000_000_000;
    private const long SecondsPerDay = 86_400;

    // A little more than 64 bits of nanoseconds, so that the calendar of the runtime can still be asked for an offset.
    private const long MostSeconds = 10_000_000_000;

    public static readonly string[] Months =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

    public static readonly string[] Weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    public string Weekday => Weekdays[(int)(((DaysSinceEpoch(Year, Month, Day) + 4) % 7 + 7) % 7)];

    public int YearDay => (int)(DaysSinceEpoch(Year, Month, Day) - DaysSinceEpoch(Year, 1, 1)) + 1;

    /// <summary>The wall clock of an instant (nanoseconds since 1970 UTC) in a time zone.</summary>
    public static CivilTime At(long nanoseconds, TimeZoneInfo zone)
    {
        var seconds = FloorDivide(nanoseconds, NanosecondsPerSecond);
        var offset = OffsetAt(zone, seconds);
        var local = seconds + offset;
        var days = FloorDivide(local, SecondsPerDay);
        var clock = (int)(local - (days * SecondsPerDay));
        var (year, month, day) = FromDays(days);
        // The remainder, not the difference: whole seconds rounded down may lie below 64 bits of nanoseconds.
        var nanosecond = (int)(((nanoseconds % NanosecondsPerSecond) + NanosecondsPerSecond) % NanosecondsPerSecond);
        return new CivilTime(year, month, day, clock / 3600, clock / 60 % 60, clock % 60, nanosecond, offset, ZoneName(zone, seconds, offset));
    }

    /// <summary>
    /// The instant of a wall clock whose fields may lie outside their ranges, as Go's time.Date takes them;
    /// null if it is not within 64 bits of nanoseconds.
    /// </summary>
    public static long? Instant(Int128 year, Int128 month, Int128 day, int hour, int minute, int second, int nanosecond, TimeZoneInfo zone)
    {
        month -= 1;
        var carry = FloorDivide(month, 12);
        Int128 days = DaysSinceEpoch(year + carry, (int)(month - (carry * 12)) + 1, 1) + (day - 1);
        var local = (days * SecondsPerDay) + (hour * 3600) + (minute * 60) + second;
        if (local < -MostSeconds || local > MostSeconds)
        {
            return null;
        }

        var guess = OffsetAt(zone, (long)local);
        var utc = local - guess;
        var offset = OffsetAt(zone, (long)utc);
        var instant = ((local - offset) * NanosecondsPerSecond) + nanosecond;
        return instant >= long.MinValue && instant <= long.MaxValue ? (long)instant : null;
    }

    public static int DaysIn(long year, int month) => month switch
    {
        2 => (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    private static int OffsetAt(TimeZoneInfo zone, long seconds) =>
        ReferenceEquals(zone, TimeZoneInfo.Utc) ? 0 : (int)zone.GetUtcOffset(Moment(seconds)).TotalSeconds;

    private static DateTime Moment(long seconds) => DateTime.UnixEpoch.AddSeconds(seconds);

    private static string ZoneName(TimeZoneInfo zone, long seconds, int offset)
    {
        if (ReferenceEquals(zone, TimeZoneInfo.Utc) || zone.Id is "UTC" or "Etc/UTC")
        {
            return "UTC";
        }

        return ZoneAbbreviations.Find(zone.Id, offset, zone.IsDaylightSavingTime(Moment(seconds)));
    }

    private static Int128 DaysSinceEpoch(Int128 year, int month, int day)
    {
        var y = month <= 2 ? year - 1 : year;
        var era = FloorDivide(y, 400);
        var yearOfEra = y - (era * 400);
        var dayOfYear = (((153 * (month + (month > 2 ? -3 : 9))) + 2) / 5) + day - 1;
        var dayOfEra = (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear;
        return (era * 146_097) + dayOfEra - 719_468;
    }

    private static (long Year, int Month, int Day) FromDays(long days)
    {
        days += 719_468;
        var era = FloorDivide(days, 146_097);
        var dayOfEra = days - (era * 146_097);
        var yearOfEra = (dayOfEra - (dayOfEra / 1460) + (dayOfEra / 36_524) - (dayOfEra / 146_096)) / 365;
        var dayOfYear = dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        var shifted = ((5 * dayOfYear) + 2) / 153;
        var month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
        var year = yearOfEra + (era * 400) + (month <= 2 ? 1 : 0);
        return (year, month, (int)(dayOfYear - (((153 * shifted) + 2) / 5) + 1));
    }

    private static long FloorDivide(long value, long by) => value >= 0 ? value / by : -((-(value + 1)) / by) - 1;

    private static Int128 FloorDivide(Int128 value, Int128 by) => value >= 0 ? value / by : -((-(value + 1)) / by) - 1;
}

/// <summary>
/// Zone abbreviations for layouts that print them. The runtime keeps none, so those of the zones in common use are here
/// and any other prints its offset (`+05`), as the zone database itself does for places without a customary name.
/// </summary>
internal static class ZoneAbbreviations
{
    private static readonly Dictionary<string, (string Standard, string Daylight)> s_names = new(StringComparer.Ordinal)
    {
        ["America/New_York"] = ("EST", "EDT"),
        ["America/Toronto"] = ("EST", "EDT"),
        ["America/Detroit"] = ("EST", "EDT"),
        ["America/Chicago"] = ("CST", "CDT"),
        ["America/Denver"] = ("MST", "MDT"),
        ["America/Phoenix"] = ("MST", "MDT"),
        ["America/Los_Angeles"] = ("PST", "PDT"),
        ["America/Vancouver"] = ("PST", "PDT"),
        ["America/Anchorage"] = ("AKST", "AKDT"),
        ["America/Halifax"] = ("AST", "ADT"),
        ["Pacific/Honolulu"] = ("HST", "HDT"),
        ["Europe/London"] = ("GMT", "BST"),
        ["Europe/Dublin"] = ("GMT", "IST"),
        ["Europe/Lisbon"] = ("WET", "WEST"),
        ["Europe/Berlin"] = ("CET", "CEST"),
        ["Europe/Paris"] = ("CET", "CEST"),
        ["Europe/Madrid"] = ("CET", "CEST"),
        ["Europe/Rome"] = ("CET", "CEST"),
        ["Europe/Amsterdam"] = ("CET", "CEST"),
        ["Europe/Brussels"] = ("CET", "CEST"),
        ["Europe/Vienna"] = ("CET", "CEST"),
        ["Europe/Zurich"] = ("CET", "CEST"),
        ["Europe/Stockholm"] = ("CET", "CEST"),
        ["Europe/Oslo"] = ("CET", "CEST"),
        ["Europe/Copenhagen"] = ("CET", "CEST"),
        ["Europe/Prague"] = ("CET", "CEST"),
        ["Europe/Warsaw"] = ("CET", "CEST"),
        ["Europe/Helsinki"] = ("EET", "EEST"),
        ["Europe/Athens"] = ("EET", "EEST"),
        ["Europe/Kiev"] = ("EET", "EEST"),
        ["Europe/Kyiv"] = ("EET", "EEST"),
        ["Europe/Moscow"] = ("MSK", "MSD"),
        ["Asia/Kolkata"] = ("IST", "IST"),
        ["Asia/Shanghai"] = ("CST", "CDT"),
        ["Asia/Hong_Kong"] = ("HKT", "HKST"),
        ["Asia/Tokyo"] = ("JST", "JDT"),
        ["Asia/Seoul"] = ("KST", "KDT"),
        ["Asia/Jerusalem"] = ("IST", "IDT"),
        ["Australia/Sydney"] = ("AEST", "AEDT"),
        ["Australia/Melbourne"] = ("AEST", "AEDT"),
        ["Australia/Brisbane"] = ("AEST", "AEDT"),
        ["Australia/Adelaide"] = ("ACST", "ACDT"),
        ["Australia/Perth"] = ("AWST", "AWDT"),
        ["Pacific/Auckland"] = ("NZST", "NZDT"),
        ["Africa/Johannesburg"] = ("SAST", "SAST"),
        ["Africa/Lagos"] = ("WAT", "WAT"),
        ["Africa/Nairobi"] = ("EAT", "EAT"),
        ["GMT"] = ("GMT", "GMT"),
    };

    public static string Find(string id, int offset, bool daylight)
    {
        if (s_names.TryGetValue(id, out var names))
        {
            return daylight ? names.Daylight : names.Standard;
        }

        var minutes = Math.Abs(offset) / 60;
        var sign = offset < 0 ? '-' : '+';
        return minutes % 60 == 0 ? $"{sign}{minutes / 60:00}" : $"{sign}{minutes / 60:00}{minutes % 60:00}";
    }
}
