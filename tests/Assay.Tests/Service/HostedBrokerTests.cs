using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Server;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>A broker in a confidential VM of its own, as its clients and the host's operator meet it. On the simulator; never seen on hardware.</summary>
public sealed class HostedBrokerTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_broker_shows_evidence_of_its_machine_over_the_clients_challenge_its_certificate_and_its_log()
    {
        await using var world = await StartAsync();
        var challenge = NewChallenge();

        var shown = await world.GetAsync($"/v1/broker/evidence?challenge={challenge}", "");

        Assert.True(shown.Status == 200, shown.Body.ToString());
        var statement = shown.Body.GetProperty("statement").GetString()!;
        var told = JsonElement.Parse(statement);
        Assert.Equal((challenge, "", "the operator can roll back state", 1), (Text(told, "challenge"), Text(told, "leaf"), Text(told, "rollback"), told.GetProperty("v").GetInt32()));
        var audit = await world.KeyOfAsync("demo", Scopes.Audit);
        Assert.Equal((await (await world.GetAsync("/v1/log/key", audit)).Response.Content.ReadAsStringAsync(Cancellation)).TrimEnd(), Text(told, "log"));
        var nonce = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(statement)));
        Assert.Equal(nonce, Text(shown.Body, "nonce"));

        // Judged as any machine's evidence is: here by a service that knows the image.
        Assert.Equal("pass", await WordAsync(shown.Body.GetProperty("evidence").GetRawText(), nonce));
        Assert.True(await HasKeyAsync(world, shown.Body.GetProperty("evidence")));
        Assert.Equal("urn:assay:bad-request", (await world.GetAsync("/v1/broker/evidence?challenge=x", "")).Problem);
        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/broker/evidence/proof", """{"jwe":"x"}""", "")).Problem);
    }

    [Fact]
    public async Task A_statement_of_the_hosts_that_the_machine_was_made_to_answer_is_found_by_the_key()
    {
        await using var world = await StartAsync();
        // The host runs the broker that the machine asks for its own key encryption key, and chooses its challenge.
        var statement = new JsonObject { ["challenge"] = NewChallenge(), ["issuer"] = world.Issuer, ["kek"] = "x", ["leaf"] = new string('b', 96), ["log"] = "the host's own", ["rollback"] = "witnessed", ["v"] = 1, ["witnesses"] = new JsonArray() }.ToJsonString();
        var nonce = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(statement)));
        var evidence = await machine.Vm.EvidenceAsync(nonce, "broker", Cancellation);
        Assert.Equal(0, evidence.ExitCode);

        // It passes as evidence, and its key is not the one that the broker answers with.
        Assert.Equal("pass", await WordAsync(evidence.Output, nonce));
        Assert.False(await HasKeyAsync(world, JsonElement.Parse(evidence.Output)));
    }

    [Fact]
    public void Without_TLS_a_hosted_broker_listens_on_loopback_alone()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("assay-hosted-").FullName, "configuration");
        string[] FaultsOf(string listen)
        {
            File.WriteAllText(file, $$"""{"issuer":"https://keys.example","roles":["broker"],"listen":["{{listen}}"],"broker":{"hosted":{"agent":"/run/assay/agent.sock"} } }""");
            _ = ServerConfiguration.TryRead(file, _ => null, out _, out var faults);
            return [.. faults.Where(fault => fault.Contains("broker.hosted", StringComparison.Ordinal))];
        }

        Assert.Contains("tls is expected", Assert.Single(FaultsOf("0.0.0.0:8443")), StringComparison.Ordinal);
        Assert.Empty(FaultsOf("127.0.0.1:8443"));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    private static string NewChallenge() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    // The second half of a client's check: something that is sealed to the evidence's key.
    private static async Task<bool> HasKeyAsync(ServiceWorld world, JsonElement evidence)
    {
        Assert.True(SealingPublicKey.TryParse(Encoding.UTF8.GetBytes(evidence.GetProperty("key").GetRawText()), out var key, out var fault), fault?.ToString());
        var secret = RandomNumberGenerator.GetBytes(32);
        var answer = await world.PostAsync("/v1/broker/evidence/proof", $$"""{"jwe":"{{Jwe.SealCompact(key, secret)}}"}""", "");
        return answer.Status == 200 && Text(answer.Body, "proof") == Convert.ToHexStringLower(HMACSHA256.HashData(secret, "assay-broker-proof/v1/"u8));
    }

    private async Task<string> WordAsync(string evidence, string nonce)
    {
        await using var judge = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("attestation", "broker"));
        var owner = await judge.KeyOfAsync("demo", Scopes.Broker, Scopes.Read);
        Assert.Equal(201, (await judge.PostAsync("/v1/keys", """{"id":"x","bytes":32}""", owner)).Status);
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        var tried = await judge.PostAsync("/v1/keys/x/policy/dry-run", new JsonObject { ["policy"] = policy, ["evidence"] = JsonNode.Parse(evidence), ["challenge"] = nonce }.ToJsonString(), owner);
        Assert.True(tried.Status == 200, tried.Body.ToString());
        return Text(tried.Body, "verdict");
    }

    private Task<ServiceWorld> StartAsync() => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("broker");
        configuration["broker"] = new JsonObject { ["hosted"] = new JsonObject { ["agent"] = machine.Vm.AgentSocket } };
    });
}
