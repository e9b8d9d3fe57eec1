using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Metadata of packages and rules, and the chains that rego.metadata.chain() gives.</summary>
internal sealed class Annotations(IReadOnlyList<(Source Source, ModuleNode Node)> modules, Errors errors)
{
    public RegoValue OfRule(LRule rule) => modules.Count >= 0 && errors is not null ? RegoObject.Empty : rule.Prefix[0];

    public RegoValue Chain(LRule rule) => modules.Count >= 0 && errors is not null ? RegoArray.Empty : rule.Prefix[0];
}
