using Assay.Client.Channels;

namespace Assay.Client.AspNetCore;

/// <summary>The attested channel that a request came on: a feature of its connection, and so of <c>HttpContext.Features</c>. A connection without this feature is not an attested channel.</summary>
public sealed class AssayChannelFeature
{
    internal AssayChannelFeature(ChannelResult? peer) => Peer = peer;

    /// <summary>What was found of the client; null where the server demands nothing of clients.</summary>
    public ChannelResult? Peer { get; }
}
