namespace Assay.Rego.Builtins.Times;

/// <summary>The parts of a date that a Go reference layout can name (package time, "Constants").</summary>
internal enum LayoutPart
{
    None,
    LongMonth,
    Month,
    NumericMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset,
    FixedFraction,
    TrimmedFraction,
}

/// <summary>One element of a layout, with the literal text before it.</summary>
/// <param name="Prefix">The literal text before the element.</param>
/// <param name="Part">What the element stands for; <see cref="LayoutPart.None"/> at the end of the layout.</param>
/// <param name="Text">The element as the layout spells it.</param>
internal readonly record struct LayoutElement(string Prefix, LayoutPart Part, string Text)
{
    private static readonly (string Text, LayoutPart Part)[] s_zones =
    [
        ("-07:00:00", LayoutPart.Offset), ("-070000", LayoutPart.Offset), ("-07:00", LayoutPart.Offset), ("-0700", LayoutPart.Offset), ("-07", LayoutPart.Offset),
        ("Z07:00:00", LayoutPart.Offset), ("Z070000", LayoutPart.Offset), ("Z07:00", LayoutPart.Offset), ("Z0700", LayoutPart.Offset), ("Z07", LayoutPart.Offset),
    ];

    private static readonly LayoutPart[] s_zeroes =
        [LayoutPart.ZeroMonth, LayoutPart.ZeroDay, LayoutPart.ZeroHour12, LayoutPart.ZeroMinute, LayoutPart.ZeroSecond, LayoutPart.Year];

    /// <summary>The elements of a layout in order; the last has the part None and holds the literal text that is left.</summary>
    public static List<LayoutElement> Split(string layout)
    {
        var elements = new List<LayoutElement>();
        var start = 0;
        for (var at = 0; at < layout.Length;)
        {
            var (part, skip, length) = Match(layout.AsSpan(at));
            if (part is LayoutPart.None)
            {
                at++;
                continue;
            }

            elements.Add(new LayoutElement(layout[start..(at + skip)], part, layout[(at + skip)..(at + skip + length)]));
            at += skip + length;
            start = at;
        }

        elements.Add(new LayoutElement(layout[start..], LayoutPart.None, ""));
        return elements;
    }

    /// <summary>The layout that OPA knows by a name, or the text itself.</summary>
    public static string Named(string layout) => layout switch
    {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => "2006-01-02T15:04:05Z07:00",
        "RFC3339Nano" => "2006-01-02T15:04:05.999999999Z07:00",
        _ => layout,
    };

    private static (LayoutPart Part, int Skip, int Length) Match(ReadOnlySpan<char> rest)
    {
        switch (rest[0])
        {
            case 'J' when rest.StartsWith("Jan"):
                return Name(rest, "January", LayoutPart.LongMonth, LayoutPart.Month);
            case 'M' when rest.StartsWith("MST"):
                return (LayoutPart.ZoneName, 0, 3);
            case 'M' when rest.StartsWith("Mon"):
                return Name(rest, "Monday", LayoutPart.LongWeekday, LayoutPart.Weekday);
            case '0' when rest.Length > 1 && rest[1] is >= '1' and <= '6':
                return (s_zeroes[rest[1] - '1'], 0, 2);
            case '0' when rest.StartsWith("002"):
                return (LayoutPart.ZeroYearDay, 0, 3);
            case '1':
                return rest.StartsWith("15") ? (LayoutPart.Hour, 0, 2) : (LayoutPart.NumericMonth, 0, 1);
            case '2':
                return rest.StartsWith("2006") ? (LayoutPart.LongYear, 0, 4) : (LayoutPart.Day, 0, 1);
            case '_' when rest.StartsWith("_2006"):
                return (LayoutPart.LongYear, 1, 4);
            case '_' when rest.StartsWith("_2"):
                return (LayoutPart.UnderDay, 0, 2);
            case '_' when rest.StartsWith("__2"):
                return (LayoutPart.UnderYearDay, 0, 3);
            case '3':
                return (LayoutPart.Hour12, 0, 1);
            case '4':
                return (LayoutPart.Minute, 0, 1);
            case '5':
                return (LayoutPart.Second, 0, 1);
            case 'P' when rest.StartsWith("PM"):
                return (LayoutPart.UpperPm, 0, 2);
            case 'p' when rest.StartsWith("pm"):
                return (LayoutPart.LowerPm, 0, 2);
            case '-' or 'Z':
                return Zone(rest);
            case '.' or ',':
                return Fraction(rest);
            default:
                return default;
        }
    }

    private static (LayoutPart Part, int Skip, int Length) Name(ReadOnlySpan<char> rest, string full, LayoutPart whole, LayoutPart brief) =>
        rest.StartsWith(full) ? (whole, 0, full.Length)
        : rest.Length > 3 && char.IsAsciiLetterLower(rest[3]) ? default
        : (brief, 0, 3);

    private static (LayoutPart Part, int Skip, int Length) Zone(ReadOnlySpan<char> rest)
    {
        foreach (var (text, part) in s_zones)
        {
            if (rest.StartsWith(text))
            {
                return (part, 0, text.Length);
            }
        }

        return default;
    }

    private static (LayoutPart Part, int Skip, int Length) Fraction(ReadOnlySpan<char> rest)
    {
        if (rest.Length < 2 || rest[1] is not ('0' or '9'))
        {
            return default;
        }

        var end = 1;
        while (end < rest.Length && rest[end] == rest[1])
        {
            end++;
        }

        return end < rest.Length && char.IsAsciiDigit(rest[end])
            ? default
            : (rest[1] == '0' ? LayoutPart.FixedFraction : LayoutPart.TrimmedFraction, 0, end);
    }
}
