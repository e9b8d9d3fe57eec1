using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Log;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Assay.Wire;
using Dapper;

namespace Assay.Tests.Service;

/// <summary>The transparency log in both databases: what it acknowledges it proves, in one order for all processes.</summary>
public sealed class TransparencyLogTests : IAsyncDisposable
{
    private const string Origin = "log.example/assay";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-log-").FullName;
    private readonly KeyEncryptionKey _kek;
    private PostgresProcess? _postgres;

    public TransparencyLogTests()
    {
        KeyEncryptionKey.Create(Path.Combine(_folder, "kek"));
        _kek = KeyEncryptionKey.Read(Path.Combine(_folder, "kek"));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _kek.Dispose();
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("sqlite", 1)]
    [InlineData("postgresql", 3)]
    public async Task Each_entry_of_many_writers_is_proven_under_the_checkpoint_of_its_answer_and_under_the_latest(string kind, int writers)
    {
        await using var database = await OpenAsync(kind);
        var logs = new List<TransparencyLog>();
        for (var writer = 0; writer < writers; writer++)
        {
            logs.Add(await LogAsync(database));
        }

        var receipts = await Task.WhenAll(Enumerable.Range(0, 600).Select(number => logs[number % writers].AppendAsync(_ => Task.FromResult(Entry(number)), Cancellation)));

        Assert.Single(logs.Select(log => log.PublicKey).Distinct());
        Assert.True(NoteKey.TryParse(logs[0].PublicKey, out var key, out _));
        Assert.Equal(Enumerable.Range(0, 600).Select(position => (long)position), receipts.Select(receipt => receipt.Position).Order());
        // Many together: far fewer transactions than entries.
        Assert.InRange(logs.Sum(log => log.Commits), 1, 300);
        foreach (var receipt in receipts.Where((_, at) => at % 37 == 0))
        {
            var (entry, proof) = (await logs[0].ProveAsync(receipt.Position, receipt.Note, Cancellation))!.Value;
            Assert.Equal(receipt.Entry.ToArray(), entry);
            Assert.True(proof.TryVerify(entry, key, out _, out var fault), fault?.ToString());
            Assert.True((await logs[0].ProveAsync(receipt.Position, null, Cancellation))!.Value.Proof.TryVerify(entry, key, out var latest, out _));
            Assert.Equal(600, latest.Size);
            Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(receipt.Note), key, out var before, out _));
            Assert.True(Merkle.Extends(before.Size, before.Root, latest.Size, latest.Root, (await logs[0].ExtendAsync(before.Size, Cancellation))!.Value.Path));
        }

        Assert.Null(await logs[0].ProveAsync(600, null, Cancellation));
        Assert.Null(await logs[0].ProveAsync(-1, null, Cancellation));
        Assert.Null(await logs[0].ExtendAsync(601, Cancellation));
        await RebuildAsync(logs[0], key, 600);
        key.Dispose();
        foreach (var log in logs)
        {
            await log.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_restart_goes_on_where_the_log_ended_and_an_entry_has_its_position_time_and_tenant()
    {
        await using var database = await OpenAsync("sqlite");
        string key;
        await using (var log = await LogAsync(database))
        {
            await log.AppendAsync(_ => Task.FromResult(Entry(1)), Cancellation);
            key = log.PublicKey;
        }

        await using var again = await LogAsync(database);
        var receipt = await again.AppendAsync(_ => Task.FromResult(Entry(2)), Cancellation);

        Assert.Equal((key, 1), (again.PublicKey, receipt.Position));
        var entry = JsonElement.Parse(receipt.Entry.Span);
        Assert.Equal(("key.release", "demo", 1, 2), (entry.GetProperty("kind").GetString(), entry.GetProperty("tenant").GetString(), entry.GetProperty("position").GetInt32(), entry.GetProperty("event").GetProperty("number").GetInt32()));
    }

    [Fact]
    public async Task A_decision_is_made_behind_everything_that_was_logged_before_and_its_rows_hold_with_its_entry_alone()
    {
        await using var database = await OpenAsync("sqlite");
        await using var log = await LogAsync(database);
        async Task<LogDecision> Take(LogTurn turn)
        {
            // One may have it: whoever comes second sees the row of the first, in the same transaction or a later one.
            var taken = await turn.Connection.ExecuteAsync("INSERT INTO service_state (name, value) VALUES ('taken', @Value) ON CONFLICT (name) DO NOTHING", new { Value = new byte[1] }, turn.Transaction);
            return new LogDecision(new AuditEvent("key.release", "demo", "me", taken == 1 ? AuditOutcome.Allowed : AuditOutcome.Denied));
        }

        var receipts = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => log.AppendAsync(Take, Cancellation)));
        Assert.Single(receipts, receipt => receipt.Decided.Outcome is AuditOutcome.Allowed);

        // One that throws takes its own rows along, and nothing of the others.
        var mixed = Enumerable.Range(0, 20).Select(number => log.AppendAsync(
            async turn =>
            {
                await turn.Connection.ExecuteAsync("INSERT INTO service_state (name, value) VALUES (@Name, @Value)", new { Name = $"row-{number}", Value = new byte[1] }, turn.Transaction);
                return number == 7 ? throw new InvalidOperationException("seven") : Entry(number);
            },
            Cancellation)).ToArray();
        await Assert.ThrowsAsync<InvalidOperationException>(() => mixed[7]);
        await Task.WhenAll(mixed.Where((_, at) => at != 7));
        Assert.Equal(19, await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM service_state WHERE name LIKE 'row-%'"), Cancellation));
        Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(await log.CheckpointAsync(Cancellation)), Parse(log.PublicKey), out var checkpoint, out _));
        Assert.Equal(50 + 19, checkpoint.Size);
    }

    [Theory]
    [InlineData("UPDATE log_state SET size = size + 1", "service.log.state")]
    [InlineData("UPDATE log_state SET subtrees = zeroblob(length(subtrees))", "service.log.state")]
    [InlineData("UPDATE log_state SET subtrees = zeroblob(31)", "service.log.state")]
    [InlineData("UPDATE log_state SET checkpoint = replace(checkpoint, '3', '4')", "service.log.state")]
    [InlineData("UPDATE log_state SET size = (SELECT size FROM earlier), subtrees = (SELECT subtrees FROM earlier), checkpoint = (SELECT checkpoint FROM earlier)", "service.log.rollback")]
    public async Task A_state_that_was_changed_or_set_back_under_a_running_process_ends_logging(string sql, string fault)
    {
        await using var database = await OpenAsync("sqlite");
        await using var log = await LogAsync(database);
        await log.AppendAsync(_ => Task.FromResult(Entry(0)), Cancellation);
        await ExecuteAsync(database, "CREATE TABLE earlier AS SELECT * FROM log_state");
        await log.AppendAsync(_ => Task.FromResult(Entry(1)), Cancellation);
        await log.AppendAsync(_ => Task.FromResult(Entry(2)), Cancellation);

        await ExecuteAsync(database, sql);

        Assert.Equal(fault, (await Assert.ThrowsAsync<ServiceException>(() => log.AppendAsync(_ => Task.FromResult(Entry(3)), Cancellation))).Id);
        Assert.Equal(3, await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM log_entry"), Cancellation));
    }

    [Theory]
    [InlineData("UPDATE log_entry SET entry = replace(entry, '2', '9') WHERE position = 2")]
    [InlineData("UPDATE log_entry SET hash = zeroblob(32) WHERE position = 2")]
    [InlineData("DELETE FROM log_entry WHERE position = 2")]
    public async Task An_entry_that_was_changed_or_removed_proves_nothing(string sql)
    {
        await using var database = await OpenAsync("sqlite");
        await using var log = await LogAsync(database);
        for (var number = 0; number < 4; number++)
        {
            await log.AppendAsync(_ => Task.FromResult(Entry(number)), Cancellation);
        }

        await ExecuteAsync(database, sql.Replace("replace(entry, '2', '9')", "CAST(replace(CAST(entry AS TEXT), '2', '9') AS BLOB)", StringComparison.Ordinal));

        Assert.Equal("service.log.entries", (await Assert.ThrowsAsync<ServiceException>(async () =>
        {
            await log.ProveAsync(2, null, Cancellation);
            await log.ProveAsync(3, null, Cancellation);
        })).Id);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task A_turn_knows_the_last_change_of_a_subject_also_one_of_the_same_transaction(string kind)
    {
        await using var database = await OpenAsync(kind);
        await using var log = await LogAsync(database);
        var found = new long?[40];

        await Task.WhenAll(Enumerable.Range(0, found.Length).Select(number => log.AppendAsync(
            turn =>
            {
                found[(int)turn.Position] = turn.Last("demo", "one");
                Assert.Null(turn.Last("demo", "two"));
                Assert.Null(turn.Last("neighbour", "one"));
                return Task.FromResult(Entry(number) with { Subject = turn.Position % 3 == 0 ? "one" : "" });
            },
            Cancellation)));

        Assert.Equal(Enumerable.Range(0, found.Length).Select(position => position == 0 ? (long?)null : (position - 1) / 3 * 3), found);
    }

    [Theory]
    [InlineData("DELETE FROM log_entry WHERE position = 1")]
    [InlineData("UPDATE log_entry SET entry = CAST(replace(CAST(entry AS TEXT), 'one', 'two') AS BLOB)")]
    [InlineData("UPDATE log_entry SET entry = zeroblob(3) WHERE position = 2")]
    public async Task Entries_that_were_changed_or_removed_are_found_at_the_start_and_by_a_process_that_catches_up(string sql)
    {
        await using var database = await OpenAsync("sqlite");
        await using var behind = await LogAsync(database);
        await using (var log = await LogAsync(database))
        {
            foreach (var number in Enumerable.Range(0, 3))
            {
                await log.AppendAsync(_ => Task.FromResult(Entry(number) with { Subject = "one" }), Cancellation);
            }

            await ExecuteAsync(database, sql);

            // This one has verified them before, and knows what they said.
            await log.AppendAsync(
                turn =>
                {
                    Assert.Equal(2, turn.Last("demo", "one"));
                    return Task.FromResult(Entry(3));
                },
                Cancellation);
        }

        Assert.Equal("service.log.entries", (await Assert.ThrowsAsync<ServiceException>(() => behind.AppendAsync(_ => Task.FromResult(Entry(4)), Cancellation))).Id);
        Assert.Equal("service.log.entries", (await Assert.ThrowsAsync<ServiceException>(() => LogAsync(database))).Id);
    }

    [Fact]
    public async Task A_log_whose_state_was_removed_is_not_begun_anew()
    {
        await using var database = await OpenAsync("sqlite");
        await using var log = await LogAsync(database);
        await log.AppendAsync(_ => Task.FromResult(Entry(0)), Cancellation);

        await ExecuteAsync(database, "DELETE FROM log_state");

        Assert.Equal("service.log.state", (await Assert.ThrowsAsync<ServiceException>(() => log.AppendAsync(_ => Task.FromResult(Entry(1)), Cancellation))).Id);
        Assert.Equal("service.log.state", (await Assert.ThrowsAsync<ServiceException>(() => log.CheckpointAsync(Cancellation))).Id);
        Assert.Equal("service.log.state", (await Assert.ThrowsAsync<ServiceException>(() => LogAsync(database))).Id);
    }

    [Fact]
    public async Task Another_key_encryption_key_or_origin_does_not_open_the_log()
    {
        await using var database = await OpenAsync("sqlite");
        await using (await LogAsync(database))
        {
        }

        await using var renamed = new TransparencyLog(database, _kek, new TransparencyLogTerms { Origin = "log.example/other" }, TimeProvider.System);
        Assert.Equal("service.log.key", (await Assert.ThrowsAsync<ServiceException>(() => renamed.PrepareAsync(Cancellation))).Id);
        KeyEncryptionKey.Create(Path.Combine(_folder, "other"));
        using var other = KeyEncryptionKey.Read(Path.Combine(_folder, "other"));
        await using var stranger = new TransparencyLog(database, other, new TransparencyLogTerms { Origin = Origin }, TimeProvider.System);
        Assert.Equal("service.log.key", (await Assert.ThrowsAsync<ServiceException>(() => stranger.PrepareAsync(Cancellation))).Id);
    }

    // As somebody who has the tiles alone: every entry, every hash, and the root.
    private static async Task RebuildAsync(TransparencyLog log, NoteKey key, long size)
    {
        Assert.True(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(await log.CheckpointAsync(Cancellation)), key, out var checkpoint, out _));
        Assert.Equal(size, checkpoint.Size);
        var frontier = new MerkleFrontier();
        var hashes = new List<byte>();
        foreach (var tile in Tiles(LogTile.Entries, size))
        {
            var bundle = (await log.TileAsync(tile, Cancellation))!;
            for (var at = 0; at < bundle.Length;)
            {
                var length = (bundle[at] << 8) | bundle[at + 1];
                var leaf = Merkle.Leaf(bundle.AsSpan(at + 2, length));
                frontier.Append(leaf);
                hashes.AddRange(leaf.Bytes);
                at += 2 + length;
            }
        }

        Assert.Equal(checkpoint.Root, frontier.Root);
        Assert.Equal(hashes, (await Task.WhenAll(Tiles(0, size).Select(tile => log.TileAsync(tile, Cancellation)))).SelectMany(tile => tile!));
        var above = (await log.TileAsync(LogTile.PartOf(1, size)!.Value, Cancellation))!;
        Assert.Equal(Perfect([.. hashes.Chunk(Merkle.HashSize).Take(LogTile.Full).Select(hash => new Digest(hash))]), new Digest(above.AsSpan(0, Merkle.HashSize)));
        Assert.Null(await log.TileAsync(new LogTile(0, size / LogTile.Full, LogTile.Full), Cancellation));
    }

    private static IEnumerable<LogTile> Tiles(int level, long size)
    {
        for (var index = 0L; index < LogTile.FullOf(level, size); index++)
        {
            yield return new LogTile(level, index, LogTile.Full);
        }

        if (LogTile.PartOf(level, size) is { } part)
        {
            yield return part;
        }
    }

    private static Digest Perfect(ImmutableArray<Digest> hashes) => hashes.Length == 1 ? hashes[0] : Perfect([.. hashes.Chunk(2).Select(pair => Merkle.Node(pair[0], pair[1]))]);

    private static NoteKey Parse(string text) => NoteKey.TryParse(text, out var key, out var fault) ? key : throw new InvalidOperationException(fault.ToString());

    private static LogDecision Entry(int number) => new(new AuditEvent("key.release", "demo", "me", AuditOutcome.Allowed).With("number", number));

    private static Task<int> ExecuteAsync(ServiceDatabase database, string sql) => database.WriteAsync((connection, transaction) => connection.ExecuteAsync(sql, transaction: transaction), Cancellation);

    private async Task<TransparencyLog> LogAsync(ServiceDatabase database)
    {
        var log = new TransparencyLog(database, _kek, new TransparencyLogTerms { Origin = Origin }, TimeProvider.System);
        await log.PrepareAsync(Cancellation);
        return log;
    }

    private async Task<ServiceDatabase> OpenAsync(string kind)
    {
        _postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        var database = ServiceDatabase.Of(_postgres?.Connection ?? Path.Combine(_folder, "log.db"));
        await database.PrepareAsync([], Cancellation);
        return database;
    }
}
