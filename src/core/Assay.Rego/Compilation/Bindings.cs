namespace Assay.Rego.Compilation;

/// <summary>The variables that are bound so far. A closure sees those around it, and what it binds itself is taken back behind it.</summary>
internal sealed class Bindings
{
    private readonly HashSet<Local> _bound = [];
    private readonly List<Local> _inOrder = [];

    /// <summary>How many are bound: what to give to <see cref="UndoTo"/>.</summary>
    public int Mark => _inOrder.Count;

    public bool Has(Local local) => _bound.Contains(local);

    /// <summary>Binds; false when it was bound before.</summary>
    public bool Add(Local local)
    {
        if (!_bound.Add(local))
        {
            return false;
        }

        _inOrder.Add(local);
        return true;
    }

    /// <summary>What was bound after the mark.</summary>
    public ReadOnlySpan<Local> Since(int mark) => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_inOrder)[mark..];

    public void UndoTo(int mark)
    {
        foreach (var local in Since(mark))
        {
            _bound.Remove(local);
        }

        _inOrder.RemoveRange(mark, _inOrder.Count - mark);
    }
}
