using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Wire;

namespace Assay.Cli;

/// <summary>An instant as people write and read it: RFC 3339.</summary>
internal static class Instant
{
    private static readonly string[] s_forms = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    /// <summary>Reads one of a command line, which has an offset.</summary>
    public static bool TryRead(string text, out DateTimeOffset instant, [NotNullWhen(false)] out string? whyNot)
    {
        instant = default;
        var zoned = text.EndsWith('Z') || (text.Length > 6 && text[^6] is '+' or '-');
        var read = zoned && DateTimeOffset.TryParseExact(text, s_forms, CultureInfo.InvariantCulture, DateTimeStyles.None, out instant);
        instant = instant.ToUniversalTime();
        whyNot = read ? null : $"RFC 3339 with an offset is expected, for instance 2026-11-01T00:00:00Z, found \"{text}\"";
        return read;
    }

    /// <summary>Reads an instant, or a day, which is its first instant in UTC.</summary>
    public static bool TryReadDay(string text, out DateTimeOffset instant) =>
        DateTimeOffset.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out instant) || TryRead(text, out instant, out _);

    /// <summary>The same in the one form that is printed: UTC, whole seconds.</summary>
    public static string Text(DateTimeOffset time) => Utc.Text(time);
}
