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
        try
        {
            return JsonDocument.Parse(json.ToArray(), s_options);
        }
        catch (JsonException exception)
        {
            // The position is in the exception; its text may repeat content, so only the place is taken over.
            var place = (exception.LineNumber ?? 0) + 1;
            fault = new ParseFault("JSON", (int)Math.Min(exception.BytePositionInLine ?? 0, int.MaxValue), $"malformed, or a member stands twice, at line {place}");
            return null;
        }
    }

    /// <summary>The string member, or null when it is absent or no string.</summary>
    public static string? Text(JsonElement element, string member) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String
            ? value.GetString()
            : null;
}
