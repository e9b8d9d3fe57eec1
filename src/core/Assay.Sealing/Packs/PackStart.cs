namespace Assay.Sealing.Packs;

/// <summary>The header of a pack with the bytes that it was read from, which are part of its key derivation.</summary>
public sealed class PackStart
{
    private readonly byte[] _bytes;

    internal PackStart(PackHeader header, byte[] bytes) => (Header, _bytes) = (header, bytes);

    /// <summary>What the pack says of itself; proven by nothing yet.</summary>
    public PackHeader Header { get; }

    internal ReadOnlySpan<byte> Bytes => _bytes;
}
