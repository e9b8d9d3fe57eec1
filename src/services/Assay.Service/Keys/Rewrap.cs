using System.Collections.Immutable;
using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using Assay.Service.Audit;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Keys;

/// <summary>How many records of a kind came under the new key encryption key in this run, and how many were under it before.</summary>
/// <param name="Kind">Which records.</param>
/// <param name="Rewrapped">In this run.</param>
/// <param name="Before">In runs before.</param>
public sealed record RewrapCount(string Kind, long Rewrapped, long Before);

/// <summary>
/// Brings everything that a database has under one key encryption key under another one. It begins with one transaction, which writes the mark that keeps
/// servers from starting, the new root data key, and the record of the former audit key; goes on with some records in each transaction; and ends with one that
/// removes the mark and the old root data key. Killed in between, each record is under exactly one of the two, and the next run goes on.
/// </summary>
public sealed class Rewrap
{
    private const int PageSize = 50;
    private const string Insert = "INSERT INTO service_state (name, value) VALUES (@Name, @Value)";
    private const string Delete = "DELETE FROM service_state WHERE name = @Name";

    private readonly ServiceDatabase _database;
    private readonly KeyEncryptionKey _from;
    private readonly KeyEncryptionKey _to;
    private readonly Action? _afterTransaction;

    private Rewrap(ServiceDatabase database, KeyEncryptionKey from, KeyEncryptionKey to, Action? afterTransaction) => (_database, _from, _to, _afterTransaction) = (database, from, to, afterTransaction);

    /// <summary>Runs it, or goes on with a run that was ended.</summary>
    /// <param name="database">Opened to be used alone, and prepared.</param>
    /// <param name="from">The key encryption key that it is under.</param>
    /// <param name="to">The one that follows.</param>
    /// <param name="columns">Of all roles, whether the server has them or not.</param>
    /// <param name="clock">The time of the audit entry.</param>
    /// <param name="cancellation">Ends it between two transactions.</param>
    /// <exception cref="ServiceException">Another process uses the database, a record opens under neither key, or the database is under another one.</exception>
    public static Task<ImmutableArray<RewrapCount>> RunAsync(ServiceDatabase database, IKeyWrapper from, IKeyWrapper to, IEnumerable<SealedColumn> columns, TimeProvider clock, CancellationToken cancellation) =>
        RunAsync(database, from, to, columns, clock, afterTransaction: null, cancellation);

    // With a call after each transaction, for tests that end a run there.
    internal static async Task<ImmutableArray<RewrapCount>> RunAsync(ServiceDatabase database, IKeyWrapper from, IKeyWrapper to, IEnumerable<SealedColumn> columns, TimeProvider clock, Action? afterTransaction, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(columns);
        if (from.Id == to.Id)
        {
            throw Fault($"both configurations have the same kek, {from.Id}");
        }

        var alone = await database.HoldAloneAsync(cancellation).ConfigureAwait(false);
        await using (alone.ConfigureAwait(false))
        {
            ImmutableArray<RewrapCount> counts = [];
            var state = await RewrapState.ReadAsync(database, cancellation).ConfigureAwait(false);
            if (state is not null && state != new RewrapState(from.Id, to.Id))
            {
                throw Fault($"a re-wrap from the kek {state.From} to {state.To} is not finished: run that one again first");
            }

            if (state is not null || !await IsUnderAsync(to, database, cancellation).ConfigureAwait(false))
            {
                using var old = await OldAsync(from, database, isBegun: state is not null, cancellation).ConfigureAwait(false);
                var (root, row) = await NewAsync(to, database, cancellation).ConfigureAwait(false);
                using (root)
                {
                    counts = await new Rewrap(database, old, root, afterTransaction).RunAsync(state is not null, row, columns, clock, cancellation).ConfigureAwait(false);
                }
            }

            // Also where nothing was left to do: a run may have been ended just before.
            await database.CompactAsync(cancellation).ConfigureAwait(false);
            return counts;
        }
    }

    // After a whole re-wrap: the database is under the new key, and not in between.
    private static async Task<bool> IsUnderAsync(IKeyWrapper to, ServiceDatabase database, CancellationToken cancellation)
    {
        var kept = await DatabaseKey.ReadAsync(database, cancellation).ConfigureAwait(false);
        if (to is not FileKeyWrapper file)
        {
            return kept.ContainsKey(to.Id);
        }

        var key = new KeyEncryptionKey(file);
        return kept.Count == 0 && await database.ReadAsync(connection => AuditWriters.ReadAsync(key, connection, transaction: null), cancellation).ConfigureAwait(false) is not null;
    }

    private static async Task<KeyEncryptionKey> OldAsync(IKeyWrapper from, ServiceDatabase database, bool isBegun, CancellationToken cancellation)
    {
        var kept = await DatabaseKey.ReadAsync(database, cancellation).ConfigureAwait(false);
        return from is FileKeyWrapper file && (isBegun || kept.Count == 0) ? new KeyEncryptionKey(file) : await DatabaseKey.UnwrapAsync(from, kept, cancellation).ConfigureAwait(false);
    }

    // The row is null where it is in the database, or there is nothing to keep.
    private static async Task<(KeyEncryptionKey Root, byte[]? Row)> NewAsync(IKeyWrapper to, ServiceDatabase database, CancellationToken cancellation)
    {
        if (to is FileKeyWrapper file)
        {
            return (new KeyEncryptionKey(file), null);
        }

        var kept = await DatabaseKey.ReadAsync(database, cancellation).ConfigureAwait(false);
        return kept.ContainsKey(to.Id) ? (await DatabaseKey.UnwrapAsync(to, kept, cancellation).ConfigureAwait(false), null) : await DatabaseKey.CreateAsync(to, cancellation).ConfigureAwait(false);
    }

    private async Task<ImmutableArray<RewrapCount>> RunAsync(bool isBegun, byte[]? row, IEnumerable<SealedColumn> columns, TimeProvider clock, CancellationToken cancellation)
    {
        if (!isBegun)
        {
            await WriteAsync((connection, transaction) => BeginAsync(row, connection, transaction), cancellation).ConfigureAwait(false);
        }

        var counts = ImmutableArray.CreateBuilder<RewrapCount>();
        foreach (var column in columns)
        {
            counts.Add(await ColumnAsync(column, cancellation).ConfigureAwait(false));
        }

        await _database.RequireAloneAsync(cancellation).ConfigureAwait(false);
        var entry = new AuditEvent("kek.rewrap", "", "command", AuditOutcome.Allowed).With("from", _from.Id).With("to", _to.Id).With("records", counts.Sum(count => count.Rewrapped + count.Before));
        var commits = new GroupCommit(_database, _to, clock);
        await using (commits.ConfigureAwait(false))
        {
            await commits.CommitAsync(
                entry,
                async (connection, transaction) =>
                {
                    foreach (var name in (string[])[RewrapState.Name, DatabaseKey.Prefix + _from.Id])
                    {
                        await connection.ExecuteAsync(Delete, new { Name = name }, transaction).ConfigureAwait(false);
                    }
                },
                cancellation).ConfigureAwait(false);
        }

        _afterTransaction?.Invoke();
        return counts.ToImmutable();
    }

    private async Task BeginAsync(byte[]? row, DbConnection connection, DbTransaction transaction)
    {
        await AuditWriters.RewrapAsync(_from, _to, connection, transaction).ConfigureAwait(false);
        await AuditKeys.RewrapAsync(_from, _to, connection, transaction).ConfigureAwait(false);
        await connection.ExecuteAsync(Insert, new { RewrapState.Name, Value = new RewrapState(_from.Id, _to.Id).ToBytes() }, transaction).ConfigureAwait(false);
        if (row is not null)
        {
            await connection.ExecuteAsync(Insert, new { Name = DatabaseKey.Prefix + _to.Id, Value = row }, transaction).ConfigureAwait(false);
        }
    }

    private async Task<RewrapCount> ColumnAsync(SealedColumn column, CancellationToken cancellation)
    {
        var (rewrapped, before) = (0L, 0L);
        IReadOnlyList<object>? last = null;
        while (await PageAsync(column, last, cancellation).ConfigureAwait(false) is { Count: > 0 } page)
        {
            await _database.RequireAloneAsync(cancellation).ConfigureAwait(false);
            var changes = new List<(SealedRow Row, byte[] Next)>();
            foreach (var row in page)
            {
                if (await NextAsync(column, row, cancellation).ConfigureAwait(false) is { } next)
                {
                    changes.Add((row, next));
                }
            }

            if (changes.Count > 0)
            {
                await WriteAsync((connection, transaction) => StoreAsync(column, changes, connection, transaction), cancellation).ConfigureAwait(false);
            }

            (rewrapped, before, last) = (rewrapped + changes.Count, before + page.Count - changes.Count, page[^1].Key);
        }

        return new RewrapCount(column.Kind, rewrapped, before);
    }

    private async Task<List<SealedRow>> PageAsync(SealedColumn column, IReadOnlyList<object>? last, CancellationToken cancellation)
    {
        var (key, all) = (string.Join(", ", column.Key), string.Join(", ", column.Key.Concat(column.More)));
        var parameters = new DynamicParameters();
        foreach (var (index, value) in (last ?? []).Index())
        {
            parameters.Add(string.Create(CultureInfo.InvariantCulture, $"k{index}"), value);
        }

        var after = last is null ? "" : $" AND ({key}) > ({string.Join(", ", last.Select((_, index) => string.Create(CultureInfo.InvariantCulture, $"@k{index}")))})";
        // A signing key that was withdrawn has an empty one.
        var sql = string.Create(CultureInfo.InvariantCulture, $"SELECT {all}, {column.Column} AS sealed FROM {column.Table} WHERE length({column.Column}) > 0{after} ORDER BY {key} LIMIT {PageSize}");
        var rows = await _database.ReadAsync(connection => connection.QueryAsync(new CommandDefinition(sql, parameters, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return [.. rows.Cast<IDictionary<string, object>>().Select(row => new SealedRow([.. column.Key.Select(name => row[name])], [.. column.Key.Concat(column.More).Select(name => Convert.ToString(row[name], CultureInfo.InvariantCulture)!)], (byte[])row["sealed"]))];
    }

    private static async Task StoreAsync(SealedColumn column, List<(SealedRow Row, byte[] Next)> changes, DbConnection connection, DbTransaction transaction)
    {
        var where = string.Join(" AND ", column.Key.Select((name, index) => string.Create(CultureInfo.InvariantCulture, $"{name} = @k{index}")));
        foreach (var (row, next) in changes)
        {
            var parameters = new DynamicParameters(new { Next = next, Before = row.Sealed });
            foreach (var (index, value) in row.Key.Index())
            {
                parameters.Add(string.Create(CultureInfo.InvariantCulture, $"k{index}"), value);
            }

            if (await connection.ExecuteAsync($"UPDATE {column.Table} SET {column.Column} = @Next WHERE {where} AND {column.Column} = @Before", parameters, transaction).ConfigureAwait(false) != 1)
            {
                throw Fault($"{column.Kind} {row}: it was changed meanwhile: another process uses the database. Stop it, and run this again");
            }
        }
    }

    // Null where it is under the new key already.
    private async Task<byte[]?> NextAsync(SealedColumn column, SealedRow row, CancellationToken cancellation)
    {
        var context = column.Context(row.Values);
        if (column.IsSecret && Envelope.TryParse(row.Sealed, out var envelope))
        {
            if (envelope.Kek == _to.Id)
            {
                CryptographicOperations.ZeroMemory(await envelope.OpenAsync(_to.Wrapper, context, cancellation).ConfigureAwait(false) ?? throw Neither(column, row));
                return null;
            }

            return (await envelope.RewrapAsync(_from.Wrapper, _to.Wrapper, context, cancellation).ConfigureAwait(false) ?? throw Neither(column, row)).ToBytes();
        }

        if (_to.Open(row.Sealed, context) is { } done)
        {
            CryptographicOperations.ZeroMemory(done);
            return null;
        }

        var plain = _from.Open(row.Sealed, context) ?? throw Neither(column, row);
        try
        {
            return column.IsSecret ? await _to.SealSecretAsync(plain, context, cancellation).ConfigureAwait(false) : _to.Seal(plain, context);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    private async Task WriteAsync(Func<DbConnection, DbTransaction, Task> write, CancellationToken cancellation)
    {
        await _database.WriteAsync(
            async (connection, transaction) =>
            {
                await write(connection, transaction).ConfigureAwait(false);
                return true;
            },
            cancellation).ConfigureAwait(false);
        _afterTransaction?.Invoke();
    }

    private static ServiceException Neither(SealedColumn column, SealedRow row) =>
        Fault($"{column.Kind} {row}: it opens under neither kek. Restore the row of the table {column.Table} from a backup, or, if it was lost with an earlier kek, delete it; then run this again");

    private static ServiceException Fault(string what) => new("service.kek.rewrap", what);

    private sealed record SealedRow(ImmutableArray<object> Key, ImmutableArray<string> Values, byte[] Sealed)
    {
        public override string ToString() => string.Join('/', Key.Select(value => Convert.ToString(value, CultureInfo.InvariantCulture)));
    }
}
