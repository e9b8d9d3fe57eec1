using System.Data.Common;
using System.Net.Sockets;
using Dapper;
using Npgsql;

namespace Assay.Service.Storage;

/// <summary>PostgreSQL 13 or later: any number of processes on one state.</summary>
internal sealed class PostgresDatabase : ServiceDatabase
{
    // Of this product; any number does that no other program takes.
    private const long UpgradeLock = 0x41737361795F3031;
    private const long AloneLock = 0x41737361795F3032;
    private const string Application = "assay-server";

    private readonly NpgsqlDataSource _source;
    private readonly string _connection;

    public PostgresDatabase(string connection, bool isAlone = false)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connection) { ApplicationName = isAlone ? $"{Application}-alone" : Application };
            // What is waited for is a client's request: better an answer soon that it should come again.
            builder.Timeout = Math.Min(builder.Timeout, 5);
            _connection = builder.ToString();
            _source = NpgsqlDataSource.Create(_connection);
        }
        catch (ArgumentException exception)
        {
            throw new ServiceException("service.database.address", $"database: a connection string of PostgreSQL is expected, for example Host=db.internal;Database=assay;Username=assay: {exception.Message}", exception);
        }
    }

    public override string Kind => "postgresql";

    internal override IReadOnlyDictionary<string, string> Dialect { get; } = new Dictionary<string, string>(StringComparer.Ordinal) { ["integer"] = "bigint", ["bytes"] = "bytea", ["strict"] = "" };

    public static bool IsFor(string connection) =>
        connection.StartsWith("postgres", StringComparison.OrdinalIgnoreCase) || connection.Contains("Host=", StringComparison.OrdinalIgnoreCase) || connection.Contains("Server=", StringComparison.OrdinalIgnoreCase);

    public override async ValueTask DisposeAsync()
    {
        // Upgrades have a pool of their own, which would keep a connection of this process for minutes.
        var upgrades = new NpgsqlConnection(_connection);
        await using (upgrades.ConfigureAwait(false))
        {
            NpgsqlConnection.ClearPool(upgrades);
        }

        await _source.DisposeAsync().ConfigureAwait(false);
    }

    internal override async Task<DbConnection> OpenAsync(CancellationToken cancellation) => await _source.OpenConnectionAsync(cancellation).ConfigureAwait(false);

    // The manual, chapter "Reliability and the Write-Ahead Log": with any of these off, a crash loses or damages what was acknowledged, and a redeemed
    // challenge could be redeemed again.
    internal override async Task CheckAsync(CancellationToken cancellation)
    {
        var connection = await OpenAsync(cancellation).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            foreach (var setting in (string[])["fsync", "full_page_writes", "synchronous_commit"])
            {
                if (await connection.ExecuteScalarAsync<string>($"SHOW {setting}").ConfigureAwait(false) == "off")
                {
                    throw new ServiceException("service.database.unsafe", $"the PostgreSQL server runs with {setting}=off: it may lose what it acknowledged, and with it that a challenge was used; turn it on");
                }
            }
        }
    }

    // Of the session, as the lock of an upgrade: it ends with the connection.
    internal override async Task<IAsyncDisposable> HoldAloneAsync(CancellationToken cancellation)
    {
        var holder = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_connection) { Pooling = false, KeepAlive = 30 }.ToString());
        try
        {
            await holder.OpenAsync(cancellation).ConfigureAwait(false);
            // The connections of a process that was stopped just now may take a moment to end.
            var isHeld = false;
            for (var attempt = 1; attempt <= 10; attempt++)
            {
                isHeld = isHeld || await holder.ExecuteScalarAsync<bool>("SELECT pg_try_advisory_lock(@AloneLock)", new { AloneLock }).ConfigureAwait(false);
                if (isHeld && await ServersAsync(cancellation).ConfigureAwait(false) == 0)
                {
                    break;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(300), cancellation).ConfigureAwait(false);
            }

            if (!isHeld)
            {
                throw new ServiceException("service.database.held", "database: another command that needs it alone is running");
            }

            await RequireAloneAsync(cancellation).ConfigureAwait(false);
            return holder;
        }
        catch (Exception exception)
        {
            await holder.DisposeAsync().ConfigureAwait(false);
            if (IsOutage(exception))
            {
                throw new ServiceException("service.database.unavailable", $"the database ({Kind}) does not answer: {exception.Message}", exception);
            }

            throw;
        }
    }

    // A server asks every few seconds for new keys, so that a running one always has a connection. Only sessions of the same user, or to a superuser, show their name.
    internal override async Task RequireAloneAsync(CancellationToken cancellation)
    {
        if (await ServersAsync(cancellation).ConfigureAwait(false) is > 0 and var connections)
        {
            throw new ServiceException("service.database.held", $"database: a server uses it ({connections} connections): stop all servers, and run this again");
        }
    }

    private Task<long> ServersAsync(CancellationToken cancellation) => ReadAsync(
        connection => connection.ExecuteScalarAsync<long>(new CommandDefinition("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = @Application", new { Application }, cancellationToken: cancellation)), cancellation);

    // Its files are the database server's: docs/operations/service.md says what to run there.
    internal override Task CompactAsync(CancellationToken cancellation) => Task.CompletedTask;

    internal override void Upgrade(IReadOnlyCollection<SchemaScript> scripts)
    {
        // Of the session: it ends with the connection, also where this process is killed. One of a pool would keep it after it was closed.
        using var holder = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_connection) { Pooling = false }.ToString());
        holder.Open();
        holder.Execute("SELECT pg_advisory_lock(@UpgradeLock)", new { UpgradeLock }, commandTimeout: 600);
        Schema.Run(DbUp.DeployChanges.To.PostgresqlDatabase(_connection), this, scripts);
    }

    private protected override bool IsOutage(Exception exception) => exception is NpgsqlException or SocketException or TimeoutException;
}
