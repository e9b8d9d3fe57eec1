using System.Text.Json.Nodes;
using Assay.Broker.Approvals;
using Assay.Broker.Keys;
using Assay.Service.Identity;
using Assay.Tests.Service;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Regressions;

/// <summary>299, found by a new user: a key that others are derived from could be rotated to 16 bytes.</summary>
public sealed class Bug0299_ShortSecretsOfDerivedKeysTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    [Fact]
    public async Task A_derived_key_is_rotated_to_32_bytes_at_the_least_by_one_person_and_by_two()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configuration["authentication"] = issuer.Configuration;
        });
        var (owner, cancellation) = (await world.KeyOfAsync("demo", Scopes.Broker, Scopes.Read), TestContext.Current.CancellationToken);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"one","bytes":32,"derived":true}""", owner)).Status);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"two","bytes":32,"derived":true,"approval":"two-person"}""", owner)).Status);

        foreach (var (key, login) in new[] { ("one", owner), ("two", issuer.Person("ann")) })
        {
            var answer = await world.PostAsync($"/v1/keys/{key}/rotate", """{"revision":1,"bytes":16}""", login);
            Assert.Equal((400, "urn:assay:bad-request"), (answer.Status, answer.Problem));
            Assert.Contains("32 bytes", answer.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        // An act that was proposed before this was asked, and approved after.
        var (keys, approvals) = (world.Host.Services.GetRequiredService<KeyStore>(), world.Host.Services.GetRequiredService<ApprovalStore>());
        var waiting = await world.PostAsync("/v1/keys/two/rotate", """{"revision":1,"bytes":32}""", issuer.Person("ann"));
        var approved = new Approved(approvals, (await approvals.FindAsync("demo", waiting.Body.GetProperty("id").GetString()!, cancellation))!);
        Assert.Equal(KeyChange.SecretTooShort, (await keys.RotateAsync("demo", "two", 1, new NewVersion(new byte[16], IsImported: false), "test", approved, cancellation)).WhyNot);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/one/rotate", """{"revision":1,"bytes":32}""", owner)).Status);
    }
}
