namespace Assay.Cli.Verify;

/// <summary>What is wrong with a command line of <c>assay verify</c>. All of it is found before any of it is told.</summary>
/// <param name="isWhole">Whether the file of <c>--config</c> could be read to its end: an option may belong to one that an unread line states.</param>
internal sealed class VerifyFaults(bool isWhole)
{
    private readonly List<(string Id, string Message)> _all = [];

    public IReadOnlyList<(string Id, string Message)> All => _all;

    public void Add(string id, string message) => _all.Add((id, message));

    /// <summary>Of an option that says nothing without another, which is not given.</summary>
    public void AddAlone(string id, string message)
    {
        if (isWhole)
        {
            Add(id, message);
        }
    }
}
