using System.Data.Common;
using Assay.Service.Audit;
using Assay.Service.Keys;

namespace Assay.Service.Storage;

/// <summary>
/// Everything that a service acknowledges goes to disk through here, with its audit entry, many callers in one transaction. A caller goes on when its own
/// rows hold. Entries of this process form one chain, so one writer orders them.
/// </summary>
public sealed class GroupCommit : IAsyncDisposable
{
    private const int MostRaces = 64;

    private readonly ServiceDatabase _database;
    private readonly AuditChain _chain;
    private readonly TimeProvider _clock;
    private readonly WriteQueue<Item> _queue;

    /// <param name="database">Where to.</param>
    /// <param name="kek">What authenticates the audit entries.</param>
    /// <param name="clock">The time of entries.</param>
    public GroupCommit(ServiceDatabase database, KeyEncryptionKey kek, TimeProvider clock)
    {
        (_database, _chain, _clock) = (database, new AuditChain(kek), clock);
        _queue = new WriteQueue<Item>(TryWriteAsync, (item, exception) => item.Done.TrySetException(exception));
    }

    /// <summary>Commits since the start, each of one or more callers.</summary>
    public long Commits => _queue.Commits;

    /// <summary>Returns when the entry, and the rows that go with it, hold.</summary>
    /// <param name="entry">What happened.</param>
    /// <param name="rows">What is written with it; null for nothing. It may run twice, in different transactions, of which one holds.</param>
    /// <param name="cancellation">Ends the waiting for a place; what has a place is written.</param>
    /// <exception cref="ServiceException">The database does not answer: nothing holds, or it is not known.</exception>
    public async Task CommitAsync(AuditEvent entry, Func<DbConnection, DbTransaction, Task>? rows, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var item = new Item(entry, rows, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await _queue.AddAsync(item, cancellation).ConfigureAwait(false);
        await item.Done.Task.ConfigureAwait(false);
    }

    /// <summary>Writes what waits, and ends.</summary>
    public ValueTask DisposeAsync() => _queue.DisposeAsync();

    private async Task<Exception?> TryWriteAsync(IReadOnlyList<Item> batch)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await TryOnceAsync(batch).ConfigureAwait(false) is var exception && (exception is not AuditWriterRaceException || attempt == MostRaces))
            {
                return exception is AuditWriterRaceException ? new ServiceException("service.database.unavailable", "too many processes began to write audit entries in the same moment", exception) : exception;
            }
        }
    }

    private async Task<Exception?> TryOnceAsync(IReadOnlyList<Item> batch)
    {
        var at = _chain.Position;
        try
        {
            await _database.WriteAsync(
                async (connection, transaction) =>
                {
                    // The entries first: what they find in the database was there before them.
                    await _chain.AppendAsync(batch.Select(item => item.Entry), _clock.GetUtcNow(), connection, transaction).ConfigureAwait(false);
                    foreach (var item in batch)
                    {
                        if (item.Rows is not null)
                        {
                            await item.Rows(connection, transaction).ConfigureAwait(false);
                        }
                    }

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

        foreach (var item in batch)
        {
            item.Done.TrySetResult();
        }

        return null;
    }

    private sealed record Item(AuditEvent Entry, Func<DbConnection, DbTransaction, Task>? Rows, TaskCompletionSource Done);
}
