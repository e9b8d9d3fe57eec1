using System.Text.Json;
using System.Text.Unicode;

namespace Assay.Sealing;

/// <summary>JSON of strangers: no member twice, no comments, little nesting, sound Unicode.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = Limits.JsonDepth, AllowDuplicateProperties = false };

    /// <summary>The document, which the caller disposes; null where it is not one.</summary>
    public static JsonDocument? Read(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
        {
            return null;
        }

        try
        {
            var document = JsonDocument.Parse(json.ToArray(), s_options);
            if (HasSoundText(document.RootElement))
            {
                return document;
            }

            document.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A string member, or null where it is absent or not a string.</summary>
    public static string? Text(JsonElement element, string member) =>
        element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    // Half a surrogate pair, written as an escape, throws only when it is asked for.
    private static bool HasSoundText(JsonElement element)
    {
        try
        {
            return element.ValueKind switch
            {
                JsonValueKind.Object => element.EnumerateObject().All(member => member.Name is not null && HasSoundText(member.Value)),
                JsonValueKind.Array => element.EnumerateArray().All(HasSoundText),
                JsonValueKind.String => element.GetString() is not null,
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
