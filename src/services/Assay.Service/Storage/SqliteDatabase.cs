using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Assay.Service.Storage;

/// <summary>
/// One file, one process, no server. Every commit reaches the disk before it is acknowledged (WAL with synchronous=FULL). Writers of this process take
/// turns here: SQLite has one writer, and waiting in a queue is fairer than retrying.
/// </summary>
internal sealed class SqliteDatabase : ServiceDatabase
{
    private readonly string _connection;
    private readonly SemaphoreSlim _writers = new(1);
    private FileStream? _held;

    public SqliteDatabase(string connection)
    {
        try
        {
            // A path alone is the usual case.
            var builder = connection.Contains('=', StringComparison.Ordinal) ? new SqliteConnectionStringBuilder(connection) : new SqliteConnectionStringBuilder { DataSource = connection };
            builder.ForeignKeys = true;
            builder.DefaultTimeout = 5;
            (_connection, File) = (builder.ToString(), Path.GetFullPath(builder.DataSource));
        }
        catch (ArgumentException exception)
        {
            throw new ServiceException("service.database.address", $"database: a path, a connection string of SQLite, or one of PostgreSQL (Host=…) is expected: {exception.Message}", exception);
        }
    }

    public string File { get; }

    public override string Kind => "sqlite";

    internal override IReadOnlyDictionary<string, string> Dialect { get; } = new Dictionary<string, string>(StringComparer.Ordinal) { ["integer"] = "INTEGER", ["bytes"] = "BLOB", ["strict"] = "STRICT" };

    public override async ValueTask DisposeAsync()
    {
        SqliteConnection.ClearPool(new SqliteConnection(_connection));
        _writers.Dispose();
        if (_held is not null)
        {
            await _held.DisposeAsync().ConfigureAwait(false);
        }
    }

    internal override async Task<DbConnection> OpenAsync(CancellationToken cancellation)
    {
        var connection = new SqliteConnection(_connection);
        await connection.OpenAsync(cancellation).ConfigureAwait(false);
        // Of the connection, not of the file: set each time.
        await connection.ExecuteAsync("PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;").ConfigureAwait(false);
        return connection;
    }

    internal override async Task CheckAsync(CancellationToken cancellation)
    {
        Hold();
        var connection = await OpenAsync(cancellation).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var mode = await connection.ExecuteScalarAsync<string>("PRAGMA journal_mode=WAL").ConfigureAwait(false);
            if (mode != "wal")
            {
                throw new ServiceException("service.database.unsafe", $"database {File}: the journal mode is {mode}, WAL is expected; a local file system is needed, not NFS");
            }
        }

        if (!OperatingSystem.IsWindows())
        {
            System.IO.File.SetUnixFileMode(File, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    // The lock of the file, which each process takes when it prepares, keeps all others away.
    internal override Task<IAsyncDisposable> HoldAloneAsync(CancellationToken cancellation)
    {
        Hold();
        return Task.FromResult<IAsyncDisposable>(new NothingToEnd());
    }

    internal override Task RequireAloneAsync(CancellationToken cancellation) => Task.CompletedTask;

    internal override async Task CompactAsync(CancellationToken cancellation)
    {
        try
        {
            var connection = await OpenAsync(cancellation).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                await connection.ExecuteAsync(new CommandDefinition("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);", commandTimeout: 0, cancellationToken: cancellation)).ConfigureAwait(false);
            }
        }
        catch (SqliteException exception)
        {
            throw new ServiceException("service.database.unavailable", $"database {File}: what rows held before is still in free pages of the file: VACUUM failed: {exception.Message}", exception);
        }
    }

    internal override void Upgrade(IReadOnlyCollection<SchemaScript> scripts) => Schema.Run(DbUp.DeployChanges.To.SqliteDatabase(_connection), this, scripts);

    private protected override bool IsOutage(Exception exception) => exception is SqliteException;

    private protected override async Task<IDisposable?> TakeTurnAsync(CancellationToken cancellation)
    {
        await _writers.WaitAsync(cancellation).ConfigureAwait(false);
        return new Turn(_writers);
    }

    // Two processes would each believe that their caches of keys and policies are the whole truth for some seconds: with PostgreSQL they are told, here not.
    private void Hold()
    {
        if (_held is not null)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(File)!);
            _held = new FileStream($"{File}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new ServiceException("service.database.access", $"database {File}: the user {Environment.UserName} may not write {File}.lock; give file and folder to that user (chown)", exception);
        }
        catch (IOException exception)
        {
            throw new ServiceException("service.database.held", $"database {File}: it cannot be opened, or another process uses it: {exception.Message.TrimEnd('.')}. Several processes need PostgreSQL", exception);
        }
    }

    private sealed class NothingToEnd : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Turn(SemaphoreSlim writers) : IDisposable
    {
        public void Dispose() => writers.Release();
    }
}
