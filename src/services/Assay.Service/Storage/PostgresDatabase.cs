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

    private readonly NpgsqlDataSource _source;
    private readonly string _connection;

    public PostgresDatabase(string connection)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connection) { ApplicationName = "assay-server" };
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

    public override ValueTask DisposeAsync() => _source.DisposeAsync();

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
