using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Service;

/// <summary>What the service publishes is found by <c>assay token verify --discover</c>, in every form and under every algorithm.</summary>
public sealed class DiscoveredKeysTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("eat", "ES256")]
    [InlineData("eat", "ES384")]
    [InlineData("bundle", "ES384")]
    public async Task A_relying_party_that_knows_only_the_issuer_verifies_its_token(string form, string algorithm)
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => policy["token"] = new JsonObject { ["form"] = form, ["algorithm"] = algorithm });
        var answer = await world.AttestAsync();
        Assert.True(answer.Status == 200, answer.Body.ToString());
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, answer.Body.GetProperty("token").GetString(), TestContext.Current.CancellationToken);
            PeerAnswer Verify(string issuer) => s_assay.Run(
                "token", "verify", file, "--discover", "--issuer", issuer, "--audience", ServiceWorld.Audience, "--require-binding", "boot-event",
                "--accept-anchors", "simulated", "--accept-weakened", "reference-values-unsigned");

            var accepted = Verify(world.Issuer);
            Assert.True(accepted.Accepted, accepted.Output);
            Assert.Contains("ACCEPTED", accepted.Output, StringComparison.Ordinal);
            // The same server by another name is not that issuer.
            Assert.Contains("jwks.malformed", Verify(world.Issuer.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)).Output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
