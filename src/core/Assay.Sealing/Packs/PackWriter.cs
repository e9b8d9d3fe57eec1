using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Packs;

/// <summary>Writes packs. Memory does not grow with the content.</summary>
public static class PackWriter
{
    /// <summary>Bytes of the pack with such a header.</summary>
    public static long BytesOf(PackHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        return PackFormat.Start(header).Length + PackKeys.SaltBytes + PackKeys.CommitmentBytes + PackFormat.SealedBytesOf(header.Size);
    }

    /// <summary>
    /// Seals exactly as many bytes as the header says. On a fault what was written is of no use. The writer of a file writes under another name,
    /// and renames.
    /// </summary>
    /// <param name="header">Id, data key's id, size.</param>
    /// <param name="dataKey">32 random bytes, for this one pack.</param>
    /// <param name="source">Read to its end.</param>
    /// <param name="target">Written front to back.</param>
    /// <param name="progress">Told the plain bytes that are done, every 32 KiB; null if nobody asks.</param>
    /// <param name="memory">Where plain bytes pass through.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns><see cref="SealingFaults.SourceChanged"/> where the source is shorter or longer; otherwise null.</returns>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    /// <exception cref="IOException">Of the streams.</exception>
    public static SealingFault? Write(PackHeader header, SecretBuffer dataKey, Stream source, Stream target, Action<long>? progress = null, SecretMemory? memory = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(dataKey);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return Write(header, dataKey, RandomNumberGenerator.GetBytes(PackKeys.SaltBytes), source, target, progress, memory ?? SecretMemory.Locked, cancellation);
    }

    internal static SealingFault? Write(PackHeader header, SecretBuffer dataKey, byte[] salt, Stream source, Stream target, Action<long>? progress, SecretMemory memory, CancellationToken cancellation)
    {
        var start = PackFormat.Start(header);
        target.Write(start);
        return WriteBody(header.Size, dataKey, salt, PackFormat.ContextOf(start), source, target, progress, memory, cancellation);
    }

    /// <summary>Salt, commitment and chunks alone: Cobblestone-256 with any context.</summary>
    internal static SealingFault? WriteBody(long size, SecretBuffer dataKey, byte[] salt, ReadOnlySpan<byte> context, Stream source, Stream target, Action<long>? progress, SecretMemory memory, CancellationToken cancellation)
    {
        using var keys = PackKeys.Derive(dataKey, salt, context, memory);
        using var plain = memory.Allocate(PackReader.BatchChunks * PackKeys.ChunkBytes);
        // Behind the last full chunk may stand an empty one.
        var text = new byte[(PackReader.BatchChunks * PackKeys.SealedChunkBytes) + PackKeys.TagBytes];
        target.Write(salt);
        target.Write(keys.Commitment);
        try
        {
            using var lent = plain.Borrow();
            for (long done = 0, chunk = 0; ;)
            {
                cancellation.ThrowIfCancellationRequested();
                var wanted = (int)Math.Min(lent.Bytes.Length, size - done);
                var read = source.ReadAtLeast(lent.Bytes[..wanted], wanted, throwOnEndOfStream: false);
                done += read;
                if (read < wanted)
                {
                    return Changed(size, $"it ended after {done}");
                }

                var written = SealBatch(keys, ref chunk, lent.Bytes[..read], isLast: done == size, text);
                target.Write(text, 0, written);
                progress?.Invoke(done);
                if (done == size)
                {
                    return source.Read(lent.Bytes[..1]) == 0 ? null : Changed(size, "there are more");
                }
            }
        }
        finally
        {
            StackWipe.Run();
        }
    }

    private static int SealBatch(PackKeys keys, ref long chunk, ReadOnlySpan<byte> plain, bool isLast, Span<byte> text)
    {
        var written = 0;
        for (; plain.Length >= PackKeys.ChunkBytes; plain = plain[PackKeys.ChunkBytes..])
        {
            keys.Seal(chunk++, plain[..PackKeys.ChunkBytes], text[written..]);
            written += PackKeys.SealedChunkBytes;
        }

        if (isLast)
        {
            keys.Seal(chunk++, plain, text[written..]);
            written += plain.Length + PackKeys.TagBytes;
        }

        return written;
    }

    private static SealingFault Changed(long size, string found) =>
        new(SealingFaults.SourceChanged, $"{size} bytes were to be sealed, and {found}", "seal a file that nobody writes to");
}
