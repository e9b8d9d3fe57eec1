using System.Globalization;
using System.Text;

namespace Assay.Rego.Builtins.Times;

/// <summary>Writes a wall-clock time in a Go reference layout.</summary>
internal static class TimeFormatter
{
    public static string Format(CivilTime time, string layout)
    {
        var text = new StringBuilder();
        foreach (var element in LayoutElement.Split(layout))
        {
            text.Append(element.Prefix).Append(Element(time, element));
        }

        return text.ToString();
    }

    private static string Element(CivilTime time, LayoutElement element)
    {
        var hour12 = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        return element.Part switch
        {
            LayoutPart.LongMonth => CivilTime.Months[time.Month - 1],
            LayoutPart.Month => CivilTime.Months[time.Month - 1][..3],
            LayoutPart.NumericMonth => Number(time.Month, 1),
            LayoutPart.ZeroMonth => Number(time.Month, 2),
            LayoutPart.LongWeekday => time.Weekday,
            LayoutPart.Weekday => time.Weekday[..3],
            LayoutPart.Day => Number(time.Day, 1),
            LayoutPart.UnderDay => Number(time.Day, 1).PadLeft(2),
            LayoutPart.ZeroDay => Number(time.Day, 2),
            LayoutPart.UnderYearDay => Number(time.YearDay, 1).PadLeft(3),
            LayoutPart.ZeroYearDay => Number(time.YearDay, 3),
            LayoutPart.Hour => Number(time.Hour, 2),
            LayoutPart.Hour12 => Number(hour12, 1),
            LayoutPart.ZeroHour12 => Number(hour12, 2),
            LayoutPart.Minute => Number(time.Minute, 1),
            LayoutPart.ZeroMinute => Number(time.Minute, 2),
            LayoutPart.Second => Number(time.Second, 1),
            LayoutPart.ZeroSecond => Number(time.Second, 2),
            LayoutPart.LongYear => Number(time.Year, 4),
            LayoutPart.Year => Number(time.Year % 100, 2),
            LayoutPart.UpperPm => time.Hour >= 12 ? "PM" : "AM",
            LayoutPart.LowerPm => time.Hour >= 12 ? "pm" : "am",
            LayoutPart.ZoneName => time.Zone,
            LayoutPart.Offset => Offset(time.Offset, element.Text),
            LayoutPart.FixedFraction => element.Text[..1] + Fraction(time.Nanosecond, element.Text.Length - 1),
            LayoutPart.TrimmedFraction => Trimmed(time.Nanosecond, element.Text),
            _ => "",
        };
    }

    private static string Number(long value, int width) => value.ToString("D" + width, CultureInfo.InvariantCulture);

    private static string Fraction(int nanosecond, int digits) =>
        nanosecond.ToString("D9", CultureInfo.InvariantCulture).PadRight(digits, '0')[..digits];

    private static string Trimmed(int nanosecond, string layout)
    {
        var digits = Fraction(nanosecond, layout.Length - 1).TrimEnd('0');
        return digits.Length == 0 ? "" : layout[..1] + digits;
    }

    private static string Offset(int offset, string layout)
    {
        if (layout[0] == 'Z' && offset == 0)
        {
            return "Z";
        }

        var seconds = Math.Abs(offset);
        var colon = layout.Contains(':', StringComparison.Ordinal) ? ":" : "";
        var text = (offset < 0 ? "-" : "+") + Number(seconds / 3600, 2);
        var digits = layout.Count(char.IsAsciiDigit);
        if (digits >= 4)
        {
            text += colon + Number(seconds / 60 % 60, 2);
        }

        return digits >= 6 ? text + colon + Number(seconds % 60, 2) : text;
    }
}
