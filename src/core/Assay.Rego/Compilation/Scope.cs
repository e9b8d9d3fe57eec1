namespace Assay.Rego.Compilation;

/// <summary>
/// The names of one body. Inner bodies see outer names: all bodies of a rule share one table, so that a name is found at once however deep it
/// is used. A body that ends takes its names out again.
/// </summary>
internal sealed class Scope
{
    private readonly Dictionary<string, (Local Local, Scope Scope)> _visible;
    private readonly Dictionary<string, (Local Local, Scope Scope)?> _hidden = new(StringComparer.Ordinal);

    public Scope(Scope? outer) =>
        (Outer, _visible) = (outer, outer?._visible ?? new Dictionary<string, (Local Local, Scope Scope)>(StringComparer.Ordinal));

    /// <summary>Names that a later statement of this body declares.</summary>
    public HashSet<string> Pending { get; init; } = [];

    public Scope? Outer { get; }

    public IEnumerable<Local> Own => _hidden.Keys.Select(name => _visible[name].Local);

    public Local? Find(string name) => _visible.TryGetValue(name, out var found) ? found.Local : null;

    public Local? FindHere(string name) => _visible.TryGetValue(name, out var found) && found.Scope == this ? found.Local : null;

    public void Set(string name, Local local)
    {
        if (FindHere(name) is null)
        {
            _hidden[name] = _visible.TryGetValue(name, out var outer) ? outer : null;
        }

        _visible[name] = (local, this);
    }

    /// <summary>The body has ended: what it hid is seen again.</summary>
    public void Close()
    {
        foreach (var (name, hidden) in _hidden)
        {
            if (hidden is { } outer)
            {
                _visible[name] = outer;
            }
            else
            {
                _visible.Remove(name);
            }
        }
    }
}
