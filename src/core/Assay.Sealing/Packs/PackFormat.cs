using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Assay.Sealing.Packs;

/// <summary>
/// A pack: magic <c>ASSAYPK1</c>, the header's length (4 bytes, big-endian), the header, salt[24], commitment[32], chunks. Every chunk has 16384
/// plain bytes and a tag[16], but the last, which is always shorter and may be empty: its shortness ends the file.
/// </summary>
internal static class PackFormat
{
    public const int FramingBytes = 8 + 4;

    public static ReadOnlySpan<byte> Magic => "ASSAYPK1"u8;

    /// <summary>Magic, length and header.</summary>
    public static byte[] Start(PackHeader header)
    {
        var json = header.ToJson();
        var start = new byte[FramingBytes + json.Length];
        Magic.CopyTo(start);
        BinaryPrimitives.WriteInt32BigEndian(start.AsSpan(Magic.Length), json.Length);
        json.CopyTo(start.AsSpan(FramingBytes));
        return start;
    }

    /// <summary>Chunks of so many plain bytes, the last one included.</summary>
    public static long ChunksOf(long size) => (size / PackKeys.ChunkBytes) + 1;

    /// <summary>All chunks with their tags.</summary>
    public static long SealedBytesOf(long size) => size + (PackKeys.TagBytes * ChunksOf(size));

    /// <summary>What the derivation is bound to: another header, another key.</summary>
    public static byte[] ContextOf(ReadOnlySpan<byte> start) => [.. "assay-pack/v1"u8, 0, .. SHA384.HashData(start)];
}
