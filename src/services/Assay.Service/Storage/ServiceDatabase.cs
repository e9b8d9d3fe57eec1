using System.Data.Common;
using Dapper;

namespace Assay.Service.Storage;

/// <summary>
/// Where a service keeps its state: SQLite in a file for one process, PostgreSQL for any number. Both take the same SQL; what differs is here.
/// What a transaction wrote is on disk when it returns.
/// </summary>
public abstract class ServiceDatabase : IAsyncDisposable
{
    /// <summary>The meter of PostgreSQL's client: commands, their times, and connections.</summary>
    public const string PostgresMeterName = "Npgsql";

    // Columns are named as SQL does, members as C# does.
    static ServiceDatabase() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    private protected ServiceDatabase()
    {
    }

    /// <summary><c>sqlite</c> or <c>postgresql</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>What a schema script's variables are in this database.</summary>
    internal abstract IReadOnlyDictionary<string, string> Dialect { get; }

    /// <summary>Opens what a connection string names: <c>Host=…</c> or <c>postgresql://…</c> is PostgreSQL, everything else SQLite.</summary>
    /// <exception cref="ServiceException">The connection string cannot be read.</exception>
    public static ServiceDatabase Of(string connection)
    {
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return PostgresDatabase.IsFor(connection) ? new PostgresDatabase(connection) : new SqliteDatabase(connection);
    }

    /// <summary>The same, for a command that no other process may use the database beside (<see cref="HoldAloneAsync"/>).</summary>
    /// <exception cref="ServiceException">The connection string cannot be read.</exception>
    public static ServiceDatabase OfOne(string connection)
    {
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return PostgresDatabase.IsFor(connection) ? new PostgresDatabase(connection, isAlone: true) : new SqliteDatabase(connection);
    }

    /// <summary>Brings the schema up to date, and checks that the server keeps what it acknowledges.</summary>
    /// <param name="scripts">Those of the features that the host serves; the kernel's come with it.</param>
    /// <exception cref="ServiceException">The database does not answer, was made by a newer release that this one does not know, or may lose what it acknowledged.</exception>
    public async Task PrepareAsync(IEnumerable<SchemaScript> scripts, CancellationToken cancellation)
    {
        await GuardedAsync(() => CheckAsync(cancellation)).ConfigureAwait(false);
        await GuardedAsync(() => Task.Run(() => Schema.Upgrade(this, [.. SchemaScript.OfAssembly(typeof(ServiceDatabase).Assembly), .. scripts]), cancellation)).ConfigureAwait(false);
    }

    /// <summary>Reads.</summary>
    public async Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(read);
        return await GuardedAsync(async () =>
        {
            var connection = await OpenAsync(cancellation).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                return await read(connection).ConfigureAwait(false);
            }
        }).ConfigureAwait(false);
    }

    /// <summary>Writes in one transaction, which holds when this returns. Nothing of it holds where it throws.</summary>
    public async Task<T> WriteAsync<T>(Func<DbConnection, DbTransaction, Task<T>> write, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(write);
        return await GuardedAsync(async () =>
        {
            using var turn = await TakeTurnAsync(cancellation).ConfigureAwait(false);
            var connection = await OpenAsync(cancellation).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var transaction = await connection.BeginTransactionAsync(cancellation).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    var written = await write(connection, transaction).ConfigureAwait(false);
                    await transaction.CommitAsync(cancellation).ConfigureAwait(false);
                    return written;
                }
            }
        }).ConfigureAwait(false);
    }

    /// <summary>One statement that writes, as a transaction of its own.</summary>
    public async Task<T?> WriteOneAsync<T>(string sql, object parameters, CancellationToken cancellation) => await GuardedAsync(async () =>
    {
        using var turn = await TakeTurnAsync(cancellation).ConfigureAwait(false);
        var connection = await OpenAsync(cancellation).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await connection.QuerySingleOrDefaultAsync<T>(new CommandDefinition(sql, parameters, cancellationToken: cancellation)).ConfigureAwait(false);
        }
    }).ConfigureAwait(false);

    /// <summary>Whether it answers.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancellation)
    {
        try
        {
            return await ReadAsync(connection => connection.ExecuteScalarAsync<long>(new CommandDefinition("SELECT 1", cancellationToken: cancellation)), cancellation).ConfigureAwait(false) == 1;
        }
        catch (ServiceException)
        {
            return false;
        }
    }

    /// <summary>Closes its connections.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Keeps other commands that need the database alone away until it is disposed, and refuses where a server uses it.</summary>
    /// <exception cref="ServiceException">Another process uses it.</exception>
    internal abstract Task<IAsyncDisposable> HoldAloneAsync(CancellationToken cancellation);

    /// <summary>Refuses where a server has begun to use the database since.</summary>
    /// <exception cref="ServiceException">Another process uses it.</exception>
    internal abstract Task RequireAloneAsync(CancellationToken cancellation);

    /// <summary>Removes what rows held before they were changed from the database's file, where that is ours to do.</summary>
    internal abstract Task CompactAsync(CancellationToken cancellation);

    internal abstract Task<DbConnection> OpenAsync(CancellationToken cancellation);

    /// <summary>Refuses a server that loses what it acknowledged.</summary>
    internal abstract Task CheckAsync(CancellationToken cancellation);

    /// <summary>Runs the scripts that were not run yet, one process at a time.</summary>
    internal abstract void Upgrade(IReadOnlyCollection<SchemaScript> scripts);

    /// <summary>Where writers wait for one another in this process; null where the server does it.</summary>
    private protected virtual Task<IDisposable?> TakeTurnAsync(CancellationToken cancellation) => Task.FromResult<IDisposable?>(null);

    // An outage is no bug: whoever calls answers 503, and the client comes again.
    private async Task<T> GuardedAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Exception exception) when (IsOutage(exception))
        {
            throw new ServiceException("service.database.unavailable", $"the database ({Kind}) does not answer: {exception.Message}", exception);
        }
    }

    private Task<bool> GuardedAsync(Func<Task> work) => GuardedAsync(async () =>
    {
        await work().ConfigureAwait(false);
        return true;
    });

    private protected abstract bool IsOutage(Exception exception);
}
