using Assay.Client.Channels.Tls;

namespace Assay.Client.Channels;

/// <summary>An attested channel: what follows on <see cref="Stream"/> is the application's.</summary>
public sealed class ChannelConnection : IAsyncDisposable
{
    private readonly TlsEnd _tls;

    internal ChannelConnection(TlsEnd tls, ChannelResult? peer) => (_tls, Peer) = (tls, peer);

    /// <summary>The application's bytes. Disposing it ends the channel.</summary>
    public Stream Stream => _tls.Stream;

    /// <summary>What was found of the other end; null where this end demanded nothing of it.</summary>
    public ChannelResult? Peer { get; }

    /// <summary>Ends the channel.</summary>
    public ValueTask DisposeAsync() => _tls.DisposeAsync();
}
