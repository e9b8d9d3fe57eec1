using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Cli.Policies;

/// <summary>Base documents beside the rules of a policy, and the words for what is wrong with them.</summary>
internal static class PolicyDocuments
{
    /// <summary>
    /// A rule at whose place the documents have a value, or null. Where the rule is undefined, the document would answer in its place; OPA
    /// refuses such a pair as well.
    /// </summary>
    public static string? Conflict(IEnumerable<RegoModule> modules, RegoObject? documents)
    {
        if (documents is null || !CompiledPolicy.TryCompile([], documents, out var alone, out _))
        {
            return null;
        }

        return modules.SelectMany(module => module.Rules).Distinct()
            .FirstOrDefault(rule => alone.TryPrepare(rule, out var query, out _) && query.Evaluate(null).Value is not null);
    }

    public static string ConflictOf(string rule) => $"{rule} is a rule of the policy and a value of its data as well: name one of them otherwise";

    public static string NoObject(string file, RegoValue value) => $"{file}: one JSON object is expected, found {Kind(value)}";

    /// <summary>The kind with its article: an array, a string, null.</summary>
    public static string Kind(RegoValue value) => value.Kind switch
    {
        RegoKind.Null => "null",
        RegoKind.Array or RegoKind.Object => $"an {value.KindName}",
        _ => $"a {value.KindName}",
    };
}
