using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Assay.Wire;

/// <summary>Instants as text: UTC in whole seconds, <c>2026-11-29T13:02:05Z</c> (RFC 3339). The one form that Assay writes.</summary>
public static class Utc
{
    internal const string Form = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    /// <summary>The instant as text; a fraction of a second is cut off.</summary>
    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString(Form, CultureInfo.InvariantCulture);

    /// <summary>Reads exactly what <see cref="Text"/> writes.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out DateTimeOffset time) =>
        DateTimeOffset.TryParseExact(text, Form, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}
