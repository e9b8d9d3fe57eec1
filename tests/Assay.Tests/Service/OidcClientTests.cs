using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>Relying parties that know issuer and audience and nothing of ours: npm openid-client finds the issuer, npm jose verifies its tokens.</summary>
public sealed class OidcClientTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Other = "https://other.example";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tokens_of_every_algorithm_verify_by_discovery_and_those_for_others_or_with_another_character_do_not()
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => policy["token"] = new JsonObject { ["algorithm"] = "ES384" });
        await using var party = NodeProcess.Start("relying_party.mjs");
        var found = await DiscoverAsync(party, world.Issuer);
        Assert.Equal(world.Issuer, found.GetProperty("issuer").GetString());

        foreach (var algorithm in found.GetProperty("algorithms").EnumerateArray().Select(item => item.GetString()!))
        {
            var (audience, policy) = algorithm == "ES384" ? (ServiceWorld.Audience, ServiceWorld.PolicyId) : ($"https://{algorithm}.example", $"policy-{algorithm.ToLowerInvariant()}");
            if (algorithm != "ES384")
            {
                await world.ActivateAsync(policy, audience, changed => changed["token"] = new JsonObject { ["algorithm"] = algorithm });
            }

            var token = await TokenAsync(world, audience);
            var verified = await VerifyAsync(party, token, audience);

            Assert.True(verified.TryGetProperty("alg", out var alg), verified.ToString());
            Assert.Equal((algorithm, policy), (alg.GetString(), verified.GetProperty("policy").GetString()));
            Assert.Equal("ERR_JWT_CLAIM_VALIDATION_FAILED", Refused(await VerifyAsync(party, token, Other)));
            foreach (var altered in Altered(token))
            {
                Assert.Equal("ERR_JWS_SIGNATURE_VERIFICATION_FAILED", Refused(await VerifyAsync(party, altered, audience)));
            }
        }
    }

    [Fact]
    public async Task The_same_server_by_another_name_is_not_the_issuer()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        await using var party = NodeProcess.Start("relying_party.mjs");

        Assert.Equal("OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED", Refused(await DiscoverAsync(party, world.Issuer.Replace("127.0.0.1", "localhost", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task A_relying_party_that_runs_on_follows_a_rotation_and_a_withdrawal()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["signing"] = new JsonObject { ["leadSeconds"] = 10, ["overlapSeconds"] = 600 });
        await using var party = NodeProcess.Start("relying_party.mjs");
        await DiscoverAsync(party, world.Issuer);
        var first = await TokenAsync(world);
        var old = KeyOf(first);
        await VerifiesAsync(party, first, old);

        var next = (await world.PostAsync("/v1/signing-keys/rotate", """{"algorithm":"ES384"}""", world.OperatorKey)).Body.GetProperty("key").GetString()!;
        var second = await TokenAsync(world);
        while (KeyOf(second) == old)
        {
            await Task.Delay(250, Cancellation);
            second = await TokenAsync(world);
        }

        // The process has a copy of the key set from before the rotation, and asks again for a key that it lacks.
        await VerifiesAsync(party, second, next);
        await VerifiesAsync(party, first, old);
        await VerifiesAsync(party, first, old, fresh: true);

        Assert.Equal(204, (await world.PostAsync($"/v1/signing-keys/{old}/withdraw", "", world.OperatorKey)).Status);
        Assert.Equal("ERR_JWKS_NO_MATCHING_KEY", Refused(await VerifyAsync(party, first, ServiceWorld.Audience, fresh: true)));
        await VerifiesAsync(party, second, next, fresh: true);

        // With the key in use withdrawn another one signs at once. Who meets it has read the set again, and lost both others.
        Assert.Equal(204, (await world.PostAsync($"/v1/signing-keys/{next}/withdraw", "", world.OperatorKey)).Status);
        var third = await TokenAsync(world);
        Assert.DoesNotContain(KeyOf(third), (string[])[old, next]);
        await VerifiesAsync(party, third, KeyOf(third));
        foreach (var withdrawn in (string[])[first, second])
        {
            Assert.Equal("ERR_JWKS_NO_MATCHING_KEY", Refused(await VerifyAsync(party, withdrawn, ServiceWorld.Audience)));
        }
    }

    private static Task<JsonElement> DiscoverAsync(NodeProcess party, string issuer) => party.AskAsync(new JsonObject { ["what"] = "discover", ["issuer"] = issuer });

    private static Task<JsonElement> VerifyAsync(NodeProcess party, string token, string audience, bool fresh = false) =>
        party.AskAsync(new JsonObject { ["what"] = "verify", ["token"] = token, ["audience"] = audience, ["fresh"] = fresh });

    private static async Task VerifiesAsync(NodeProcess party, string token, string key, bool fresh = false)
    {
        var answer = await VerifyAsync(party, token, ServiceWorld.Audience, fresh);
        Assert.True(answer.TryGetProperty("kid", out var kid), answer.ToString());
        Assert.Equal(key, kid.GetString());
    }

    private static async Task<string> TokenAsync(ServiceWorld world, string audience = ServiceWorld.Audience)
    {
        var answer = await world.AttestAsync(audience);
        Assert.True(answer.Status == 200, answer.Body.ToString());
        return answer.Body.GetProperty("token").GetString()!;
    }

    // One character in the claims, and one in the signature, which is no part of a multiple of four that could be padding.
    private static IEnumerable<string> Altered(string token)
    {
        var parts = token.Split('.');
        foreach (var at in (int[])[parts[0].Length + 1 + (parts[1].Length / 2), parts[0].Length + parts[1].Length + 2 + (parts[2].Length / 2)])
        {
            yield return $"{token[..at]}{(token[at] == 'A' ? 'B' : 'A')}{token[(at + 1)..]}";
        }
    }

    private static string? Refused(JsonElement answer) => answer.TryGetProperty("refused", out var code) ? code.GetString() : $"not refused: {answer}";

    private static string KeyOf(string token)
    {
        Assert.True(CompactJws.TryParse(token, out var jws, out var fault), fault?.ToString());
        return jws.Header.GetProperty("kid").GetString()!;
    }
}
