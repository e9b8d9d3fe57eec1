using System.Data.Common;
using System.Threading.Channels;
using Assay.Service.Audit;
using Assay.Service.Keys;

namespace Assay.Service.Storage;

/// <summary>
/// Everything that a service acknowledges goes to disk through here, with its audit entry, many callers in one transaction: one wait for the disk serves
/// all of them. A caller goes on when its own rows hold. Entries of this process form one chain, so one writer orders them.
/// </summary>
public sealed class GroupCommit : IAsyncDisposable
{
    private const int MostWaiting = 4096;
    private const int MostTogether = 256;

    private readonly ServiceDatabase _database;
    private readonly AuditChain _chain;
    private readonly TimeProvider _clock;
    private readonly Channel<Item> _items = Channel.CreateBounded<Item>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly Task _writing;

    /// <param name="database">Where to.</param>
    /// <param name="kek">What authenticates the audit entries.</param>
    /// <param name="clock">The time of entries.</param>
    public GroupCommit(ServiceDatabase database, KeyEncryptionKey kek, TimeProvider clock)
    {
        (_database, _chain, _clock) = (database, new AuditChain(kek), clock);
        _writing = Task.Run(WriteAllAsync);
    }

    /// <summary>Commits since the start, each of one or more callers.</summary>
    public long Commits { get; private set; }

    /// <summary>Returns when the entry, and the rows that go with it, hold.</summary>
    /// <param name="entry">What happened.</param>
    /// <param name="rows">What is written with it; null for nothing. It may run twice, in different transactions, of which one holds.</param>
    /// <param name="cancellation">Ends the waiting for a place; what has a place is written.</param>
    /// <exception cref="ServiceException">The database does not answer: nothing holds, or it is not known.</exception>
    public async Task CommitAsync(AuditEvent entry, Func<DbConnection, DbTransaction, Task>? rows, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var item = new Item(entry, rows, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _items.Writer.WriteAsync(item, cancellation).ConfigureAwait(false);
        await item.Done.Task.ConfigureAwait(false);
    }

    /// <summary>Writes what waits, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _items.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
    }

    private async Task WriteAllAsync()
    {
        var batch = new List<Item>(MostTogether);
        while (await _items.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            batch.Clear();
            while (batch.Count < MostTogether && _items.Reader.TryRead(out var item))
            {
                batch.Add(item);
            }

            if (await TryWriteAsync(batch).ConfigureAwait(false) is null)
            {
                continue;
            }

            // One row that the database refuses must not take the others along.
            foreach (var item in batch)
            {
                if (await TryWriteAsync([item]).ConfigureAwait(false) is { } exception)
                {
                    item.Done.TrySetException(exception);
                }
            }
        }
    }

    private async Task<Exception?> TryWriteAsync(List<Item> batch)
    {
        var at = _chain.Position;
        try
        {
            await _database.WriteAsync(
                async (connection, transaction) =>
                {
                    foreach (var item in batch)
                    {
                        if (item.Rows is not null)
                        {
                            await item.Rows(connection, transaction).ConfigureAwait(false);
                        }
                    }

                    await _chain.AppendAsync(batch.Select(item => item.Entry), _clock.GetUtcNow(), connection, transaction).ConfigureAwait(false);
                    return true;
                },
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Whether it was committed may not be known: a new chain never collides with what was perhaps written.
            _chain.Restart(at);
            return exception;
        }

        Commits++;
        batch.ForEach(item => item.Done.TrySetResult());
        return null;
    }

    private sealed record Item(AuditEvent Entry, Func<DbConnection, DbTransaction, Task>? Rows, TaskCompletionSource Done);
}
