using System.Text.Json;
using System.Text.Unicode;

namespace Assay.Wire;

/// <summary>JSON as an input of trust: no comments, no trailing commas, bounded depth, no member twice, every string sound Unicode.</summary>
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
        fault = FindBrokenText(json);
        if (fault is not null)
        {
            return null;
        }

        try
        {
            return JsonDocument.Parse(json.ToArray(), s_options);
        }
        catch (JsonException exception)
        {
            fault = Malformed(exception);
            return null;
        }
    }

    // The framework looks into strings only when they are asked for, and throws then: at bytes that are not UTF-8 and at halves of
    // surrogate pairs. Here both are found before anybody asks.
    private static ParseFault? FindBrokenText(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
        {
            return new ParseFault("JSON", 0, "not UTF-8");
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = Limits.EvidenceJsonDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped && HasLoneSurrogate(ref reader))
                {
                    return new ParseFault("JSON", (int)reader.TokenStartIndex, "half a surrogate pair");
                }
            }

            return null;
        }
        catch (JsonException exception)
        {
            return Malformed(exception);
        }
    }

    private static bool HasLoneSurrogate(ref Utf8JsonReader reader)
    {
        try
        {
            _ = reader.GetString();
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    // The position is in the exception; its text may repeat content, so only the place is taken over.
    private static ParseFault Malformed(JsonException exception) => new(
        "JSON", (int)Math.Min(exception.BytePositionInLine ?? 0, int.MaxValue), $"malformed, or a duplicate member, at line {(exception.LineNumber ?? 0) + 1}");

    /// <summary>The string member, or null when it is absent or no string.</summary>
    public static string? Text(JsonElement element, string member) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String
            ? value.GetString()
            : null;
}
