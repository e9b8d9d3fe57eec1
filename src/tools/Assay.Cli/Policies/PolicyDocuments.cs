using Assay.Rego.Values;

namespace Assay.Cli.Policies;

/// <summary>The words for base documents that are none.</summary>
internal static class PolicyDocuments
{
    public static string NoObject(string file, RegoValue value) => $"{file}: one JSON object is expected, found {Kind(value)}";

    /// <summary>The kind with its article: an array, a string, null.</summary>
    public static string Kind(RegoValue value) => value.Kind switch
    {
        RegoKind.Null => "null",
        RegoKind.Array or RegoKind.Object => $"an {value.KindName}",
        _ => $"a {value.KindName}",
    };
}
