using System.Text.Json.Nodes;
using Assay.Service.Identity;
using Assay.Service.Log;
using Assay.Tests.Cli;
using Assay.Tests.Service;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Regressions;

/// <summary>300, found by a new user: assay audit monitor believed the cosignature that an older database has, and a broker that may do nothing said that it is healthy.</summary>
public sealed class Bug0300_WitnessesOfOldDatabasesTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_witness_itself_is_asked_and_a_broker_with_an_older_database_says_what_is_wrong()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("broker"));
        var owner = await world.KeyOfAsync("demo", Scopes.Broker, Scopes.Read, Scopes.Audit);
        await WriteAsync(world, "owner", owner);
        await WriteAsync(world, "log.key", await (await world.GetAsync("/v1/log/key", owner)).Response.Content.ReadAsStringAsync(Cancellation));
        await using var witness = await WitnessAsync(world);
        string[] account = ["--service", world.Issuer, "--credential", PathOf(world, "owner")];
        string[] monitor = ["audit", "monitor", "--state", PathOf(world, "seen"), "--log-key", PathOf(world, "log.key"), "--witness", PathOf(world, "witness.key"), .. account];
        _assay.Says(0, ["key", "create", "first", .. account]);
        Assert.True(await world.Host.Services.GetRequiredService<LogWitnesses>().AskAsync(0, Cancellation));
        await CopyAsync(world, "assay.db", "earlier.db");
        _assay.Says(0, ["key", "create", "second", .. account]);
        Assert.True(await world.Host.Services.GetRequiredService<LogWitnesses>().AskAsync(0, Cancellation));
        Assert.Contains("as the witness says itself", _assay.Says(0, [.. monitor, "--witness-url", witness.Issuer]), StringComparison.Ordinal);
        Assert.Contains("--witness KEY is expected", _assay.Says(2, ["audit", "monitor", "--state", PathOf(world, "seen"), "--log-key", PathOf(world, "log.key"), "--witness-url", witness.Issuer, .. account]), StringComparison.Ordinal);
        var frozen = _assay.Says(0, ["key", "freeze", "first", "--reason", "a-test", .. account]);
        Assert.Contains("every witness of the log has seen it", frozen, StringComparison.Ordinal);

        // The operator sets the database back, and shows the cosignature that is in it to an auditor who comes anew.
        await CopyAsync(world, "earlier.db", "assay.db");
        File.Delete(PathOf(world, "seen"));
        Assert.Contains("as the broker shows it", _assay.Says(0, monitor), StringComparison.Ordinal);
        File.Delete(PathOf(world, "seen"));
        var found = _assay.Says(1, [.. monitor, "--witness-url", $"{witness.Issuer}/v1/witness"]);
        Assert.Contains("witness.example/w has seen 5 entries", found, StringComparison.Ordinal);
        Assert.False(File.Exists(PathOf(world, "seen")));
        await Task.Delay(TimeSpan.FromSeconds(2.1), Cancellation);
        Assert.Contains("--max-witness-age", _assay.Says(1, [.. monitor, "--max-witness-age", "1"]), StringComparison.Ordinal);

        var ready = await world.GetAsync("/readyz", "");
        Assert.Equal((503, "Unhealthy: service.log.rollback"), (ready.Status, await ready.Response.Content.ReadAsStringAsync(Cancellation)));
        var refused = await world.PostAsync("/v1/keys", """{"id":"third","bytes":32}""", owner);
        Assert.Equal((500, "urn:assay:log-contradicted"), (refused.Status, refused.Problem));
        Assert.Contains("witness.example/w has seen 5", refused.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        var freeze = _assay.Says(1, ["key", "freeze", "first", "--reason", "a-test", .. account]);
        Assert.Contains("releases nothing as long as that is so", freeze, StringComparison.Ordinal);
        Assert.Contains("restores the newest backup", freeze, StringComparison.Ordinal);

        await witness.StopAsync();
        await world.StopAsync();
        await world.StartAsync();
        ready = await world.GetAsync("/readyz", "");
        Assert.Equal((503, "Unhealthy: service.log.witness"), (ready.Status, await ready.Response.Content.ReadAsStringAsync(Cancellation)));
        refused = await world.PostAsync("/v1/keys", """{"id":"third","bytes":32}""", owner);
        Assert.Equal((503, "urn:assay:log-not-compared"), (refused.Status, refused.Problem));
        Assert.Contains("witness.example/w", refused.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("cli.service", _assay.Says(3, [.. monitor, "--witness-url", witness.Issuer]), StringComparison.Ordinal);
    }

    private async Task<ServiceWorld> WitnessAsync(ServiceWorld world)
    {
        var watched = (await File.ReadAllTextAsync(PathOf(world, "log.key"), Cancellation)).TrimEnd();
        var witness = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("witness");
            configuration["witness"] = new JsonObject { ["name"] = "witness.example/w", ["logs"] = new JsonArray(watched) };
        });
        await WriteAsync(world, "witness.key", await witness.Client.GetStringAsync("/v1/witness/key", Cancellation));
        await world.StopAsync();
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "server.json"), Cancellation))!.AsObject();
        configuration["broker"] = new JsonObject
        {
            ["logOrigin"] = world.Issuer["http://".Length..] + "/v1/log",
            ["witnesses"] = new JsonArray(new JsonObject { ["url"] = $"{witness.Issuer}/v1/witness", ["key"] = (await File.ReadAllTextAsync(PathOf(world, "witness.key"), Cancellation)).TrimEnd() }),
        };
        await WriteAsync(world, "server.json", configuration.ToJsonString());
        await world.StartAsync();
        return witness;
    }

    // With the process stopped, as an operator does it.
    private static async Task CopyAsync(ServiceWorld world, string from, string to)
    {
        await world.StopAsync();
        SqliteConnection.ClearAllPools();
        foreach (var suffix in (string[])["-wal", "-shm"])
        {
            File.Delete(PathOf(world, to) + suffix);
        }

        File.Copy(PathOf(world, from), PathOf(world, to), overwrite: true);
        await world.StartAsync();
    }

    private static Task WriteAsync(ServiceWorld world, string name, string text) => File.WriteAllTextAsync(PathOf(world, name), text, Cancellation);

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);
}
