using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Assay.Wire;

/// <summary>JSON as an input of trust: no comments, no trailing commas, bounded depth, no member twice.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions s_options = new()
    {
        MaxDepth = Limits.EvidenceJsonDepth,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        AllowDuplicateProperties = false,
    };

    /// <summary>The document, which the caller disposes; null with a fault otherwise.</summary>
    public static JsonDocument? Read(ReadOnlySpan<byte> json, out ParseFault? fault)
    {
        fault = null;
        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(json.ToArray(), s_options);
            if (json.IndexOf("\\u"u8) >= 0)
            {
                RequireText(document.RootElement);
            }

            return document;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair is valid JSON and no text: the parser lets it pass, and every later reading of it throws.
            document?.Dispose();
            fault = new ParseFault("JSON", 0, "a string holds half a surrogate pair");
            return null;
        }
        catch (JsonException exception)
        {
            // The position is in the exception; its text may repeat content, so only the place is taken over.
            var place = (exception.LineNumber ?? 0) + 1;
            fault = new ParseFault("JSON", (int)Math.Min(exception.BytePositionInLine ?? 0, int.MaxValue), $"malformed, or a member stands twice, at line {place}");
            return null;
        }
    }

    private static void RequireText(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    RequireText(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    _ = member.Name;
                    RequireText(member.Value);
                }

                break;
            default:
                break;
        }
    }

    /// <summary>The string member, or null when it is absent or no string.</summary>
    public static string? Text(JsonElement element, string member) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String
            ? value.GetString()
            : null;
}
