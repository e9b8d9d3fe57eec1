namespace Assay.Cli;

/// <summary>What is waited for, the longest first: a bar that names what has been answered already blames the wrong service. Safe for concurrent use.</summary>
internal sealed class Waiting
{
    private readonly Lock _lock = new();
    private readonly List<(string Item, string? From)> _open = [];

    /// <summary>An item begins to be asked for, or was answered.</summary>
    public Step Change(int done, int total, string item, string? from, bool isAnswered)
    {
        lock (_lock)
        {
            if (!isAnswered)
            {
                _open.Add((item, from));
            }
            else
            {
                _open.Remove((item, from));
            }

            var (first, source) = _open.Count > 0 ? _open[0] : (item, from);
            return new Step(done, total, Progress.Of(done, total, first, source));
        }
    }
}
