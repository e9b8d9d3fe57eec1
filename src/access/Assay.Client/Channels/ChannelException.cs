namespace Assay.Client.Channels;

/// <summary>Why there is no channel. No byte of the application has crossed.</summary>
public sealed class ChannelException : Exception
{
    /// <param name="id">Permanent: docs/troubleshooting/channels.md explains it.</param>
    /// <param name="reason">What was found, and what was expected.</param>
    /// <param name="inner">What failed underneath; null for nothing.</param>
    public ChannelException(string id, string reason, Exception? inner = null)
        : base($"{id}: {reason}", inner) => (Id, Reason) = (id, reason);

    /// <summary>A permanent id.</summary>
    public string Id { get; }

    /// <summary>What was found, and what was expected.</summary>
    public string Reason { get; }

    /// <summary>The verdict over the other end's evidence, where it was judged and refused; null otherwise.</summary>
    public Policy.Verdict? Verdict { get; init; }
}
