using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>NVIDIA's paths, asked by a client that is not ours, and by attackers.</summary>
public sealed class NrasTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    [Theory]
    [InlineData("gpu", "3.0", "GPU-1")]
    [InlineData("gpu", "4.0", "GPU-1")]
    [InlineData("switch", "3.0", "SWITCH-1")]
    public async Task An_independent_client_verifies_the_bundle_with_keys_out_of_their_certificates(string kind, string version, string expected)
    {
        var python = Peer.RequireModule("/usr/bin/python3", "jwt", "python3-jwt");
        await using var world = await ServiceWorld.StartAsync(machine);
        var request = Path.Combine(world.Folder, "request.json");
        File.WriteAllText(request, machine.NvidiaRequest(NewNonce(), version, kind));

        var answer = await Task.Run(() => python.Run(Path.Combine(Repository.Root, "tests", "Assay.Tests", "Service", "nras_client.py"), world.Issuer, world.Key, request, kind, version));

        Assert.True(answer.Accepted, answer.Output + string.Join('\n', world.Logged.TakeLast(3)));
        Assert.Contains(expected, answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_answers_another_nonce_or_is_forged_has_an_error_in_its_token_and_the_overall_result_is_false()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var request = JsonNode.Parse(machine.NvidiaRequest(NewNonce(), "3.0"))!.AsObject();
        var list = request["evidence_list"]!.AsArray();
        list[0]!["evidence"] = JsonNode.Parse(machine.NvidiaRequest(NewNonce(), "3.0"))!["evidence_list"]![0]!["evidence"]!.DeepClone();
        var report = Convert.FromBase64String(list[1]!["evidence"]!.GetValue<string>());
        report[^1] ^= 1;
        list[1]!["evidence"] = Convert.ToBase64String(report);

        var answer = await world.PostAsync("/v4/attest/gpu", request.ToJsonString());

        Assert.Equal(200, answer.Status);
        Assert.True(CompactJws.TryParse(answer.Body[0][1].GetString(), out var overall, out _));
        Assert.False(overall.Payload.GetProperty("x-nvidia-overall-att-result").GetBoolean());
        Assert.Equal(("not-proven", "urn:assay:nras"), (overall.Payload.GetProperty("x-assay-freshness").GetString(), overall.Payload.GetProperty("aud").GetString()));
        Assert.False(overall.Payload.TryGetProperty("cnf", out _));
        Assert.Equal([4003, 4013], answer.Body[1].EnumerateObject().Select(device =>
        {
            Assert.True(CompactJws.TryParse(device.Value.GetString(), out var token, out _));
            Assert.Equal("fail", token.Payload.GetProperty("measres").GetString());
            return token.Payload.GetProperty("x-nvidia-error-details").GetProperty("code").GetInt32();
        }));
    }

    [Fact]
    public async Task Without_a_credential_it_answers_only_where_the_operator_named_a_tenant_for_such_callers()
    {
        await using var closed = await ServiceWorld.StartAsync(machine);
        Assert.Equal(401, (await closed.PostAsync("/v3/attest/gpu", machine.NvidiaRequest(NewNonce(), "2.0"), "")).Status);

        await using var open = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["attestation"]!["nrasAnonymousTenant"] = "public");
        Assert.Equal(200, (await open.PostAsync("/v3/attest/gpu", machine.NvidiaRequest(NewNonce(), "2.0"), "")).Status);
        Assert.Equal(401, (await open.PostAsync("/v1/challenges", "{}", "")).Status);
        Assert.Equal(204, (await open.SendAsync(HttpMethod.Put, "/v1/tenants", """{"id":"public","dailyAppraisals":1}""", open.OperatorKey)).Status);
        Assert.Equal(200, (await open.PostAsync("/v3/attest/gpu", machine.NvidiaRequest(NewNonce(), "2.0"), "")).Status);
        Assert.Equal("urn:assay:quota-used-up", (await open.PostAsync("/v3/attest/gpu", machine.NvidiaRequest(NewNonce(), "2.0"), "")).Problem);
    }

    private static string NewNonce() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
}
