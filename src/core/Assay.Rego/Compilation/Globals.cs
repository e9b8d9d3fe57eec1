using System.Collections.Immutable;
using Assay.Rego.Builtins;
using Assay.Rego.Syntax;

namespace Assay.Rego.Compilation;

/// <summary>What a module sees beyond its own bodies: the rules of its package, its imports, and the built-ins.</summary>
internal sealed class Globals
{
    private readonly Dictionary<string, HashSet<string>> _rulesByPackage = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Builtin> _extra;

    public Globals(IEnumerable<(Source Source, ModuleNode Node)> modules, IEnumerable<Builtin> extra)
    {
        _extra = extra.ToDictionary(builtin => builtin.Name, StringComparer.Ordinal);
        foreach (var (_, module) in modules)
        {
            var key = Key(module.Package);
            if (!_rulesByPackage.TryGetValue(key, out var names))
            {
                _rulesByPackage[key] = names = new HashSet<string>(StringComparer.Ordinal);
            }

            names.UnionWith(module.Rules.Select(rule => rule.Name.Name));
        }
    }

    /// <summary>How many arguments the function at each path takes; −1 for a rule that is not a function.</summary>
    public Dictionary<string, int> Arities { get; } = new(StringComparer.Ordinal);

    public static IEnumerable<string> Operators { get; } = [.. OperatorBuiltins.All.Where(builtin => builtin.Infix is not null).Select(builtin => builtin.Name)];

    public Builtin? Builtin(string name) => _extra.GetValueOrDefault(name) ?? BuiltinTable.All.GetValueOrDefault(name);

    public bool HasRule(ImmutableArray<string> package, string name) => _rulesByPackage.TryGetValue(Key(package), out var names) && names.Contains(name);

    private static string Key(ImmutableArray<string> package) => string.Join('\0', package);
}
