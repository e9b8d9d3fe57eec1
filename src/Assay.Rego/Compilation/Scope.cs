namespace Assay.Rego.Compilation;

/// <summary>The names of one body. Inner bodies see outer names.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, Local> _names = new(StringComparer.Ordinal);

    /// <summary>Names that a later statement of this body declares.</summary>
    public HashSet<string> Pending { get; init; } = [];

    public Scope? Outer { get; } = outer;

    public IEnumerable<Local> Own => _names.Values;

    public Local? Find(string name) => _names.TryGetValue(name, out var local) ? local : Outer?.Find(name);

    public Local? FindHere(string name) => _names.GetValueOrDefault(name);

    public void Set(string name, Local local) => _names[name] = local;
}
