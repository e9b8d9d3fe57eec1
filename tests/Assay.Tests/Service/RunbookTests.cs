using System.Diagnostics;
using Assay.Service.Keys;
using Assay.Trust.Jose;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Assay.Tests.Service;

/// <summary>The runbooks of docs/operations/service.md, walked through.</summary>
public sealed class RunbookTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task A_restored_backup_knows_keys_and_policies_and_fails_closed_about_challenges_of_the_time_between(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        await using var world = await ServiceWorld.StartAsync(machine, postgres?.Connection);
        var before = await world.AttestAsync();
        var backup = Path.Combine(world.Folder, "backup");
        Backup(postgres, world.Folder, backup);
        var (challenge, nonce) = await world.ChallengeAsync();
        Assert.Equal(204, (await world.PostAsync($"/v1/appraisals/{before.Body.GetProperty("id").GetString()}/revoke", """{"reason":"between"}""")).Status);
        var keys = (await world.GetAsync("/.well-known/jwks.json", "")).Body.ToString();
        await world.StopAsync();

        Restore(postgres, world.Folder, backup);
        await world.StartAsync();

        Assert.Equal(keys, (await world.GetAsync("/.well-known/jwks.json", "")).Body.ToString());
        Assert.Equal("urn:assay:challenge-spent", (await world.AppraiseAsync(challenge, await machine.EvidenceAsync(nonce))).Problem);
        // What the runbook warns of: a revocation since the backup is forgotten, and done again.
        Assert.Equal(204, (await world.PostAsync($"/v1/appraisals/{before.Body.GetProperty("id").GetString()}/revoke", """{"reason":"again"}""")).Status);
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
        Assert.Equal(200, (await world.AttestAsync()).Status);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task After_a_lost_kek_new_keys_sign_and_API_keys_and_policies_are_kept(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        await using var world = await ServiceWorld.StartAsync(machine, postgres?.Connection);
        var key = world.Key;
        var token = (await world.AttestAsync()).Body.GetProperty("token").GetString()!;
        await world.StopAsync();
        File.Delete(Path.Combine(world.Folder, "kek"));
        KeyEncryptionKey.Create(Path.Combine(world.Folder, "kek"));
        Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<Assay.Service.ServiceException>(world.StartAsync)).Id);

        // As the page says it.
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operations", "service.md"), Cancellation);
        var from = page.IndexOf("`DELETE FROM", page.IndexOf("### A lost kek", StringComparison.Ordinal), StringComparison.Ordinal) + 1;
        Execute(postgres, world.Folder, page[from..page.IndexOf('`', from)]);
        await world.StartAsync();

        Assert.True(JsonWebKeySet.TryParse(await world.Client.GetByteArrayAsync(new Uri("/.well-known/jwks.json", UriKind.Relative), Cancellation), out var keys, out _));
        Assert.True(CompactJws.TryParse(token, out var jws, out _));
        Assert.False(jws.IsSignedBy(keys));
        Assert.Equal(201, (await world.PostAsync("/v1/challenges", "{}", key)).Status);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        var appraisals = (await world.GetAsync("/v1/appraisals", key)).Body.EnumerateArray().Select(row => row.GetProperty("id").GetString()).ToArray();
        Assert.Equal(2, appraisals.Length);
        // Its verdict was under the key that is lost.
        Assert.False((await world.GetAsync($"/v1/appraisals/{appraisals[^1]}", key)).Body.TryGetProperty("verdict", out _));
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
    }

    private static void Backup(PostgresProcess? postgres, string folder, string backup)
    {
        if (postgres is null)
        {
            Execute(null, folder, $"VACUUM INTO '{backup}'");
            return;
        }

        Run(Path.Combine(PostgresProcess.Programs!, "pg_dump"), "--clean", "--if-exists", "--file", backup, postgres.Address);
    }

    private static void Restore(PostgresProcess? postgres, string folder, string backup)
    {
        if (postgres is null)
        {
            foreach (var part in (string[])["assay.db", "assay.db-wal", "assay.db-shm"])
            {
                File.Delete(Path.Combine(folder, part));
            }

            File.Copy(backup, Path.Combine(folder, "assay.db"));
            return;
        }

        Run(Path.Combine(PostgresProcess.Programs!, "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", backup, postgres.Address);
    }

    private static void Execute(PostgresProcess? postgres, string folder, string sql)
    {
        using System.Data.Common.DbConnection connection = postgres is null ? new SqliteConnection($"Data Source={Path.Combine(folder, "assay.db")};Pooling=false") : new NpgsqlConnection(postgres.Connection);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static void Run(string program, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error + output.Result);
    }
}
