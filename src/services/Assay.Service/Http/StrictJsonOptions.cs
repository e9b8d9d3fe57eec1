using System.Text.Json;
using System.Text.Json.Serialization;

namespace Assay.Service.Http;

/// <summary>How bodies are read and written: unknown and repeated members are faults, names are in camel case.</summary>
public static class StrictJsonOptions
{
    /// <summary>The one set.</summary>
    public static JsonSerializerOptions Value { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

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
