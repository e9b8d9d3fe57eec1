using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Wire;

namespace Assay.Service.Http;

/// <summary>How bodies are read and written: unknown and repeated members are faults, names are in camel case.</summary>
public static class StrictJsonOptions
{
    private const int LongestPath = 100;

    /// <summary>The one set.</summary>
    public static JsonSerializerOptions Value { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    /// <summary>What is wrong with a text, where, and what is expected, without the names of our types.</summary>
    public static string WhyNot(JsonException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        var message = exception.Message;
        var fault = message.Contains("could not be mapped", StringComparison.Ordinal) ? "unknown member"
            : message.IndexOf("including: ", StringComparison.Ordinal) is > 0 and var at ? $"missing: {message[(at + "including: ".Length)..].Split(". ")[0].TrimEnd('.').Replace('\'', '"')}"
            : message.Contains("Duplicate", StringComparison.OrdinalIgnoreCase) ? "a member that occurs twice"
            : message.Contains("could not be converted", StringComparison.Ordinal) || message.Contains("null", StringComparison.Ordinal) ? "a value of another type"
            : "malformed JSON";
        var path = exception.Path is { Length: > 0 } stated ? stated.Length <= LongestPath ? stated : $"{stated[..LongestPath]}…" : "$";
        return $"{Printable.Of(path)}: {fault}, line {exception.LineNumber + 1}";
    }

    internal static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.AllowDuplicateProperties = false;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.MaxDepth = 32;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        return options;
    }
}
