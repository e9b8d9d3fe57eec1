using System.Diagnostics.CodeAnalysis;

namespace Assay.Policies;

/// <summary>The rules that need not be named: NVIDIA's and Trustee's.</summary>
internal static class KnownRules
{
    /// <summary>The one that is among the rules of a policy. The problem, where none or both are: "neither … nor … stands".</summary>
    public static bool TryFind(IEnumerable<string> rules, [NotNullWhen(true)] out string? rule, [NotNullWhen(false)] out string? problem)
    {
        var known = rules.Where(path => path is RegoPolicy.NvidiaRule or RegoPolicy.TrusteeRule).Distinct().ToArray();
        rule = known.Length == 1 ? known[0] : null;
        problem = known.Length == 1 ? null
            : known.Length == 0 ? $"neither {RegoPolicy.NvidiaRule} nor {RegoPolicy.TrusteeRule} stands"
            : $"both {RegoPolicy.NvidiaRule} and {RegoPolicy.TrusteeRule} stand";
        return rule is not null;
    }
}
