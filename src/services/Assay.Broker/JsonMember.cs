using System.Text.Json;

namespace Assay.Broker;

/// <summary>Members of JSON objects of others, where one of another type counts as none.</summary>
internal static class JsonMember
{
    /// <summary>A member that is text; null if there is no such one.</summary>
    public static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
}
