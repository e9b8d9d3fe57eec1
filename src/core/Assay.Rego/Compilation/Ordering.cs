namespace Assay.Rego.Compilation;

/// <summary>
/// Takes things in their order, each as soon as it has all it needs. What has not waits, and is asked again only when a variable that it
/// misses was bound: asking all again each time would be quadratic.
/// </summary>
internal sealed class Ordering(int count, CompileWork work)
{
    private readonly bool[] _done = new bool[count];
    private readonly SortedSet<int> _woken = [];
    private Dictionary<Local, List<Wait>>? _waits;
    private int _first;

    /// <summary>What was asked and still waits.</summary>
    public IEnumerable<int> Left => Enumerable.Range(0, count).Where(index => !_done[index]);

    /// <summary>The first that may be ready; false when there is none.</summary>
    public bool TryNext(out int next)
    {
        work.Tick();
        if (_woken.Count > 0 && _woken.Min is var woken && woken < _first)
        {
            next = woken;
            return _woken.Remove(woken);
        }

        next = _first;
        return _first++ < count;
    }

    /// <summary>It waits for one of these variables; for all of them when nothing in it can bind another.</summary>
    public void Block(int index, IReadOnlyCollection<Local> missing, bool all)
    {
        _waits ??= [];
        var wait = new Wait(index) { For = all ? missing.Count : 1 };
        foreach (var local in missing)
        {
            work.Tick();
            if (!_waits.TryGetValue(local, out var waits))
            {
                _waits[local] = waits = [];
            }

            waits.Add(wait);
        }
    }

    /// <summary>It was taken, and bound what stands behind the mark.</summary>
    public void Done(int index, Bindings bound, int mark)
    {
        _done[index] = true;
        if (_waits is null)
        {
            return;
        }

        foreach (var local in bound.Since(mark))
        {
            foreach (var wait in _waits.Remove(local, out var waits) ? waits : [])
            {
                work.Tick();
                if (--wait.For == 0 && !_done[wait.Index])
                {
                    _woken.Add(wait.Index);
                }
            }
        }
    }

    private sealed class Wait(int index)
    {
        public int Index => index;

        public int For { get; set; }
    }
}
