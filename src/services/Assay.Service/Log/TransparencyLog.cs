using System.Collections.Immutable;
using System.Data.Common;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Log;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Wire;
using Dapper;

namespace Assay.Service.Log;

/// <summary>What a transparency log is made of.</summary>
public sealed record TransparencyLogTerms
{
    /// <summary>Which log: a URL without scheme and final slash, which checkpoints and the key have as their name.</summary>
    public required string Origin { get; init; }
}

/// <summary>
/// An append-only log that proves itself: a Merkle tree over entries, whose signed checkpoint is committed in one transaction with what the entries tell.
/// A decision is made in that transaction, behind the lock that orders all appends of all processes: what was logged before, it sees. Many callers share a
/// transaction, and each goes on when it holds. What such a log can and cannot promise is in docs/reference/broker.md (S-25).
/// </summary>
public sealed class TransparencyLog : IAsyncDisposable
{
    private const string Lock = "UPDATE log_state SET turn = turn + 1 WHERE id = 1 RETURNING size, subtrees, checkpoint";
    private const string Store = "UPDATE log_state SET size = @Size, subtrees = @Subtrees, checkpoint = @Checkpoint WHERE id = 1";
    private const string Begin = "INSERT INTO log_state (id, turn, size, subtrees, checkpoint, key_sealed) VALUES (1, 0, 0, @Subtrees, @Checkpoint, @KeySealed) ON CONFLICT (id) DO NOTHING";
    private const string InsertEntry = "INSERT INTO log_entry (position, tenant, kind, at, entry, hash) VALUES (@Position, @Tenant, @Kind, @At, @Entry, @Hash)";
    private const string InsertNode = "INSERT INTO log_node (level, position, hash) VALUES (@Level, @Position, @Hash)";

    private readonly ServiceDatabase _database;
    private readonly KeyEncryptionKey _kek;
    private readonly TransparencyLogTerms _terms;
    private readonly TimeProvider _clock;
    private readonly LogTree _tree;
    private readonly LogReplica _replica = new();
    private readonly WriteQueue<Item> _queue;
    private LogKey? _key;
    private ServiceException? _held;
    private ServiceException? _setBack;

    /// <param name="database">Where it is kept.</param>
    /// <param name="kek">Encrypts its key.</param>
    /// <param name="terms">Which log.</param>
    /// <param name="clock">The time of entries.</param>
    public TransparencyLog(ServiceDatabase database, KeyEncryptionKey kek, TransparencyLogTerms terms, TimeProvider clock)
    {
        (_database, _kek, _terms, _clock, _tree) = (database, kek, terms, clock, new LogTree(database));
        _queue = new WriteQueue<Item>(TryWriteAsync, (item, exception) => item.Done.TrySetException(exception));
    }

    /// <summary>What those who verify have, as text (C2SP signed-note).</summary>
    public string PublicKey => Key.Public.ToString();

    /// <summary>Transactions since the start, each for one or more callers.</summary>
    public long Commits => _queue.Commits;

    private LogKey Key => _key ?? throw new InvalidOperationException("not prepared");

    /// <summary>Opens the log, or begins it, and verifies every entry under its checkpoint. Before the first <see cref="AppendAsync"/>.</summary>
    /// <exception cref="ServiceException">Its key does not open, its state is not what its checkpoint says, or its entries do not lead there.</exception>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        if (await TryStateAsync(cancellation).ConfigureAwait(false) is null)
        {
            if (await _database.ReadAsync(connection => connection.ExecuteScalarAsync<long>(new CommandDefinition("SELECT COUNT(*) FROM log_entry", cancellationToken: cancellation)), cancellation).ConfigureAwait(false) > 0)
            {
                throw Removed();
            }

            // Of several processes that begin it together, one key stays.
            var (made, kept) = LogKey.Create(_terms.Origin, _kek);
            using (made)
            {
                var checkpoint = made.Sign(new Checkpoint(_terms.Origin, 0, Merkle.Empty));
                await _database.WriteAsync((connection, transaction) => connection.ExecuteAsync(Begin, new { Subtrees = Array.Empty<byte>(), Checkpoint = checkpoint, KeySealed = kept }, transaction), cancellation).ConfigureAwait(false);
            }
        }

        var row = await StateAsync(cancellation).ConfigureAwait(false);
        _key = LogKey.Open(_terms.Origin, row.KeySealed, _kek);
        await _database.ReadAsync(
            async connection =>
            {
                await _replica.CatchUpAsync(Open(row), connection, transaction: null).ConfigureAwait(false);
                return true;
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>
    /// Decides and logs in one transaction. Returns when both hold on disk.
    /// </summary>
    /// <param name="decide">Reads and writes rows, and says what is logged. It may run twice, in different transactions, of which one holds.</param>
    /// <param name="cancellation">Ends the waiting for a place; what has a place is written.</param>
    /// <exception cref="ServiceException">The database does not answer, or went back: nothing holds, or it is not known.</exception>
    public Task<LogReceipt> AppendAsync(Func<LogTurn, Task<LogDecision>> decide, CancellationToken cancellation) => AppendAsync(decide, isHeldToo: false, cancellation);

    /// <summary>The same while nothing else is logged: <see cref="Hold"/>.</summary>
    internal Task<LogReceipt> AppendHeldAsync(Func<LogTurn, Task<LogDecision>> decide, CancellationToken cancellation) => AppendAsync(decide, isHeldToo: true, cancellation);

    private async Task<LogReceipt> AppendAsync(Func<LogTurn, Task<LogDecision>> decide, bool isHeldToo, CancellationToken cancellation)
    {
        var item = new Item(decide, isHeldToo, new TaskCompletionSource<LogReceipt>(TaskCreationOptions.RunContinuationsAsynchronously));
        await _queue.AddAsync(item, cancellation).ConfigureAwait(false);
        return await item.Done.Task.ConfigureAwait(false);
    }

    /// <summary>The latest signed checkpoint.</summary>
    public async Task<string> CheckpointAsync(CancellationToken cancellation) => (await StateAsync(cancellation).ConfigureAwait(false)).Checkpoint;

    /// <summary>An entry with its proof under a signed checkpoint that includes it; null where there is no such entry.</summary>
    /// <param name="position">Which.</param>
    /// <param name="checkpoint">A checkpoint of this log; null: the latest.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="ServiceException">The entries in the database are not what the checkpoint says.</exception>
    public async Task<(byte[] Entry, LogProof Proof)?> ProveAsync(long position, string? checkpoint, CancellationToken cancellation)
    {
        var (note, known) = await HeadAsync(checkpoint, cancellation).ConfigureAwait(false);
        if (position < 0 || position >= known.Size)
        {
            return null;
        }

        var entry = await EntryAsync(position, cancellation).ConfigureAwait(false);
        return entry is null ? throw Missing(position) : (entry, await ProveAsync(position, entry, note, known, cancellation).ConfigureAwait(false));
    }

    /// <summary>The proof of what was just logged, under the checkpoint that acknowledged it.</summary>
    /// <exception cref="ServiceException">The entries in the database are not what the checkpoint says.</exception>
    public Task<LogProof> ProveAsync(LogReceipt receipt, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(receipt);
        return ProveAsync(receipt.Position, receipt.Entry, receipt.Note, receipt.Head, cancellation);
    }

    private async Task<LogProof> ProveAsync(long position, ReadOnlyMemory<byte> entry, string note, Checkpoint head, CancellationToken cancellation)
    {
        var path = await _tree.ProveAsync(nodes => MerkleProofs.Inclusion(position, head.Size, nodes), cancellation).ConfigureAwait(false);
        return Proof(position, entry, path, note, head);
    }

    // Tried before it leaves: what is missing or changed in the database is found here.
    private static LogProof Proof(long position, ReadOnlyMemory<byte> entry, ImmutableArray<Digest> path, string note, Checkpoint head) =>
        Merkle.Includes(position, head.Size, Merkle.Leaf(entry.Span), path, head.Root) ? new LogProof(position, path, note) : throw Missing(position);

    /// <summary>A checkpoint, read; null: the latest.</summary>
    internal async Task<(string Note, Checkpoint Head)> HeadAsync(string? checkpoint, CancellationToken cancellation)
    {
        var note = checkpoint ?? await CheckpointAsync(cancellation).ConfigureAwait(false);
        return Checkpoint.TryVerify(Encoding.UTF8.GetBytes(note), Key.Public, out var head, out _) ? (note, head) : throw Changed();
    }

    private static ServiceException Missing(long position) =>
        new("service.log.entries", $"entry {position} of the log, or one that its proof needs, is missing or was changed: restore the database, or find out who changed it");

    /// <summary>A tenant's entries from a position on, each with its proof under one checkpoint, the oldest first.</summary>
    /// <param name="tenant">Whose.</param>
    /// <param name="from">The lowest position.</param>
    /// <param name="most">How many at the most.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="ServiceException">The entries in the database are not what the checkpoint says.</exception>
    public async Task<ImmutableArray<(byte[] Entry, LogProof Proof)>> ListAsync(string tenant, long from, int most, CancellationToken cancellation)
    {
        var (note, head) = await HeadAsync(checkpoint: null, cancellation).ConfigureAwait(false);
        // What was appended after the checkpoint is not under it.
        var rows = (await _database.ReadAsync(
            connection => connection.QueryAsync<(long Position, byte[] Entry)>(new CommandDefinition(
                "SELECT position, entry FROM log_entry WHERE tenant = @tenant AND position >= @from AND position < @size ORDER BY position LIMIT @most", new { tenant, from, size = head.Size, most }, cancellationToken: cancellation)),
            cancellation).ConfigureAwait(false)).ToArray();
        var paths = await _tree.ProveAsync(nodes => rows.Select(row => MerkleProofs.Inclusion(row.Position, head.Size, nodes)).ToArray(), cancellation).ConfigureAwait(false);
        return [.. rows.Zip(paths, (row, path) => (row.Entry, Proof(row.Position, row.Entry, path, note, head)))];
    }

    /// <summary>The latest checkpoint, and that its log begins with the one of a smaller size; null where it is not that large.</summary>
    public async Task<(string Note, ImmutableArray<Digest> Path)?> ExtendAsync(long before, CancellationToken cancellation)
    {
        var (note, head) = await HeadAsync(checkpoint: null, cancellation).ConfigureAwait(false);
        return before < 0 || before > head.Size ? null : (note, await ProveExtensionAsync(before, head, cancellation).ConfigureAwait(false));
    }

    /// <summary>That the log of a checkpoint begins with the one of a smaller size.</summary>
    internal Task<ImmutableArray<Digest>> ProveExtensionAsync(long before, Checkpoint head, CancellationToken cancellation) =>
        _tree.ProveAsync(nodes => MerkleProofs.Consistency(before, head.Size, nodes), cancellation);

    /// <summary>A tile of hashes or entries, as C2SP tlog-tiles has it; null where the log does not have all of it.</summary>
    public async Task<byte[]?> TileAsync(LogTile tile, CancellationToken cancellation)
    {
        if (tile.Level is not LogTile.Entries)
        {
            return await _tree.TileAsync(tile, cancellation).ConfigureAwait(false);
        }

        var from = tile.Index * LogTile.Full;
        var entries = (await _database.ReadAsync(
            connection => connection.QueryAsync<byte[]>(new CommandDefinition("SELECT entry FROM log_entry WHERE position >= @From AND position < @To ORDER BY position", new { From = from, To = from + tile.Width }, cancellationToken: cancellation)),
            cancellation).ConfigureAwait(false)).ToArray();
        return entries.Length == tile.Width ? [.. entries.SelectMany(entry => (byte[])[(byte)(entry.Length >> 8), (byte)(entry.Length & 0xFF), .. entry])] : null;
    }

    /// <summary>The position of the last entry that changed a subject, as far as this process has seen: what is decided asks <see cref="LogTurn.Last"/>. Null: none.</summary>
    public long? LastSeen(string tenant, string subject) => _replica.Last((tenant, subject));

    /// <summary>Why nothing is logged now, and so nothing is done that must be logged; null: it is.</summary>
    public ServiceException? Held => Volatile.Read(ref _held) ?? Volatile.Read(ref _setBack);

    /// <summary>Logs nothing, and so does nothing that must be logged; null: no longer.</summary>
    internal void Hold(ServiceException? why) => Volatile.Write(ref _held, why);

    /// <summary>Writes what waits, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync().ConfigureAwait(false);
        _key?.Dispose();
    }

    private Task<byte[]?> EntryAsync(long position, CancellationToken cancellation) => _database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<byte[]?>(new CommandDefinition("SELECT entry FROM log_entry WHERE position = @position", new { position }, cancellationToken: cancellation)), cancellation);

    private async Task<StateRow> StateAsync(CancellationToken cancellation) => await TryStateAsync(cancellation).ConfigureAwait(false)
        ?? throw Removed();

    private static ServiceException Changed() =>
        new("service.log.state", "the state of the log in the database is not what its last checkpoint says: nothing is logged, and nothing that must be logged is done. Restore the database, or find out who changed it");

    private static ServiceException Removed() =>
        new("service.log.state", "the state of the log was removed from the database: nothing is logged, and nothing that must be logged is done. Restore the database");

    private Task<StateRow?> TryStateAsync(CancellationToken cancellation) => _database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<StateRow?>(new CommandDefinition("SELECT size, subtrees, checkpoint, key_sealed FROM log_state WHERE id = 1", cancellationToken: cancellation)), cancellation);

    // The state is what the log's own key signed.
    private MerkleFrontier Open(StateRow row)
    {
        var subtrees = row.Subtrees.Chunk(Merkle.HashSize).Select(hash => new Digest(hash)).ToImmutableArray();
        if (!Checkpoint.TryVerify(Encoding.UTF8.GetBytes(row.Checkpoint), Key.Public, out var checkpoint, out _) || checkpoint.Size != row.Size
            || subtrees.Length != long.PopCount(row.Size) || subtrees.Any(hash => hash.Length != Merkle.HashSize) || MerkleFrontier.Of(row.Size, subtrees) is not { } frontier || frontier.Root != checkpoint.Root)
        {
            throw Changed();
        }

        return frontier;
    }

    private async Task<Exception?> TryWriteAsync(IReadOnlyList<Item> batch)
    {
        try
        {
            var (receipts, frontier, heads) = await _database.WriteAsync((connection, transaction) => WriteAsync(batch, connection, transaction), CancellationToken.None).ConfigureAwait(false);
            _replica.Take(frontier, heads);
            foreach (var (item, receipt) in batch.Zip(receipts))
            {
                item.Done.TrySetResult(receipt);
            }

            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private async Task<(List<LogReceipt> Receipts, MerkleFrontier Frontier, Dictionary<(string, string), long> Heads)> WriteAsync(IReadOnlyList<Item> batch, DbConnection connection, DbTransaction transaction)
    {
        if (Volatile.Read(ref _held) is { } held && batch.Any(item => !item.IsHeldToo))
        {
            throw new ServiceException(held.Id, held.Message);
        }

        // The lock comes first: whatever is read behind it is read after every append before.
        var frontier = Open(await connection.QuerySingleOrDefaultAsync<StateRow?>(Lock, transaction: transaction).ConfigureAwait(false) ?? throw Removed());
        try
        {
            await _replica.CatchUpAsync(frontier, connection, transaction).ConfigureAwait(false);
            Volatile.Write(ref _setBack, null);
        }
        catch (ServiceException exception) when (LogProblems.Of(exception.Id) is not null)
        {
            Volatile.Write(ref _setBack, exception);
            throw;
        }

        var now = _clock.GetUtcNow();
        List<(long Position, byte[] Entry, AuditEvent Decided)> written = [];
        List<EntryRow> entries = [];
        List<NodeRow> nodes = [];
        Dictionary<(string, string), long> heads = [];
        long? Last((string, string) subject) => heads.TryGetValue(subject, out var position) ? position : _replica.Last(subject);
        foreach (var item in batch)
        {
            var decision = await item.Decide(new LogTurn(frontier.Size, connection, transaction, Last)).ConfigureAwait(false);
            var (decided, subject) = decision;
            if (decision.IsRepeated && decided.Outcome is AuditOutcome.Denied)
            {
                written.Add((-1, [], decided));
                continue;
            }

            var entry = Bytes(frontier.Size, now, decision, Last((decided.Tenant, LogReplica.Anything)));
            heads[(decided.Tenant, LogReplica.Anything)] = frontier.Size;
            foreach (var changed in (ReadOnlySpan<string>)[subject, decision.Also])
            {
                if (changed.Length > 0)
                {
                    heads[(decided.Tenant, changed)] = frontier.Size;
                }
            }

            var leaf = Merkle.Leaf(entry);
            written.Add((frontier.Size, entry, decided));
            entries.Add(new EntryRow(frontier.Size, decided.Tenant, decided.Kind, now.ToUnixTimeMilliseconds(), entry, leaf.Bytes.ToArray()));
            frontier.Append(leaf, (level, position, hash) =>
            {
                if (level > 0 && level % LogTile.Levels == 0)
                {
                    nodes.Add(new NodeRow(level / LogTile.Levels, position, hash.Bytes.ToArray()));
                }
            });
        }

        await connection.ExecuteAsync(InsertEntry, entries, transaction).ConfigureAwait(false);
        await connection.ExecuteAsync(InsertNode, nodes, transaction).ConfigureAwait(false);
        var head = new Checkpoint(_terms.Origin, frontier.Size, frontier.Root);
        var note = Key.Sign(head);
        await connection.ExecuteAsync(Store, new { frontier.Size, Subtrees = frontier.Subtrees.SelectMany(hash => hash.Bytes.ToArray()).ToArray(), Checkpoint = note }, transaction).ConfigureAwait(false);
        return ([.. written.Select(item => new LogReceipt(item.Position, item.Entry, note, head, item.Decided))], frontier, heads);
    }

    // Its own position is in it: of two equal acts each has an entry that is its own. So is that of the tenant's entry before: a tenant who sees only its own
    // sees whether one is kept from it.
    private static byte[] Bytes(long position, DateTimeOffset at, LogDecision decision, long? previous)
    {
        var entry = decision.Event;
        var also = decision.Also.Length == 0 ? "" : $"\"also\":{JsonSerializer.Serialize(decision.Also)},";
        var before = previous?.ToString(CultureInfo.InvariantCulture) ?? "null";
        var text = $$"""{{{also}}"at":{{at.ToUnixTimeMilliseconds()}},"event":{{entry.ToJson()}},"kind":{{JsonSerializer.Serialize(entry.Kind)}},"position":{{position}},"previous":{{before}},"subject":{{JsonSerializer.Serialize(decision.Subject)}},"tenant":{{JsonSerializer.Serialize(entry.Tenant)}}}""";
        var bytes = Encoding.UTF8.GetBytes(text);
        return bytes.Length <= LogTile.MostEntryBytes ? bytes : throw new InvalidOperationException($"an entry of at most {LogTile.MostEntryBytes} bytes is expected");
    }

    private sealed record Item(Func<LogTurn, Task<LogDecision>> Decide, bool IsHeldToo, TaskCompletionSource<LogReceipt> Done);

    private sealed record EntryRow(long Position, string Tenant, string Kind, long At, byte[] Entry, byte[] Hash);

    private sealed record NodeRow(int Level, long Position, byte[] Hash);

    private sealed class StateRow
    {
        public long Size { get; set; }

        public byte[] Subtrees { get; set; } = [];

        public string Checkpoint { get; set; } = "";

        public byte[] KeySealed { get; set; } = [];
    }
}
