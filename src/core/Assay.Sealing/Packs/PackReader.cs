using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Packs;

/// <summary>
/// Opens packs, front to back or anywhere. Nothing of a chunk is given out before it authenticated; that all chunks are there is known when the
/// last one did. Not safe for concurrent use.
/// </summary>
public sealed class PackReader : IDisposable
{
    /// <summary>Chunks that are read at a time: small enough for a limit of 64 KiB on locked memory.</summary>
    internal const int BatchChunks = 2;

    private readonly Stream _source;
    private readonly PackKeys _keys;
    private readonly SecretMemory _memory;
    private readonly long _origin;
    private long _next;

    private PackReader(Stream source, PackHeader header, PackKeys keys, SecretMemory memory)
    {
        (_source, Header, _keys, _memory) = (source, header, keys, memory);
        _origin = source.CanSeek ? source.Position : 0;
    }

    /// <summary>What the pack says of itself. The derivation of its keys is bound to it.</summary>
    public PackHeader Header { get; }

    /// <summary>Chunks, the last and shorter one included.</summary>
    public long Chunks => PackFormat.ChunksOf(Header.Size);

    /// <summary>Reads the header alone: which data key to ask for. It proves nothing.</summary>
    /// <param name="source">At the pack's first byte; behind the header afterwards.</param>
    /// <param name="start">What <see cref="TryOpen"/> needs.</param>
    /// <param name="fault"><see cref="SealingFaults.PackForm"/>.</param>
    public static bool TryReadStart(Stream source, [NotNullWhen(true)] out PackStart? start, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(source);
        start = null;
        var framing = new byte[PackFormat.FramingBytes];
        if (source.ReadAtLeast(framing, framing.Length, throwOnEndOfStream: false) < framing.Length || !framing.AsSpan().StartsWith(PackFormat.Magic))
        {
            fault = Malformed("it does not begin with ASSAYPK1");
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(framing.AsSpan(PackFormat.Magic.Length));
        if (length is 0 or > Limits.PackHeaderBytes)
        {
            fault = Malformed($"its header has {length} bytes, and {Limits.PackHeaderBytes} is the most");
            return false;
        }

        var whole = new byte[framing.Length + (int)length];
        framing.CopyTo(whole, 0);
        var json = whole.AsSpan(framing.Length);
        var header = source.ReadAtLeast(json, json.Length, throwOnEndOfStream: false) == json.Length ? PackHeader.Read(json) : null;
        start = header is null ? null : new PackStart(header, whole);
        fault = start is null ? Malformed("its header is not canonical JSON of version 1, or is cut off") : null;
        return start is not null;
    }

    /// <summary>Opens a pack whose header was read, with its data key.</summary>
    /// <param name="source">Behind the header. Kept, and not disposed.</param>
    /// <param name="start">The header.</param>
    /// <param name="dataKey">32 bytes; stays the caller's.</param>
    /// <param name="expectedId">The id of what is expected. There is no opening of whatever comes.</param>
    /// <param name="reader">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.PackId"/>, <see cref="SealingFaults.PackLength"/>, <see cref="SealingFaults.NotOpened"/>.</param>
    /// <param name="memory">Where plain bytes pass through.</param>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public static bool TryOpen(Stream source, PackStart start, SecretBuffer dataKey, string expectedId, [NotNullWhen(true)] out PackReader? reader, [NotNullWhen(false)] out SealingFault? fault, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(dataKey);
        ArgumentNullException.ThrowIfNull(expectedId);
        memory ??= SecretMemory.Locked;
        reader = null;
        var header = start.Header;
        if (header.Id != expectedId)
        {
            fault = new SealingFault(SealingFaults.PackId, $"the pack is {header.Id}, and {expectedId} is expected", "give the right file, or expect this id");
            return false;
        }

        var keys = DeriveFor(source, PackFormat.ContextOf(start.Bytes), dataKey, memory);
        if (keys is null)
        {
            fault = SealingFaults.NotThisKey;
            return false;
        }

        reader = new PackReader(source, header, keys, memory);
        if (source.CanSeek && source.Length - source.Position != PackFormat.SealedBytesOf(header.Size))
        {
            fault = WrongLength(header.Size);
            reader.Dispose();
            reader = null;
            return false;
        }

        fault = null;
        return true;
    }

    /// <summary>Opens one chunk of a source that can seek.</summary>
    /// <param name="chunk">From 0.</param>
    /// <param name="plain">16384 bytes or more; zeros on a fault.</param>
    /// <param name="length">Bytes of it that are the chunk's.</param>
    /// <param name="fault"><see cref="SealingFaults.PackChunk"/> or <see cref="SealingFaults.PackLength"/>.</param>
    public bool TryReadChunk(long chunk, Span<byte> plain, out int length, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(chunk);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(chunk, Chunks);
        if (!_source.CanSeek)
        {
            throw new NotSupportedException("a source that can seek is needed to read anywhere");
        }

        _source.Position = _origin + (chunk * PackKeys.SealedChunkBytes);
        _next = chunk;
        length = PlainBytesOf(chunk);
        var text = new byte[length + PackKeys.TagBytes];
        try
        {
            if (_source.ReadAtLeast(text, text.Length, throwOnEndOfStream: false) < text.Length)
            {
                fault = WrongLength(Header.Size);
                return false;
            }

            fault = _keys.TryOpen(chunk, text, plain[..length]) ? null : WrongChunk(chunk);
            return fault is null;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>
    /// Opens the rest, front to back. What reached <paramref name="target"/> is authentic and in order; after a fault it is not complete, and
    /// must be thrown away.
    /// </summary>
    /// <param name="target">Should not buffer: what it keeps is not wiped.</param>
    /// <param name="fault"><see cref="SealingFaults.PackChunk"/> or <see cref="SealingFaults.PackLength"/>.</param>
    /// <param name="progress">Told the plain bytes that are done; null if nobody asks.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">Of the streams.</exception>
    public bool TryCopyTo(Stream target, [NotNullWhen(false)] out SealingFault? fault, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var plain = _memory.Allocate(BatchChunks * PackKeys.ChunkBytes);
        var text = new byte[BatchChunks * PackKeys.SealedChunkBytes];
        try
        {
            using var lent = plain.Borrow();
            while (_next < Chunks)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = (int)Math.Min(BatchChunks, Chunks - _next);
                var bytes = ((count - 1) * PackKeys.SealedChunkBytes) + PlainBytesOf(_next + count - 1) + PackKeys.TagBytes;
                var read = _source.ReadAtLeast(text.AsSpan(0, bytes), bytes, throwOnEndOfStream: false);
                var opened = OpenBatch(text.AsSpan(0, read), lent.Bytes, out fault);
                target.Write(lent.Bytes[..opened]);
                if (fault is not null)
                {
                    return false;
                }

                progress?.Invoke(Math.Min(_next * PackKeys.ChunkBytes, Header.Size));
            }

            fault = _source.Read(text, 0, 1) == 0 ? null : WrongLength(Header.Size);
            return fault is null;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>Wipes its keys. The source stays open.</summary>
    public void Dispose() => _keys.Dispose();

    internal static PackReader? OpenBody(Stream source, PackHeader header, ReadOnlySpan<byte> context, SecretBuffer dataKey, SecretMemory memory)
    {
        var keys = DeriveFor(source, context, dataKey, memory);
        return keys is null ? null : new PackReader(source, header, keys, memory);
    }

    // The commitment comes first: before it holds, no chunk is tried under the key.
    private static PackKeys? DeriveFor(Stream source, ReadOnlySpan<byte> context, SecretBuffer dataKey, SecretMemory memory)
    {
        Span<byte> prefix = stackalloc byte[PackKeys.SaltBytes + PackKeys.CommitmentBytes];
        if (source.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false) < prefix.Length)
        {
            return null;
        }

        var keys = PackKeys.Derive(dataKey, prefix[..PackKeys.SaltBytes], context, memory);
        if (CryptographicOperations.FixedTimeEquals(keys.Commitment, prefix[PackKeys.SaltBytes..]))
        {
            return keys;
        }

        keys.Dispose();
        return null;
    }

    // Chunk by chunk until one fails; what opened before it is given out.
    private int OpenBatch(ReadOnlySpan<byte> text, Span<byte> plain, out SealingFault? fault)
    {
        var opened = 0;
        do
        {
            var length = PlainBytesOf(_next);
            if (text.Length < length + PackKeys.TagBytes)
            {
                fault = WrongLength(Header.Size);
                return opened;
            }

            if (!_keys.TryOpen(_next, text[..(length + PackKeys.TagBytes)], plain.Slice(opened, length)))
            {
                fault = WrongChunk(_next);
                return opened;
            }

            opened += length;
            text = text[(length + PackKeys.TagBytes)..];
            _next++;
        }
        while (!text.IsEmpty);
        fault = null;
        return opened;
    }

    private int PlainBytesOf(long chunk) => (int)Math.Min(PackKeys.ChunkBytes, Header.Size - (chunk * PackKeys.ChunkBytes));

    private static SealingFault Malformed(string problem) => new(SealingFaults.PackForm, $"not a pack: {problem}", "give a file that assay seal wrote, whole and unchanged");

    private static SealingFault WrongLength(long size) => new(SealingFaults.PackLength, $"the file is shorter or longer than a pack of {size} plain bytes", "copy it again, whole");

    private static SealingFault WrongChunk(long chunk) => new(SealingFaults.PackChunk, $"chunk {chunk} was changed, or belongs elsewhere", "copy the file again; if it stays, it was tampered with");
}
