using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>The key broker with its key encryption key in a PKCS#11 token: what needs the token, and what an outage of it is.</summary>
[Collection(SoftHsm.Collection)]
public sealed class BrokerTokenTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Outage = "urn:assay:kek-unavailable";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_is_released_while_the_token_answers_and_its_outage_is_no_denial()
    {
        using var token = await SoftHsm.StartAsync();
        await using var world = await StartAsync(machine, token);
        var owner = await OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        await CreateAsync(world, owner, secret);
        await SetPolicyAsync(machine, world, owner);
        Assert.Equal(secret, await OpenAsync(await ReleaseAsync(machine, world, owner)));
        Assert.Equal(200, (await world.GetAsync("/readyz", "")).Status);

        token.Unplug();

        var answer = await ReleaseAsync(machine, world, owner);
        Assert.Equal((503, Outage), (answer.Status, answer.Problem));
        Assert.True(answer.Response.Headers.Contains("Retry-After"));
        var told = await world.EntryAsync(owner, answer);
        Assert.Equal(("failed", "kek-unavailable", "weights", 1), (told.GetProperty("outcome").GetString(), told.GetProperty("why").GetString(), told.GetProperty("key").GetString(), told.GetProperty("policyVersion").GetInt32()));
        Assert.Equal(0, told.GetProperty("version").GetInt32());
        var requester = told.GetProperty("actor").GetString()!;
        Assert.Contains(world.Logged, line => line.Contains("the key weights", StringComparison.Ordinal) && line.Contains("version 1 of its policy", StringComparison.Ordinal) && line.Contains($"requester {requester}", StringComparison.Ordinal));
        Assert.Equal(503, (await ReadyAsync(world, 503)).Status);
        Assert.Equal(Outage, (await world.PostAsync("/v1/keys", """{"id":"more","bytes":32}""", owner)).Problem);

        // What is denied is denied as before, and needs no token: also a freeze.
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var without = JsonNode.Parse(await machine.EvidenceAsync(nonce))!.AsObject();
        without["gpus"] = new JsonArray();
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner, id, without.ToJsonString())).Problem);
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"now"}""", owner)).Status);
        var frozen = await ReleaseAsync(machine, world, owner);
        Assert.Equal("urn:assay:release-denied", frozen.Problem);
        Assert.StartsWith("frozen:", (await world.EntryAsync(owner, frozen)).GetProperty("why").GetString(), StringComparison.Ordinal);

        token.Plug();
        // The module is one for all tests of this process: whether another one has it started anew is no matter of this one's.
        await token.RestartAsync();
        Assert.Equal(200, (await ReadyAsync(world, 200)).Status);
        Assert.DoesNotContain(world.Logged, line => line.Contains(SoftHsm.Pin, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_database_without_the_token_gives_nothing_and_after_a_restart_with_it_everything()
    {
        using var token = await SoftHsm.StartAsync();
        await using var world = await StartAsync(machine, token);
        var owner = await OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        await CreateAsync(world, owner, secret);
        await SetPolicyAsync(machine, world, owner);
        await world.StopAsync();
        var server = Path.Combine(world.Folder, "server.json");
        var configuration = await File.ReadAllTextAsync(server, Cancellation);

        // Another token's key, made by the thief.
        using (var other = await SoftHsm.StartAsync())
        {
            Configure(server, other);
            Assert.Equal("service.kek.other", (await Assert.ThrowsAsync<Assay.Service.ServiceException>(world.StartAsync)).Id);
        }

        token.Unplug();
        await File.WriteAllTextAsync(server, configuration, Cancellation);
        Assert.Contains((await Assert.ThrowsAsync<Assay.Service.ServiceException>(world.StartAsync)).Id, (string[])["service.kek.token", "service.kek.unavailable"]);
        token.Plug();
        // A restarted server is another process, which loads the module anew: whether this one did before the token was back is the machine's speed.
        await token.RestartAsync();

        await world.StartAsync();
        Assert.Equal(secret, await OpenAsync(await ReleaseAsync(machine, world, owner)));
    }

    internal static void Configure(string path, SoftHsm token)
    {
        var root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        root["kek"] = Member(token);
        File.WriteAllText(path, root.ToJsonString());
    }

    internal static JsonObject Member(SoftHsm token) => new() { ["pkcs11"] = new JsonObject { ["module"] = token.Module, ["token"] = token.Label, ["key"] = "kek", ["pin"] = token.PinFile } };

    internal static Task<ServiceWorld> StartAsync(AttestedMachine machine, SoftHsm? token, string? database = null) => ServiceWorld.StartAsync(machine, database, configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        configuration["kek"] = token is null ? configuration["kek"]!.DeepClone() : Member(token);
    });

    internal static Task<string> OwnerAsync(ServiceWorld world) => world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    internal static async Task CreateAsync(ServiceWorld world, string owner, byte[] secret)
    {
        var made = await world.PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), owner);
        Assert.True(made.Status == 201, made.Body.ToString());
    }

    internal static async Task SetPolicyAsync(AttestedMachine machine, ServiceWorld world, string owner)
    {
        var expect = machine.Policy("x", "x", "{}")["expect"]!.DeepClone();
        var set = await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    internal static async Task<ServiceAnswer> ReleaseAsync(AttestedMachine machine, ServiceWorld world, string owner)
    {
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        return await ReleaseAsync(world, owner, id, await machine.EvidenceAsync(nonce));
    }

    /// <summary>The secret, opened in the machine.</summary>
    private async Task<byte[]> OpenAsync(ServiceAnswer released) => await OpenAsync(machine, released);

    internal static async Task<byte[]> OpenAsync(AttestedMachine machine, ServiceAnswer released)
    {
        Assert.True(released.Status == 200, released.Body.ToString());
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        using var opened = await agent.UnwrapKeyAsync("release", released.Body.GetProperty("jwe").GetString()!, Cancellation);
        return opened.Use(lease => lease.Bytes.ToArray());
    }

    private static Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, string challenge, string evidence) =>
        world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{challenge}}","evidence":{{evidence}}}""", owner);

    // What a token answered is believed for a second.
    private static async Task<ServiceAnswer> ReadyAsync(ServiceWorld world, int expected)
    {
        var answer = await world.GetAsync("/readyz", "");
        for (var attempt = 0; attempt < 50 && answer.Status != expected; attempt++)
        {
            await Task.Delay(100, Cancellation);
            answer = await world.GetAsync("/readyz", "");
        }

        return answer;
    }
}
