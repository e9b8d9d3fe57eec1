using System.Threading.Channels;

namespace Assay.Service.Storage;

/// <summary>
/// Callers of one writer: taken together where several wait, so that one wait for the disk serves all of them, and each alone where together fails, so that
/// one that is refused does not take the others along.
/// </summary>
/// <typeparam name="T">What a caller brings.</typeparam>
internal sealed class WriteQueue<T> : IAsyncDisposable
{
    private const int MostWaiting = 4096;
    private const int MostTogether = 256;

    private readonly Channel<T> _items = Channel.CreateBounded<T>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly Func<IReadOnlyList<T>, Task<Exception?>> _write;
    private readonly Action<T, Exception> _fail;
    private readonly Task _writing;

    /// <param name="write">Writes, and tells its callers; returns why nothing holds.</param>
    /// <param name="fail">Tells a caller that its own part does not hold.</param>
    public WriteQueue(Func<IReadOnlyList<T>, Task<Exception?>> write, Action<T, Exception> fail)
    {
        (_write, _fail) = (write, fail);
        _writing = Task.Run(WriteAllAsync);
    }

    /// <summary>Transactions that held.</summary>
    public long Commits { get; private set; }

    /// <summary>Waits for a place; what has a place is written.</summary>
    public ValueTask AddAsync(T item, CancellationToken cancellation) => _items.Writer.WriteAsync(item, cancellation);

    /// <summary>Writes what waits, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _items.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
    }

    private async Task WriteAllAsync()
    {
        var batch = new List<T>(MostTogether);
        while (await _items.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            batch.Clear();
            while (batch.Count < MostTogether && _items.Reader.TryRead(out var item))
            {
                batch.Add(item);
            }

            if (await TryAsync(batch).ConfigureAwait(false) is null)
            {
                continue;
            }

            foreach (var item in batch)
            {
                if (await TryAsync([item]).ConfigureAwait(false) is { } exception)
                {
                    _fail(item, exception);
                }
            }
        }
    }

    private async Task<Exception?> TryAsync(IReadOnlyList<T> batch)
    {
        var exception = await _write(batch).ConfigureAwait(false);
        Commits += exception is null ? 1 : 0;
        return exception;
    }
}
