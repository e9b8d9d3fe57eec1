using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Attestation;
using Assay.Broker;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Tests.Service;

/// <summary>A database comes under another key encryption key, whatever happens in between.</summary>
[Collection(SoftHsm.Collection)]
public sealed class RewrapTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static ImmutableArray<SealedColumn> Columns => [.. ServiceKernel.SealedColumns, .. AttestationRole.SealedColumns, .. BrokerRole.SealedColumns];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task From_a_file_to_a_token_and_to_another_file_killed_after_every_transaction_nothing_is_lost(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        using var token = await SoftHsm.StartAsync();
        await using var world = await BrokerTokenTests.StartAsync(machine, token: null, postgres?.Connection);
        var connection = postgres?.Connection ?? Path.Combine(world.Folder, "assay.db");
        var owner = await BrokerTokenTests.OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        await BrokerTokenTests.CreateAsync(world, owner, secret);
        await BrokerTokenTests.SetPolicyAsync(machine, world, owner);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"other","bytes":32}""", owner)).Status);
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"another","key":"other"}""", owner)).Status);
        var appraisal = await world.AttestAsync();
        Assert.Equal(200, appraisal.Status);
        var keys = (await world.GetAsync("/.well-known/jwks.json", "")).Body.ToString();
        var logKey = await (await world.GetAsync("/v1/log/key", owner)).Response.Content.ReadAsStringAsync(Cancellation);
        KeyEncryptionKey.Create(Path.Combine(world.Folder, "kek2"));
        var terms = new[] { new KekTerms { File = Path.Combine(world.Folder, "kek") }, new KekTerms { Pkcs11 = token.Terms }, new KekTerms { File = Path.Combine(world.Folder, "kek2") } };

        for (var step = 0; step < 2; step++)
        {
            await world.StopAsync();
            var before = await SealedAsync(connection);
            await KilledAfterEveryTransactionAsync(connection, terms[step], terms[step + 1]);

            var after = await SealedAsync(connection);
            Assert.Equal(before.Count, after.Count);
            Assert.Empty(before.Intersect(after, StringComparer.Ordinal));
            if (postgres is null)
            {
                // Nor is what was under the old key left in pages that are free. Of the two keys' secrets, the wrapped key alone is another one.
                var file = await File.ReadAllBytesAsync(connection, Cancellation);
                var gone = before.Where(record => !after.Any(next => next.EndsWith(record[^48..], StringComparison.Ordinal))).ToList();
                Assert.Equal(before.Count - 2, gone.Count);
                Assert.All(gone, record => Assert.True(file.AsSpan().IndexOf(Convert.FromHexString(record).AsSpan(^24..)) < 0));
            }

            // The old key opens nothing any more, and is told so.
            Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<ServiceException>(world.StartAsync)).Id);
            Configure(world, terms[step + 1]);
            await world.StartAsync();
            Assert.Equal(secret, await BrokerTokenTests.OpenAsync(machine, await BrokerTokenTests.ReleaseAsync(machine, world, owner)));
            Assert.Equal(keys, (await world.GetAsync("/.well-known/jwks.json", "")).Body.ToString());
            Assert.Equal(logKey, await (await world.GetAsync("/v1/log/key", owner)).Response.Content.ReadAsStringAsync(Cancellation));
            Assert.True((await world.GetAsync($"/v1/appraisals/{appraisal.Body.GetProperty("id").GetString()}")).Body.TryGetProperty("verdict", out _));
            Assert.Equal(1, (await world.GetAsync("/v1/freezes", owner)).Body.GetArrayLength());
            var verified = (await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body;
            Assert.True(verified.GetProperty("intact").GetBoolean(), verified.ToString());
        }
    }

    [Fact]
    public async Task Between_a_file_and_the_keys_of_two_services_killed_after_every_transaction_nothing_is_lost()
    {
        await using var kms = await AwsKmsStandIn.StartAsync();
        await using var vault = await VaultStandIn.StartAsync();
        await using var world = await BrokerTokenTests.StartAsync(machine, token: null);
        var path = Path.Combine(world.Folder, "assay.db");
        var owner = await BrokerTokenTests.OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        await BrokerTokenTests.CreateAsync(world, owner, secret);
        await BrokerTokenTests.SetPolicyAsync(machine, world, owner);
        await world.StopAsync();
        KeyEncryptionKey.Create(Path.Combine(world.Folder, "kek2"));
        var terms = new[]
        {
            new KekTerms { File = Path.Combine(world.Folder, "kek") },
            new KekTerms { Vault = vault.Terms(vault.CreateKey(), world.Folder) },
            new KekTerms { AwsKms = kms.Terms(kms.CreateKey(), world.Folder) },
            new KekTerms { AwsKms = kms.Terms(kms.CreateKey(), world.Folder) },
            new KekTerms { File = Path.Combine(world.Folder, "kek2") },
        };

        foreach (var (from, to) in terms.Zip(terms.Skip(1)))
        {
            var before = await SealedAsync(path);
            await KilledAfterEveryTransactionAsync(path, from, to);
            Assert.Empty(before.Intersect(await SealedAsync(path), StringComparer.Ordinal));
            Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<ServiceException>(() => RunAsync(path, from, terms[0] == from ? terms[2] : terms[0]))).Id);
        }

        // The services have nothing of it any more, and are not needed.
        (kms.IsDown, vault.IsDown) = (true, true);
        Configure(world, terms[^1]);
        await world.StartAsync();
        Assert.Equal(secret, await BrokerTokenTests.OpenAsync(machine, await BrokerTokenTests.ReleaseAsync(machine, world, owner)));
        Assert.Empty(kms.Departures);
        Assert.Empty(vault.Departures);
    }

    [Theory]
    [InlineData("UPDATE audit SET event = '{}' WHERE position = 1", "it was changed")]
    [InlineData("DELETE FROM audit WHERE kind = 'appraisal'", "entries when the kek was changed")]
    [InlineData("DELETE FROM service_state WHERE name = 'audit-keys'", "written under another key")]
    [InlineData("UPDATE service_state SET value = zeroblob(200) WHERE name = 'audit-keys'", "the record of former audit keys was changed")]
    public async Task Audit_entries_of_before_a_re_wrap_still_show_what_was_changed_or_cut_off(string sql, string expected)
    {
        await using var world = await BrokerTokenTests.StartAsync(machine, token: null);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        await world.StopAsync();
        KeyEncryptionKey.Create(Path.Combine(world.Folder, "kek2"));
        var next = new KekTerms { File = Path.Combine(world.Folder, "kek2") };
        await RunAsync(Path.Combine(world.Folder, "assay.db"), new KekTerms { File = Path.Combine(world.Folder, "kek") }, next);
        Configure(world, next);
        await world.StartAsync();
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());

        await using (var database = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(world.Folder, "assay.db")};Pooling=false"))
        {
            Assert.True(await database.ExecuteAsync(sql) > 0);
        }

        Assert.Contains(expected, (await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_record_under_neither_key_stops_it_by_name_and_a_server_does_not_start_in_between()
    {
        await using var world = await BrokerTokenTests.StartAsync(machine, token: null);
        var appraisal = (await world.AttestAsync()).Body.GetProperty("id").GetString()!;
        await world.StopAsync();
        var path = Path.Combine(world.Folder, "assay.db");
        byte[] kept;
        await using (var database = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={path};Pooling=false"))
        {
            kept = (await database.QuerySingleAsync<byte[]>("SELECT verdict_sealed FROM appraisal WHERE id = @appraisal", new { appraisal }))!;
            await database.ExecuteAsync("UPDATE appraisal SET verdict_sealed = zeroblob(300) WHERE id = @appraisal", new { appraisal });
        }

        foreach (var name in (string[])["kek2", "kek3"])
        {
            KeyEncryptionKey.Create(Path.Combine(world.Folder, name));
        }

        var (old, next, third) = (new KekTerms { File = Path.Combine(world.Folder, "kek") }, new KekTerms { File = Path.Combine(world.Folder, "kek2") }, new KekTerms { File = Path.Combine(world.Folder, "kek3") });
        var stopped = await Assert.ThrowsAsync<ServiceException>(() => RunAsync(path, old, next));
        Assert.Equal("service.kek.rewrap", stopped.Id);
        Assert.Contains($"verdicts {appraisal}", stopped.Message, StringComparison.Ordinal);

        foreach (var kek in (KekTerms[])[old, next])
        {
            Configure(world, kek);
            Assert.Equal("service.kek.rewrap", (await Assert.ThrowsAsync<ServiceException>(world.StartAsync)).Id);
        }

        Assert.Contains("is not finished", (await Assert.ThrowsAsync<ServiceException>(() => RunAsync(path, old, third))).Message, StringComparison.Ordinal);
        Assert.Contains("the same kek", (await Assert.ThrowsAsync<ServiceException>(() => RunAsync(path, old, old))).Message, StringComparison.Ordinal);
        await using (var database = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={path};Pooling=false"))
        {
            await database.ExecuteAsync("UPDATE appraisal SET verdict_sealed = @kept WHERE id = @appraisal", new { kept, appraisal });
        }

        Assert.NotEmpty(await RunAsync(path, old, next));
        Assert.Empty(await RunAsync(path, old, next));
        Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<ServiceException>(() => RunAsync(path, old, third))).Id);
        await world.StartAsync();
        Assert.Equal(200, (await world.AttestAsync()).Status);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task While_a_server_runs_it_is_refused_and_changes_nothing(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        await using var world = await BrokerTokenTests.StartAsync(machine, token: null, postgres?.Connection);
        KeyEncryptionKey.Create(Path.Combine(world.Folder, "kek2"));

        var refused = await Assert.ThrowsAsync<ServiceException>(() => RunAsync(postgres?.Connection ?? Path.Combine(world.Folder, "assay.db"), new KekTerms { File = Path.Combine(world.Folder, "kek") }, new KekTerms { File = Path.Combine(world.Folder, "kek2") }));

        Assert.Equal("service.database.held", refused.Id);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        await world.StopAsync();
        await world.StartAsync();
    }

    [Fact]
    public async Task Every_encrypted_column_of_the_schema_is_re_wrapped()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("assay-schema-").FullName, "assay.db");
        await using var database = ServiceDatabase.Of(path);
        await database.PrepareAsync([.. AttestationRole.Schema, .. BrokerRole.Schema], Cancellation);

        var found = await database.ReadAsync(
            connection => connection.QueryAsync<string>("SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND (c.name LIKE '%sealed%' OR c.name LIKE '%wrapped%')"), Cancellation);

        Assert.Equal(found.Order(StringComparer.Ordinal), Columns.Select(column => $"{column.Table}.{column.Column}").Order(StringComparer.Ordinal));
    }

    // Runs it again and again; each run is ended after one transaction more than the one before it had.
    private static async Task KilledAfterEveryTransactionAsync(string connection, KekTerms from, KekTerms to)
    {
        var killed = 0;
        for (; ; killed++)
        {
            try
            {
                var counts = await RunAsync(connection, from, to, () => throw new OperationCanceledException("killed"));
                Assert.True(killed > 3, "it was not ended in between");
                Assert.True(counts.IsEmpty || counts.Sum(count => count.Rewrapped) == 0);
                return;
            }
            catch (OperationCanceledException)
            {
                Assert.InRange(killed, 0, 50);
            }
        }
    }

    private static async Task<ImmutableArray<RewrapCount>> RunAsync(string connection, KekTerms from, KekTerms to, Action? afterTransaction = null)
    {
        using var old = await from.OpenAsync(Cancellation);
        using var next = await to.OpenAsync(Cancellation);
        await using var database = ServiceDatabase.OfOne(connection);
        await database.PrepareAsync([.. AttestationRole.Schema, .. BrokerRole.Schema], Cancellation);
        return await Rewrap.RunAsync(database, old, next, Columns, TimeProvider.System, afterTransaction, Cancellation);
    }

    private static async Task<HashSet<string>> SealedAsync(string connection)
    {
        await using var database = ServiceDatabase.OfOne(connection);
        await database.PrepareAsync([.. AttestationRole.Schema, .. BrokerRole.Schema], Cancellation);
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var column in Columns)
        {
            found.UnionWith((await database.ReadAsync(reading => reading.QueryAsync<byte[]>($"SELECT {column.Column} FROM {column.Table} WHERE length({column.Column}) > 0"), Cancellation)).Select(Convert.ToHexString));
        }

        return found;
    }

    private static void Configure(ServiceWorld world, KekTerms kek)
    {
        var path = Path.Combine(world.Folder, "server.json");
        var root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        root["kek"] = kek.File is { } file ? file : System.Text.Json.JsonSerializer.SerializeToNode(kek, Assay.Service.Http.StrictJsonOptions.Value);
        File.WriteAllText(path, root.ToJsonString());
    }
}
