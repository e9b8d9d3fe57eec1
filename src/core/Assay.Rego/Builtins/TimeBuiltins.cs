using Assay.Rego.Builtins.Times;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Times in nanoseconds since 1970 UTC, read, written and taken apart in a time zone.</summary>
internal static class TimeBuiltins
{
    private const RegoTypes Instants = RegoTypes.Number | RegoTypes.Array;
    private const string OutOfRange = "time outside of valid range";
    private const string NanosecondLayout = "2006-01-02T15:04:05.999999999Z07:00";

    // Layouts are read character by character, and each may print a dozen.
    private const int MaxLayout = 4096;

    public static readonly Builtin[] All =
    [
        new("time.now_ns", [], RegoTypes.Number, (context, _) => context.NowNanoseconds() is { } now ? RegoNumber.Of(now) : null) { Nondeterministic = true },
        new("time.parse_ns", [RegoTypes.String, RegoTypes.String], RegoTypes.Number, Parse),
        new("time.parse_rfc3339_ns", [RegoTypes.String], RegoTypes.Number, ParseRfc3339),
        new("time.parse_duration_ns", [RegoTypes.String], RegoTypes.Number, ParseDuration),
        new("time.date", [Instants], RegoTypes.Array, (context, arguments) => Fields(context, arguments, time => [time.Year, time.Month, time.Day])),
        new("time.clock", [Instants], RegoTypes.Array, (context, arguments) => Fields(context, arguments, time => [time.Hour, time.Minute, time.Second])),
        new("time.weekday", [Instants], RegoTypes.String, (context, arguments) => TryMoment(context, arguments, 0, out var moment) ? new RegoString(moment.Civil.Weekday) : null),
        new("time.format", [Instants], RegoTypes.String, Format),
        new("time.add_date", [Instants, RegoTypes.Number, RegoTypes.Number, RegoTypes.Number], RegoTypes.Number, AddDate),
        new("time.diff", [Instants, Instants], RegoTypes.Array, Difference),
    ];

    private readonly record struct Moment(long Nanoseconds, TimeZoneInfo Zone, string Layout)
    {
        public CivilTime Civil => CivilTime.At(Nanoseconds, Zone);
    }

    private static RegoValue? Parse(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryString(arguments, 0, out var layout) && context.TryString(arguments, 1, out var value)
            ? Parsed(context, LayoutElement.Named(layout.Value), value.Value)
            : null;

    private static RegoValue? ParseRfc3339(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryString(arguments, 0, out var value) ? Parsed(context, LayoutElement.Named("RFC3339"), value.Value) : null;

    private static RegoValue? Parsed(BuiltinContext context, string layout, string value)
    {
        if (layout.Length > MaxLayout || value.Length > MaxLayout)
        {
            return context.Fail($"a layout or time longer than {MaxLayout} characters");
        }

        context.Tick(1 + layout.Length + value.Length);
        return TimeParser.TryParse(layout, value, out var nanoseconds, out var fault) ? RegoNumber.Of(nanoseconds) : context.Fail(fault);
    }

    private static RegoValue? ParseDuration(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        return Durations.TryParse(text.Value, out var nanoseconds, out var fault) ? RegoNumber.Of(nanoseconds) : context.Fail(fault);
    }

    private static RegoValue? Fields(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, Func<CivilTime, long[]> fields)
    {
        if (!TryMoment(context, arguments, 0, out var moment))
        {
            return null;
        }

        context.Charge(72);
        return RegoArray.From(fields(moment.Civil).Select(field => RegoNumber.Of(field)));
    }

    private static RegoValue? Format(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryMoment(context, arguments, 0, out var moment))
        {
            return null;
        }

        if (moment.Layout.Length > MaxLayout)
        {
            return context.Fail($"a layout longer than {MaxLayout} characters");
        }

        return Operands.Text(context, TimeFormatter.Format(moment.Civil, moment.Layout));
    }

    private static RegoValue? AddDate(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryMoment(context, arguments, 0, out var moment)
            || !TryCount(context, arguments, 1, out var years) || !TryCount(context, arguments, 2, out var months) || !TryCount(context, arguments, 3, out var days))
        {
            return null;
        }

        var civil = moment.Civil;
        var instant = CivilTime.Instant(
            (Int128)civil.Year + years, (Int128)civil.Month + months, (Int128)civil.Day + days, civil.Hour, civil.Minute, civil.Second, civil.Nanosecond, moment.Zone);
        return instant is { } nanoseconds ? RegoNumber.Of(nanoseconds) : context.Fail(OutOfRange);
    }

    private static bool TryCount(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out long count)
    {
        count = 0;
        if (!context.TryInteger(arguments, index, out var value))
        {
            return false;
        }

        if (value < long.MinValue || value > long.MaxValue)
        {
            context.FailOperand(index + 1, "must be an integer within range");
            return false;
        }

        count = (long)value;
        return true;
    }

    /// <summary>The years, months, days, hours, minutes and seconds between two instants, both seen in the first one's zone.</summary>
    private static RegoValue? Difference(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!TryMoment(context, arguments, 0, out var first) || !TryMoment(context, arguments, 1, out var second))
        {
            return null;
        }

        var (early, late) = (CivilTime.At(Math.Min(first.Nanoseconds, second.Nanoseconds), first.Zone), CivilTime.At(Math.Max(first.Nanoseconds, second.Nanoseconds), first.Zone));
        var (years, months, days) = (late.Year - early.Year, late.Month - early.Month, late.Day - early.Day);
        var (hours, minutes, seconds) = (late.Hour - early.Hour, late.Minute - early.Minute, late.Second - early.Second);
        Borrow(ref seconds, ref minutes, 60);
        Borrow(ref minutes, ref hours, 60);
        Borrow(ref hours, ref days, 24);
        Borrow(ref days, ref months, CivilTime.DaysIn(early.Year, early.Month));
        if (months < 0)
        {
            months += 12;
            years--;
        }

        context.Charge(96);
        return RegoArray.From(new[] { years, months, days, hours, minutes, seconds }.Select(field => RegoNumber.Of(field)));
    }

    private static void Borrow(ref int field, ref int larger, int size)
    {
        if (field < 0)
        {
            field += size;
            larger--;
        }
    }

    /// <summary>A time operand: a number, or an array of number, zone and (for formatting) layout.</summary>
    private static bool TryMoment(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, int index, out Moment moment)
    {
        moment = new Moment(0, TimeZoneInfo.Utc, NanosecondLayout);
        switch (arguments[index])
        {
            case RegoNumber number:
                return TryNanoseconds(context, number, ref moment);
            case RegoArray { Count: >= 1 } parts:
                if (parts[0] is not RegoNumber first)
                {
                    context.FailOperandKind(index + 1, parts[0], RegoKind.Number);
                    return false;
                }

                return TryNanoseconds(context, first, ref moment) && TryZone(context, index, parts, ref moment) && TryLayout(context, index, parts, ref moment);
            default:
                context.FailOperand(index + 1, $"must be either number (ns) or [number (ns), string (tz)] but got {arguments[index].KindName}");
                return false;
        }
    }

    private static bool TryNanoseconds(BuiltinContext context, RegoNumber number, ref Moment moment)
    {
        if (!number.TryGetInt64(out var nanoseconds))
        {
            context.Fail("timestamp too big");
            return false;
        }

        moment = moment with { Nanoseconds = nanoseconds };
        return true;
    }

    private static bool TryZone(BuiltinContext context, int index, RegoArray parts, ref Moment moment)
    {
        if (parts.Count < 2)
        {
            return true;
        }

        if (parts[1] is not RegoString name)
        {
            context.FailOperandKind(index + 1, parts[1], RegoKind.String);
            return false;
        }

        if (name.Value is "" or "UTC")
        {
            return true;
        }

        // The host's own zone is environment, which a decision must not depend on.
        var zone = name.Value == "Local" || name.Value.Length > 64
            ? null
            : context.GetShared(("zone", name.Value), () => TimeZoneInfo.TryFindSystemTimeZoneById(name.Value, out var found) ? found : null);
        if (zone is null)
        {
            context.Fail($"unknown time zone {name.Value}");
            return false;
        }

        moment = moment with { Zone = zone };
        return true;
    }

    private static bool TryLayout(BuiltinContext context, int index, RegoArray parts, ref Moment moment)
    {
        if (parts.Count < 3)
        {
            return true;
        }

        if (parts[2] is not RegoString layout)
        {
            context.FailOperandKind(index + 1, parts[2], RegoKind.String);
            return false;
        }

        if (layout.Value.Length > 0)
        {
            moment = moment with { Layout = LayoutElement.Named(layout.Value) };
        }

        return true;
    }
}
