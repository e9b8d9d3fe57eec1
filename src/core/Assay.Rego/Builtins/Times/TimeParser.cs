using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Builtins.Formatting;

namespace Assay.Rego.Builtins.Times;

/// <summary>Reads a time written in a Go reference layout. The result is in nanoseconds since 1970 UTC.</summary>
internal sealed class TimeParser
{
    private readonly string _layout;
    private readonly string _value;
    private string _rest;
    private string? _fault;
    private bool _outOfRange;
    private long _year;
    private int _month = -1;
    private int _day = -1;
    private int _yearDay = -1;
    private int _hour;
    private int _minute;
    private int _second;
    private int _nanosecond;
    private bool? _afternoon;
    private int _offset;

    private TimeParser(string layout, string value) => (_layout, _value, _rest) = (layout, value, value);

    /// <summary>Parses a value; the fault is in Go's words.</summary>
    public static bool TryParse(string layout, string value, out long nanoseconds, [NotNullWhen(false)] out string? fault)
    {
        var parser = new TimeParser(layout, value);
        parser.Read();
        nanoseconds = 0;
        fault = parser._fault;
        if (fault is null && parser.Instant() is { } instant)
        {
            nanoseconds = instant;
            return true;
        }

        fault = parser._fault ?? "time outside of valid range";
        return false;
    }

    private void Read()
    {
        var elements = LayoutElement.Split(_layout);
        for (var index = 0; index < elements.Count && _fault is null; index++)
        {
            var element = elements[index];
            if (!SkipPrefix(element.Prefix))
            {
                Refuse(element.Prefix, _rest);
            }
            else if (element.Part is LayoutPart.None)
            {
                if (_rest.Length > 0)
                {
                    _fault = $"parsing time {GoQuote.Quote(_value)}: extra text: {GoQuote.Quote(_rest)}";
                }
            }
            else
            {
                var held = _rest;
                var next = index + 1 < elements.Count && elements[index + 1].Prefix.Length == 0 ? elements[index + 1].Part : LayoutPart.None;
                if (!ReadElement(element, next))
                {
                    Refuse(element.Text, held);
                }
            }
        }
    }

    private void Refuse(string element, string rest) =>
        _fault ??= $"parsing time {GoQuote.Quote(_value)} as {GoQuote.Quote(_layout)}: cannot parse {GoQuote.Quote(rest)} as {GoQuote.Quote(element)}";

    private bool OutOfRange(string field)
    {
        _outOfRange = true;
        _fault ??= $"parsing time {GoQuote.Quote(_value)}: {field} out of range";
        return true;
    }

    private bool SkipPrefix(string prefix)
    {
        var at = 0;
        while (at < prefix.Length)
        {
            if (prefix[at] == ' ')
            {
                if (_rest.Length > 0 && _rest[0] != ' ')
                {
                    return false;
                }

                while (at < prefix.Length && prefix[at] == ' ')
                {
                    at++;
                }

                _rest = _rest.TrimStart(' ');
                continue;
            }

            if (_rest.Length == 0 || _rest[0] != prefix[at])
            {
                return false;
            }

            at++;
            _rest = _rest[1..];
        }

        return true;
    }

    private bool ReadElement(LayoutElement element, LayoutPart next)
    {
        switch (element.Part)
        {
            case LayoutPart.Year:
                return ReadDigits(2, out var brief) && Set(out _year, brief >= 69 ? brief + 1900 : brief + 2000);
            case LayoutPart.LongYear:
                return ReadDigits(4, out var year) && Set(out _year, year);
            case LayoutPart.Month or LayoutPart.LongMonth:
                var month = ReadName(CivilTime.Months, element.Part is LayoutPart.Month);
                _month = month + 1;
                return month >= 0;
            case LayoutPart.NumericMonth or LayoutPart.ZeroMonth:
                return ReadNumber(element.Part is LayoutPart.ZeroMonth, out _month) && (_month is >= 1 and <= 12 || OutOfRange("month"));
            case LayoutPart.Weekday or LayoutPart.LongWeekday:
                return ReadName(CivilTime.Weekdays, element.Part is LayoutPart.Weekday) >= 0;
            case LayoutPart.Day or LayoutPart.UnderDay or LayoutPart.ZeroDay:
                SkipSpace(element.Part is LayoutPart.UnderDay);
                return ReadNumber(element.Part is LayoutPart.ZeroDay, out _day);
            case LayoutPart.UnderYearDay or LayoutPart.ZeroYearDay:
                return ReadYearDay(element.Part);
            case LayoutPart.UpperPm or LayoutPart.LowerPm:
                return ReadHalf(element.Part is LayoutPart.UpperPm);
            case LayoutPart.Offset:
                return ReadOffset(element.Text);
            case LayoutPart.ZoneName:
                return ReadZoneName();
            case LayoutPart.FixedFraction:
                return ReadFraction(element.Text.Length - 1);
            case LayoutPart.TrimmedFraction:
                return ReadOptionalFraction();
            default:
                return ReadClock(element.Part, next);
        }
    }

    private bool ReadClock(LayoutPart part, LayoutPart next)
    {
        switch (part)
        {
            case LayoutPart.Hour:
                return ReadNumber(false, out _hour) && (_hour < 24 || OutOfRange("hour"));
            case LayoutPart.Hour12 or LayoutPart.ZeroHour12:
                return ReadNumber(part is LayoutPart.ZeroHour12, out _hour) && (_hour <= 12 || OutOfRange("hour"));
            case LayoutPart.Minute or LayoutPart.ZeroMinute:
                return ReadNumber(part is LayoutPart.ZeroMinute, out _minute) && (_minute < 60 || OutOfRange("minute"));
            default:
                if (!ReadNumber(part is LayoutPart.ZeroSecond, out _second))
                {
                    return false;
                }

                if (_second >= 60)
                {
                    return OutOfRange("second");
                }

                // A fraction may follow the seconds though the layout names none.
                return next is LayoutPart.FixedFraction or LayoutPart.TrimmedFraction || ReadOptionalFraction(int.MaxValue);
        }
    }

    private static bool Set(out long target, long value)
    {
        target = value;
        return true;
    }

    private void SkipSpace(bool allowed)
    {
        if (allowed && _rest.StartsWith(' '))
        {
            _rest = _rest[1..];
        }
    }

    private bool ReadDigits(int count, out int number)
    {
        number = 0;
        if (_rest.Length < count || !_rest.AsSpan(0, count).ContainsOnlyDigits())
        {
            return false;
        }

        foreach (var digit in _rest.AsSpan(0, count))
        {
            number = (number * 10) + (digit - '0');
        }

        _rest = _rest[count..];
        return true;
    }

    private bool ReadNumber(bool padded, out int number) =>
        ReadDigits(2, out number) || (!padded && ReadDigits(1, out number));

    private bool ReadYearDay(LayoutPart part)
    {
        var spaces = 0;
        while (part is LayoutPart.UnderYearDay && spaces < 2 && _rest.StartsWith(' '))
        {
            _rest = _rest[1..];
            spaces++;
        }

        return ReadDigits(3 - spaces, out _yearDay);
    }

    private int ReadName(string[] names, bool brief)
    {
        for (var index = 0; index < names.Length; index++)
        {
            var name = brief ? names[index][..3] : names[index];
            if (_rest.StartsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                _rest = _rest[name.Length..];
                return index;
            }
        }

        return -1;
    }

    private bool ReadHalf(bool upper)
    {
        _afternoon = _rest.StartsWith(upper ? "PM" : "pm", StringComparison.Ordinal) ? true
            : _rest.StartsWith(upper ? "AM" : "am", StringComparison.Ordinal) ? false
            : null;
        if (_afternoon is null)
        {
            return false;
        }

        _rest = _rest[2..];
        return true;
    }

    private bool ReadOffset(string layout)
    {
        if (layout[0] == 'Z' && _rest.StartsWith('Z'))
        {
            _rest = _rest[1..];
            return true;
        }

        if (_rest.Length == 0 || _rest[0] is not ('+' or '-'))
        {
            return false;
        }

        var sign = _rest[0] == '-' ? -1 : 1;
        _rest = _rest[1..];
        var digits = layout.Count(char.IsAsciiDigit);
        var colon = layout.Contains(':', StringComparison.Ordinal);
        var (minutes, seconds) = (0, 0);
        if (!ReadDigits(2, out var hours)
            || (digits >= 4 && !(SkipColon(colon) && ReadDigits(2, out minutes)))
            || (digits >= 6 && !(SkipColon(colon) && ReadDigits(2, out seconds))))
        {
            return false;
        }

        if (hours > 24 || minutes > 60 || seconds > 60)
        {
            return OutOfRange($"time zone offset {(hours > 24 ? "hour" : minutes > 60 ? "minute" : "second")}");
        }

        _offset = sign * ((((hours * 60) + minutes) * 60) + seconds);
        return true;
    }

    private bool SkipColon(bool wanted)
    {
        if (!wanted)
        {
            return true;
        }

        var there = _rest.StartsWith(':');
        _rest = there ? _rest[1..] : _rest;
        return there;
    }

    /// <summary>A zone's name says nothing certain about its offset, so as in Go it is read and counts as UTC, except `GMT±N`.</summary>
    private bool ReadZoneName()
    {
        var letters = _rest.TakeWhile(char.IsAsciiLetterUpper).Count();
        if (_rest.StartsWith("UTC", StringComparison.Ordinal))
        {
            letters = 3;
        }
        else if (_rest.StartsWith('+') || _rest.StartsWith('-'))
        {
            var digits = _rest.Skip(1).TakeWhile(char.IsAsciiDigit).Count();
            letters = digits is 2 or 4 ? digits + 1 : 0;
        }
        else if (_rest.StartsWith("GMT", StringComparison.Ordinal))
        {
            letters = 3;
            ReadGmtOffset(ref letters);
        }
        else if (letters is < 3 or > 5 || (letters == 5 && _rest[4] != 'T') || (letters == 4 && _rest[3] != 'T' && !_rest.StartsWith("WITA", StringComparison.Ordinal)))
        {
            letters = 0;
        }

        _rest = _rest[letters..];
        return letters > 0;
    }

    private void ReadGmtOffset(ref int length)
    {
        if (_rest.Length < 5 || _rest[3] is not ('+' or '-'))
        {
            return;
        }

        var digits = _rest.Skip(4).TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 1 or 2 && int.TryParse(_rest.AsSpan(4, digits), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var hours) && hours <= 23)
        {
            _offset = (_rest[3] == '-' ? -1 : 1) * hours * 3600;
            length = 4 + digits;
        }
    }

    private bool ReadOptionalFraction(int most = 9)
    {
        if (_rest.Length < 2 || _rest[0] is not ('.' or ',') || !char.IsAsciiDigit(_rest[1]))
        {
            return true;
        }

        var digits = _rest.Skip(1).TakeWhile(char.IsAsciiDigit).Count();
        return ReadFraction(Math.Min(digits, most));
    }

    private bool ReadFraction(int digits)
    {
        if (_rest.Length < digits + 1 || _rest[0] is not ('.' or ',') || !_rest.AsSpan(1, digits).ContainsOnlyDigits())
        {
            return false;
        }

        _nanosecond = 0;
        for (var place = 0; place < 9; place++)
        {
            _nanosecond = (_nanosecond * 10) + (place < digits ? _rest[1 + place] - '0' : 0);
        }

        _rest = _rest[(digits + 1)..];
        return true;
    }

    private long? Instant()
    {
        if (_afternoon is { } afternoon)
        {
            _hour = afternoon && _hour < 12 ? _hour + 12 : !afternoon && _hour == 12 ? 0 : _hour;
        }

        if (_yearDay >= 0 && !ApplyYearDay())
        {
            OutOfRange("day-of-year");
            return null;
        }

        _month = Math.Max(_month, 1);
        _day = _day < 0 ? 1 : _day;
        if (_outOfRange || _day < 1 || _day > CivilTime.DaysIn(_year, _month))
        {
            OutOfRange("day");
            return null;
        }

        return CivilTime.Instant(_year, _month, _day, _hour, _minute, _second - _offset, _nanosecond, TimeZoneInfo.Utc);
    }

    private bool ApplyYearDay()
    {
        var (month, day) = (1, _yearDay);
        while (month <= 12 && day > CivilTime.DaysIn(_year, month))
        {
            day -= CivilTime.DaysIn(_year, month++);
        }

        if (day < 1 || month > 12 || (_month >= 0 && _month != month) || (_day >= 0 && _day != day))
        {
            return false;
        }

        (_month, _day) = (month, day);
        return true;
    }
}

internal static class DigitSpans
{
    public static bool ContainsOnlyDigits(this ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');
}
