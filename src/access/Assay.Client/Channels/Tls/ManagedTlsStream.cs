using Org.BouncyCastle.Tls;

namespace Assay.Client.Channels.Tls;

/// <summary>
/// A stream over BouncyCastle's engine, which knows no socket: records in, text out, and the other way. One read and one write may go on at a time; the engine is entered by one of
/// them at a time, for a record of KeyUpdate read on the one side is answered on the other.
/// </summary>
internal sealed class ManagedTlsStream(Stream transport, TlsProtocol protocol, IDisposable crypto) : Stream
{
    private const int BufferSize = 64 * 1024 + 1024;

    private readonly Lock _engine = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly byte[] _received = new byte[BufferSize];
    private readonly byte[] _toSend = new byte[BufferSize];
    private bool _ended;
    private IOException? _failed;
    private int _disposed;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Shakes hands until it is done.</summary>
    /// <exception cref="TlsException">It failed; the peer was told.</exception>
    public async Task HandshakeAsync(Func<bool> isComplete, CancellationToken cancellation)
    {
        await SendAsync(cancellation).ConfigureAwait(false);
        while (!isComplete())
        {
            var length = await transport.ReadAsync(_received, cancellation).ConfigureAwait(false);
            if (length == 0)
            {
                throw new EndOfStreamException("the other end closed the connection");
            }

            try
            {
                Offer(length);
            }
            finally
            {
                await SendAsync(cancellation).ConfigureAwait(false);
            }
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (_failed is { } failed)
            {
                throw new IOException(failed.Message, failed);
            }

            if (Take(buffer.Span) is var taken && (taken > 0 || buffer.IsEmpty || _ended))
            {
                return taken;
            }

            var length = await transport.ReadAsync(_received, cancellationToken).ConfigureAwait(false);
            if (length == 0)
            {
                // Without close_notify, an attacker on the way could have cut the data short.
                throw _failed = new IOException("the connection ended without TLS's own end: what came so far may be cut");
            }

            try
            {
                Offer(length);
            }
            catch (TlsException exception)
            {
                throw _failed = new IOException($"TLS: {exception.Message}", exception);
            }
            finally
            {
                await SendAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (var rest = buffer; !rest.IsEmpty;)
        {
            // What waits to be sent is never more than a buffer.
            var part = rest[..Math.Min(rest.Length, 64 * 1024)];
            await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                lock (_engine)
                {
                    protocol.WriteApplicationData(part.Span);
                }

                await DrainAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }

            // What the reader left for this end to send.
            await SendAsync(cancellationToken).ConfigureAwait(false);
            rest = rest[part.Length..];
        }
    }

    public override void Flush()
    {
        // Nothing is kept.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => transport.FlushAsync(cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await CloseAsync().ConfigureAwait(false);
            await transport.DisposeAsync().ConfigureAwait(false);
            lock (_engine)
            {
                crypto.Dispose();
            }
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    // HttpClient ends its connections so, and does not wait: the peer is told all the same.
    protected override void Dispose(bool disposing)
    {
        if (disposing && Volatile.Read(ref _disposed) == 0)
        {
            _ = DisposeAsync().AsTask();
        }

        base.Dispose(disposing);
    }

    // close_notify, where it can still be sent at once.
    private async Task CloseAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await _sending.WaitAsync(patience.Token).ConfigureAwait(false);
            try
            {
                lock (_engine)
                {
                    if (!protocol.IsClosed)
                    {
                        protocol.Close();
                    }
                }

                await DrainAsync(patience.Token).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The peer is gone: its end of the connection says so.
        }
    }

    private int Take(Span<byte> buffer)
    {
        lock (_engine)
        {
            var available = protocol.GetAvailableInputBytes();
            if (available == 0)
            {
                _ended = protocol.IsClosed;
                return 0;
            }

            return protocol.ReadApplicationData(buffer[..Math.Min(buffer.Length, available)]);
        }
    }

    private void Offer(int length)
    {
        lock (_engine)
        {
            protocol.OfferInput(_received, 0, length);
        }
    }

    // Answers of the engine itself. Where a writer is at it, it sends them too, when it is done: a reader waits for no writer, whom the peer may keep waiting for ever.
    private async Task SendAsync(CancellationToken cancellation)
    {
        while (HasOutput() && _sending.Wait(TimeSpan.Zero, CancellationToken.None))
        {
            try
            {
                await DrainAsync(cancellation).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }
        }
    }

    private bool HasOutput()
    {
        lock (_engine)
        {
            return protocol.GetAvailableOutputBytes() > 0;
        }
    }

    private async Task DrainAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int length;
            lock (_engine)
            {
                length = Math.Min(protocol.GetAvailableOutputBytes(), _toSend.Length);
                if (length == 0)
                {
                    return;
                }

                length = protocol.ReadOutput(_toSend, 0, length);
            }

            await transport.WriteAsync(_toSend.AsMemory(0, length), cancellation).ConfigureAwait(false);
        }
    }
}
