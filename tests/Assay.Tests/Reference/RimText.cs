using System.Text;
using Assay.Reference;

namespace Assay.Tests.Reference;

/// <summary>A recorded RIM as text to be spoilt, and what reading it says.</summary>
internal static class RimText
{
    public const string DriverFile = "nvidia/rims/NV_GPU_DRIVER_GH100_550.144.03.xml";

    public static string Driver => Encoding.UTF8.GetString(Recorded.Bytes(DriverFile));

    /// <summary>Replaces the first occurrence, which must exist.</summary>
    public static string With(this string text, string old, string replacement)
    {
        var place = text.IndexOf(old, StringComparison.Ordinal);
        Assert.True(place >= 0, $"\"{old}\" is not in the RIM");
        return string.Concat(text.AsSpan(0, place), replacement, text.AsSpan(place + old.Length));
    }

    /// <summary>The fault of reading, or "read".</summary>
    public static string Outcome(string text) => RimDocument.TryParse(Encoding.UTF8.GetBytes(text), out _, out var fault) ? "read" : fault.ToString();
}
