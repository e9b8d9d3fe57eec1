using System.Globalization;

namespace Assay.Client.Channels;

/// <summary>Passes bytes between two streams, both ways, as they come; counts what it passes, and can wait until it passes nothing.</summary>
/// <param name="most">Pairs of streams at a time.</param>
public sealed class ChannelRelay(int most)
{
    private const int BufferSize = 64 * 1024;

    private int _connections;
    private long _opened;
    private long _toSecond;
    private long _toFirst;

    /// <summary>Pairs now.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Passes bytes until either side ends, and what was on its way has gone.</summary>
    /// <exception cref="ChannelException">There are too many.</exception>
    /// <exception cref="IOException">One side broke off.</exception>
    public async Task RunAsync(Stream first, Stream second, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (Interlocked.Increment(ref _connections) > most)
        {
            Interlocked.Decrement(ref _connections);
            throw new ChannelException("channel.busy", $"{most} channels are open already");
        }

        Interlocked.Increment(ref _opened);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            var there = CopyAsync(first, second, count => Interlocked.Add(ref _toSecond, count), ending.Token);
            var back = CopyAsync(second, first, count => Interlocked.Add(ref _toFirst, count), ending.Token);
            var ended = await Task.WhenAny(there, back).ConfigureAwait(false);
            // The side that ended has nothing more to say; TLS has no half of a connection, so the other half ends with it.
            await ending.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(there, back).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ended.ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }

    /// <summary>Waits until nothing is passed, for a time.</summary>
    public async Task DrainAsync(TimeSpan patience)
    {
        using var deadline = new CancellationTokenSource(patience);
        while (Connections > 0 && !deadline.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Counts in Prometheus' text format.</summary>
    /// <param name="prefix">Of the names.</param>
    public string Metrics(string prefix)
    {
        string Family(string name, string type, string help, long value) => string.Create(CultureInfo.InvariantCulture, $"# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} {type}\n{prefix}_{name} {value}\n");
        return Family("channels", "gauge", "Channels that are open.", Connections)
            + Family("channels_opened_total", "counter", "Channels that were opened.", Interlocked.Read(ref _opened))
            + Family("sent_bytes_total", "counter", "Bytes towards the server.", Interlocked.Read(ref _toSecond))
            + Family("received_bytes_total", "counter", "Bytes from the server.", Interlocked.Read(ref _toFirst));
    }

    private static async Task CopyAsync(Stream from, Stream to, Action<int> count, CancellationToken cancellation)
    {
        var buffer = new byte[BufferSize];
        while (true)
        {
            var length = await from.ReadAsync(buffer, cancellation).ConfigureAwait(false);
            if (length == 0)
            {
                return;
            }

            await to.WriteAsync(buffer.AsMemory(0, length), cancellation).ConfigureAwait(false);
            count(length);
        }
    }
}
