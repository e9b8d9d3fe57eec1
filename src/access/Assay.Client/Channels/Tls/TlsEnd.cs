using Assay.Binding;

namespace Assay.Client.Channels.Tls;

/// <summary>One end of a TLS 1.3 connection after its handshake, which proved that the peer has the key of the leaf it showed.</summary>
internal abstract class TlsEnd : IAsyncDisposable
{
    /// <summary>What the application reads and writes.</summary>
    public abstract Stream Stream { get; }

    /// <summary>The peer's certificates in DER, the leaf first; empty where it showed none.</summary>
    public abstract IReadOnlyList<byte[]> PeerChain { get; }

    /// <summary>Whether the peer was shown this end's certificate.</summary>
    public abstract bool ShowedCertificate { get; }

    /// <summary>Whether both ends named the channel's protocol.</summary>
    public abstract bool SpeaksChannel { get; }

    /// <summary>The exporter's bytes for a role; empty where this TLS has none.</summary>
    public virtual ReadOnlyMemory<byte> Export(ChannelRole role, ReadOnlySpan<byte> challenge) => default;

    /// <summary>After the exchange nothing is exported again.</summary>
    public virtual void EndExporter()
    {
    }

    public virtual ValueTask DisposeAsync() => Stream.DisposeAsync();
}
