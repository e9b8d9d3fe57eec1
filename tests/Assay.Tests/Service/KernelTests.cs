using System.Security.Cryptography;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Challenges;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Tests.Collateral;
using Dapper;

namespace Assay.Tests.Service;

/// <summary>The kernel's contract, held by both databases alike.</summary>
public sealed class KernelTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-kernel-").FullName;
    private readonly ManualTime _time = new(new DateTimeOffset(2026, 11, 30, 12, 0, 0, TimeSpan.Zero));
    private PostgresProcess? _server;

    public static TheoryData<string> Databases => ["sqlite", "postgresql"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private KeyEncryptionKey Kek
    {
        get
        {
            var path = Path.Combine(_folder, "kek");
            if (!File.Exists(path))
            {
                KeyEncryptionKey.Create(path);
            }

            return field ??= KeyEncryptionKey.Read(path);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task A_challenge_is_redeemed_by_one_of_many_and_by_nobody_else(string kind)
    {
        await using var database = await OpenAsync(kind);
        var challenges = new ChallengeStore(database, Kek, _time);
        var challenge = await challenges.IssueAsync("a", ChallengeStore.Appraisal, TimeSpan.FromMinutes(2), Cancellation);

        Assert.Null(await challenges.RedeemAsync(challenge.Id, "b", ChallengeStore.Appraisal, Cancellation));
        Assert.Null(await challenges.RedeemAsync(challenge.Id, "a", "other", Cancellation));
        Assert.Null(await challenges.RedeemAsync(new string('0', 32), "a", ChallengeStore.Appraisal, Cancellation));
        var nonces = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => challenges.RedeemAsync(challenge.Id, "a", ChallengeStore.Appraisal, Cancellation))));

        Assert.Equal(challenge.Nonce, Assert.Single(nonces, nonce => nonce is not null));
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task A_challenge_ends_by_the_services_clock_and_a_clock_set_back_revives_no_used_one(string kind)
    {
        await using var database = await OpenAsync(kind);
        var challenges = new ChallengeStore(database, Kek, _time);
        var late = await challenges.IssueAsync("a", ChallengeStore.Appraisal, TimeSpan.FromMinutes(2), Cancellation);
        var used = await challenges.IssueAsync("a", ChallengeStore.Appraisal, TimeSpan.FromMinutes(2), Cancellation);
        Assert.NotNull(await challenges.RedeemAsync(used.Id, "a", ChallengeStore.Appraisal, Cancellation));

        _time.Now += TimeSpan.FromMinutes(2);
        Assert.Null(await challenges.RedeemAsync(late.Id, "a", ChallengeStore.Appraisal, Cancellation));
        _time.Now -= TimeSpan.FromHours(1);
        Assert.Null(await challenges.RedeemAsync(used.Id, "a", ChallengeStore.Appraisal, Cancellation));

        _time.Now += TimeSpan.FromHours(3);
        Assert.Equal(2, await challenges.PurgeAsync(Cancellation));
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task A_challenge_whose_row_was_written_again_is_not_redeemed_after_its_end_nor_under_another_name(string kind)
    {
        await using var database = await OpenAsync(kind);
        var challenges = new ChallengeStore(database, Kek, _time);
        var challenge = await challenges.IssueAsync("a", ChallengeStore.Appraisal, TimeSpan.FromMinutes(2), Cancellation);
        var other = await challenges.IssueAsync("b", ChallengeStore.Appraisal, TimeSpan.FromMinutes(2), Cancellation);
        Task WriteAsync(string sql) => database.WriteAsync((connection, transaction) => connection.ExecuteAsync(sql, new { challenge.Id, Other = other.Id }, transaction), Cancellation);

        await WriteAsync("UPDATE challenge SET nonce = (SELECT nonce FROM challenge WHERE id = @Id) WHERE id = @Other");
        Assert.Null(await challenges.RedeemAsync(other.Id, "b", ChallengeStore.Appraisal, Cancellation));
        Assert.NotNull(await challenges.RedeemAsync(challenge.Id, "a", ChallengeStore.Appraisal, Cancellation));
        await WriteAsync("UPDATE challenge SET redeemed_at = NULL, expires_at = 4000000000000");
        _time.Now += TimeSpan.FromMinutes(2);
        Assert.Null(await challenges.RedeemAsync(challenge.Id, "a", ChallengeStore.Appraisal, Cancellation));
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task Many_entries_go_to_disk_in_few_commits_and_a_refused_row_takes_no_other_along(string kind)
    {
        await using var database = await OpenAsync(kind);
        await using var commits = new GroupCommit(database, Kek, _time);
        var entries = Enumerable.Range(0, 500).Select(number => commits.CommitAsync(
            new AuditEvent("test", "a", "me", AuditOutcome.Allowed).With("number", number),
            (connection, transaction) => connection.ExecuteAsync("INSERT INTO service_state (name, value) VALUES (@Name, @Value)", new { Name = number == 250 ? "state-249" : $"state-{number}", Value = new byte[1] }, transaction),
            Cancellation)).ToArray();

        var failed = await Task.WhenAll(entries.Select(async entry =>
        {
            try
            {
                await entry;
                return false;
            }
            catch (ServiceException)
            {
                return true;
            }
        }));

        Assert.Equal(1, failed.Count(one => one));
        Assert.InRange(commits.Commits, 1, 499);
        Assert.Equal(499, await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM audit"), Cancellation));
        Assert.Empty(await AuditLog.VerifyAsync(database, Kek, Cancellation));
    }

    [Theory]
    [InlineData("UPDATE audit SET event = '{}' WHERE position = 2", "changed")]
    [InlineData("UPDATE audit SET tenant = 'b' WHERE position = 2", "changed")]
    [InlineData("DELETE FROM audit WHERE position = 2", "missing")]
    [InlineData("UPDATE audit SET at = at + 1 WHERE position = 3", "changed")]
    public async Task A_changed_or_removed_audit_entry_is_found(string sql, string expected)
    {
        await using var database = await OpenAsync("sqlite");
        await using (var commits = new GroupCommit(database, Kek, _time))
        {
            foreach (var number in Enumerable.Range(0, 3))
            {
                await commits.CommitAsync(new AuditEvent("test", "a", "me", AuditOutcome.Allowed).With("number", number), null, Cancellation);
            }
        }

        await database.WriteAsync((connection, transaction) => connection.ExecuteAsync(sql, transaction: transaction), Cancellation);

        Assert.Contains(expected, Assert.Single(await AuditLog.VerifyAsync(database, Kek, Cancellation)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DELETE FROM audit WHERE kind = 'secret'", "all of its entries are missing")]
    [InlineData("DELETE FROM audit WHERE kind = 'secret'; DELETE FROM service_state WHERE name = 'audit-writers'", "the list of writers is missing")]
    [InlineData("UPDATE service_state SET value = zeroblob(60) WHERE name = 'audit-writers'", "the list of writers")]
    public async Task A_command_whose_whole_chain_was_removed_is_found(string sql, string expected)
    {
        await using var database = await OpenAsync("sqlite");
        foreach (var kind in (string[])["test", "secret", "test"])
        {
            // Each a writer of its own, as commands are.
            await using var commits = new GroupCommit(database, Kek, _time);
            await commits.CommitAsync(new AuditEvent(kind, "a", "me", AuditOutcome.Allowed), null, Cancellation);
        }

        Assert.Empty(await AuditLog.VerifyAsync(database, Kek, Cancellation));
        await database.WriteAsync((connection, transaction) => connection.ExecuteAsync(sql, transaction: transaction), Cancellation);

        Assert.Contains(await AuditLog.VerifyAsync(database, Kek, Cancellation), fault => fault.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_audit_log_that_was_emptied_whole_is_not_intact_and_not_begun_anew()
    {
        await using var database = await OpenAsync("sqlite");
        await using (var commits = new GroupCommit(database, Kek, _time))
        {
            await new SigningKeys(database, Kek, commits, new SigningKeyTerms(), _time).PrepareAsync(Cancellation);
        }

        await database.WriteAsync((connection, transaction) => connection.ExecuteAsync("DELETE FROM audit; DELETE FROM service_state", transaction: transaction), Cancellation);

        Assert.Contains("the list of writers is missing", Assert.Single(await AuditLog.VerifyAsync(database, Kek, Cancellation)), StringComparison.Ordinal);
        await using var next = new GroupCommit(database, Kek, _time);
        Assert.Equal("service.audit.writers", (await Assert.ThrowsAsync<ServiceException>(() => next.CommitAsync(new AuditEvent("test", "a", "me", AuditOutcome.Allowed), null, Cancellation))).Id);
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task Writers_that_begin_together_are_all_in_the_list(string kind)
    {
        await using var database = await OpenAsync(kind);
        var writers = Enumerable.Range(0, 8).Select(_ => new GroupCommit(database, Kek, _time)).ToArray();

        await Task.WhenAll(writers.Select(writer => writer.CommitAsync(new AuditEvent("test", "a", "me", AuditOutcome.Allowed), null, Cancellation)));

        Assert.Equal(8, await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(DISTINCT writer) FROM audit"), Cancellation));
        Assert.Empty(await AuditLog.VerifyAsync(database, Kek, Cancellation));
        foreach (var writer in writers)
        {
            await writer.DisposeAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task A_signing_key_is_published_before_it_signs_and_after_the_next_one_does(string kind)
    {
        await using var database = await OpenAsync(kind);
        await using var commits = new GroupCommit(database, Kek, _time);
        var terms = new SigningKeyTerms { Lead = TimeSpan.FromHours(24), Overlap = TimeSpan.FromHours(48) };
        var keys = new SigningKeys(database, Kek, commits, terms, _time);
        await keys.PrepareAsync(Cancellation);
        var first = keys.Current("ES384").PublicKey.KeyId;
        // Another process on the same database signs with the same key.
        var other = new SigningKeys(database, Kek, commits, terms, _time);
        await other.PrepareAsync(Cancellation);
        Assert.Equal(first, other.Current("ES384").PublicKey.KeyId);

        var next = await keys.RotateAsync("ES384", "me", Cancellation);

        Assert.Equal(first, keys.Current("ES384").PublicKey.KeyId);
        Assert.Contains(keys.Published().Keys, key => key.KeyId == next);
        await other.ReloadAsync(Cancellation);
        _time.Now += TimeSpan.FromHours(24);
        Assert.Equal((next, next), (keys.Current("ES384").PublicKey.KeyId, other.Current("ES384").PublicKey.KeyId));
        Assert.Contains(keys.Published().Keys, key => key.KeyId == first);
        _time.Now += TimeSpan.FromHours(49);
        Assert.DoesNotContain(keys.Published().Keys, key => key.KeyId == first);
    }

    [Fact]
    public async Task A_withdrawn_key_verifies_nothing_any_more_and_its_private_half_is_gone()
    {
        await using var database = await OpenAsync("sqlite");
        await using var commits = new GroupCommit(database, Kek, _time);
        var keys = new SigningKeys(database, Kek, commits, new SigningKeyTerms(), _time);
        await keys.PrepareAsync(Cancellation);
        var lost = keys.Current("ES256").PublicKey.KeyId;

        Assert.True(await keys.WithdrawAsync(lost, "me", Cancellation));

        Assert.NotEqual(lost, keys.Current("ES256").PublicKey.KeyId);
        Assert.DoesNotContain(keys.Published().Keys, key => key.KeyId == lost);
        Assert.Equal(0, await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT LENGTH(wrapped) FROM signing_key WHERE id = @lost", new { lost }), Cancellation));
    }

    [Fact]
    public async Task Under_another_key_encryption_key_the_server_does_not_start_and_says_why()
    {
        await using var database = await OpenAsync("sqlite");
        await using var commits = new GroupCommit(database, Kek, _time);
        await new SigningKeys(database, Kek, commits, new SigningKeyTerms(), _time).PrepareAsync(Cancellation);
        var path = Path.Combine(_folder, "other");
        KeyEncryptionKey.Create(path);
        using var other = KeyEncryptionKey.Read(path);

        var fault = await Assert.ThrowsAsync<ServiceException>(() => new SigningKeys(database, other, commits, new SigningKeyTerms(), _time).PrepareAsync(Cancellation));
        Assert.Equal("service.kek.other", fault.Id);
    }

    [Fact]
    public void A_record_opens_under_its_key_and_context_alone_and_no_bit_of_it_can_be_other()
    {
        var record = Kek.Seal("evidence"u8, "appraisal/1");
        Assert.Equal("evidence"u8.ToArray(), Kek.Open(record, "appraisal/1"));
        Assert.Null(Kek.Open(record, "appraisal/2"));
        Assert.Null(Kek.Open(record.AsSpan(1), "appraisal/1"));
        Assert.NotEqual(record, Kek.Seal("evidence"u8, "appraisal/1"));
        for (var bit = 0; bit < record.Length * 8; bit++)
        {
            var changed = (byte[])record.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(Kek.Open(changed, "appraisal/1"));
        }
    }

    [Fact]
    public void A_key_file_that_others_may_read_or_that_holds_something_else_is_refused()
    {
        var path = Path.Combine(_folder, "open");
        KeyEncryptionKey.Create(path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Throws<IOException>(() => KeyEncryptionKey.Create(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal("service.kek.open", Assert.Throws<ServiceException>(() => KeyEncryptionKey.Read(path)).Id);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(path, Convert.ToBase64String(RandomNumberGenerator.GetBytes(31)));
        Assert.Equal("service.kek.form", Assert.Throws<ServiceException>(() => KeyEncryptionKey.Read(path)).Id);
        Assert.Equal("service.kek.missing", Assert.Throws<ServiceException>(() => KeyEncryptionKey.Read(path + "x")).Id);
    }

    [Fact]
    public async Task A_second_process_does_not_take_the_same_SQLite_file()
    {
        await using var database = await OpenAsync("sqlite");
        await using var second = ServiceDatabase.Of(Path.Combine(_folder, "assay.db"));
        Assert.Equal("service.database.held", (await Assert.ThrowsAsync<ServiceException>(() => second.PrepareAsync([], Cancellation))).Id);
    }

    [Fact]
    public async Task A_server_that_loses_what_it_acknowledges_is_refused()
    {
        _server = await PostgresServer.StartAsync("-c", "full_page_writes=off");
        await using var database = ServiceDatabase.Of(_server.Connection);
        Assert.Equal("service.database.unsafe", (await Assert.ThrowsAsync<ServiceException>(() => database.PrepareAsync([], Cancellation))).Id);
    }

    [Theory]
    [MemberData(nameof(Databases))]
    public async Task A_schema_that_a_newer_release_added_to_works_on_unless_it_says_that_it_breaks(string kind)
    {
        await using var database = await OpenAsync(kind, new SchemaScript("9001-later.sql", "ALTER TABLE tenant ADD COLUMN later TEXT"));
        await using var commits = new GroupCommit(database, Kek, _time);
        await database.PrepareAsync([], Cancellation);
        Assert.True(await new TenantStore(database, commits, _time).CreateAsync("a", null, "me", Cancellation));

        await database.PrepareAsync([new SchemaScript("9002-breaking.sql", "ALTER TABLE tenant DROP COLUMN later")], Cancellation);
        Assert.Equal("service.database.newer", (await Assert.ThrowsAsync<ServiceException>(() => database.PrepareAsync([], Cancellation))).Id);
    }

    [Fact]
    public async Task Processes_that_start_together_bring_the_schema_up_to_date_once()
    {
        _server = await PostgresServer.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            await using var database = ServiceDatabase.Of(_server.Connection);
            await database.PrepareAsync([], Cancellation);
        }));
    }

    private async Task<ServiceDatabase> OpenAsync(string kind, params SchemaScript[] scripts)
    {
        _server ??= kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        var database = ServiceDatabase.Of(kind == "postgresql" ? _server!.Connection : Path.Combine(_folder, "assay.db"));
        await database.PrepareAsync(scripts, Cancellation);
        return database;
    }
}
