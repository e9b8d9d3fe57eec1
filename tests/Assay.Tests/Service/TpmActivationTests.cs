using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Service.Identity;
using Assay.Simulator;
using Assay.Tests.Tpm;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>Credential activation as a service, with a real TPM implementation and its own tools on the other side.</summary>
public sealed class TpmActivationTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Refused = "urn:assay:tpm-key-refused";
    private const string NotActivated = "urn:assay:credential-not-activated";

    [Theory]
    [InlineData("rsa", "rsassa")]
    [InlineData("ecc", "ecdsa")]
    public async Task A_TPM_that_a_tenant_knows_has_its_attestation_key_activated_once_and_a_signed_statement_says_so(string type, string scheme)
    {
        using var tpm = Swtpm.Start();
        tpm.MakeKeys(type, scheme);
        await using var world = await ServiceWorld.StartAsync(machine);

        // The attack first: who enrols nothing is told nothing, and a program with both keys of its own would answer every challenge.
        Assert.Equal(Refused, (await CredentialAsync(world, tpm)).Problem);
        await EnrolAsync(world, tpm);
        var credential = await CredentialAsync(world, tpm);
        Assert.Equal(201, credential.Status);
        Assert.True(tpm.Activate(credential.Body.GetProperty("credentialFile").GetBytesFromBase64()).Accepted);
        var answer = await AnswerAsync(world, credential, tpm.Read("secret.out"));

        Assert.True(answer.Status == 200, answer.Body.ToString());
        Assert.Equal(Convert.ToHexStringLower(tpm.Read("ak.name")), answer.Body.GetProperty("name").GetString());
        Assert.Equal("ek-activated", answer.Body.GetProperty("root").GetString());
        var set = await world.Client.GetByteArrayAsync(new Uri("/.well-known/jwks.json", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.True(JsonWebKeySet.TryParse(set, out var keys, out _));
        Assert.True(CompactJws.TryParse(answer.Body.GetProperty("statement").GetString(), out var statement, out _) && statement.IsSignedBy(keys));
        Assert.Equal("assay-tpm-key+jws", statement.Header.GetProperty("typ").GetString());
        Assert.Equal((world.Issuer, "demo", answer.Body.GetProperty("name").GetString()), (statement.Payload.GetProperty("iss").GetString(), statement.Payload.GetProperty("tenant").GetString(), statement.Payload.GetProperty("name").GetString()));
        Assert.Single((await world.GetAsync("/v1/tpm/attestation-keys")).Body.EnumerateArray());

        // Replayed, it is nothing.
        Assert.Equal(NotActivated, (await AnswerAsync(world, credential, tpm.Read("secret.out"))).Problem);

        // What the endorsement key carried goes with it, and a credential from before is worth nothing.
        var late = await CredentialAsync(world, tpm);
        Assert.True(tpm.Activate(late.Body.GetProperty("credentialFile").GetBytesFromBase64()).Accepted);
        Assert.Equal(204, (await world.SendAsync(HttpMethod.Delete, $"/v1/tpm/endorsement-keys/{answer.Body.GetProperty("endorsementKey").GetString()}", null)).Status);
        Assert.Empty((await world.GetAsync("/v1/tpm/attestation-keys")).Body.EnumerateArray());
        Assert.Equal(NotActivated, (await AnswerAsync(world, late, tpm.Read("secret.out"))).Problem);
        Assert.Equal("the endorsement key was removed", (await LastAsync(world)).GetProperty("event").GetProperty("why").GetString());
    }

    [Fact]
    public async Task The_documented_commands_activate_a_key()
    {
        using var tpm = Swtpm.Start();
        await using var world = await ServiceWorld.StartAsync(machine);
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "technologies", "tpm.md"));
        var from = page.IndexOf("```text\n", page.IndexOf("### Activation by the service", StringComparison.Ordinal), StringComparison.Ordinal) + "```text\n".Length;
        var lines = page[from..page.IndexOf("```", from, StringComparison.Ordinal)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        // A kernel's resource manager frees what a tool left loaded; before the TPM itself, this test does.
        string Script(Range range) => string.Join('\n', lines[range].Select(line => line.StartsWith("tpm2_", StringComparison.Ordinal) ? $"{line} && tpm2_flushcontext -t" : line));
        string[] Bash(string script) => ["-c", $"set -euo pipefail; cd {tpm.Folder}; export TPM2TOOLS_TCTI={tpm.Tcti} SERVICE={world.Issuer} KEY={world.Key}\n{script}"];
        Assert.StartsWith("tpm2_createak", lines[1], StringComparison.Ordinal);
        var made = Peer.Require("bash").Run(Bash(Script(..2)));
        Assert.True(made.Accepted, made.Output);
        await EnrolAsync(world, tpm);

        var activated = await Task.Run(() => Peer.Require("bash").Run(Bash(Script(2..))), TestContext.Current.CancellationToken);

        Assert.True(activated.Accepted, activated.Output);
        Assert.Equal(Convert.ToHexStringLower(tpm.Read("ak.name")), (await world.GetAsync("/v1/tpm/attestation-keys")).Body[0].GetProperty("name").GetString());
        Assert.Contains("\"root\": \"ek-activated\"", activated.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_secret_uses_the_credential_up_and_is_in_the_audit_log()
    {
        using var tpm = Swtpm.Start();
        tpm.MakeKeys("ecc", "ecdsa");
        await using var world = await ServiceWorld.StartAsync(machine);
        await EnrolAsync(world, tpm);
        var credential = await CredentialAsync(world, tpm);
        Assert.True(tpm.Activate(credential.Body.GetProperty("credentialFile").GetBytesFromBase64()).Accepted);

        Assert.Equal(NotActivated, (await AnswerAsync(world, credential, new byte[32])).Problem);
        Assert.Equal("the answer is not the secret", (await LastAsync(world)).GetProperty("event").GetProperty("why").GetString());
        Assert.Equal(NotActivated, (await AnswerAsync(world, credential, tpm.Read("secret.out"))).Problem);
        Assert.Empty((await world.GetAsync("/v1/tpm/attestation-keys")).Body.EnumerateArray());
        Assert.Equal(NotActivated, (await AnswerAsync(world, await CredentialAsync(world, tpm), [])).Problem);
    }

    [Fact]
    public async Task A_credential_is_answered_by_its_asker_alone_and_an_endorsement_key_counts_for_its_tenant_alone()
    {
        using var tpm = Swtpm.Start();
        tpm.MakeKeys("ecc", "ecdsa");
        await using var world = await ServiceWorld.StartAsync(machine);
        await EnrolAsync(world, tpm);
        var neighbour = await world.KeyOfAsync("neighbour", Scopes.Attest, Scopes.Read);
        var colleague = await world.KeyOfAsync("demo", Scopes.Attest);

        Assert.Equal(Refused, (await CredentialAsync(world, tpm, neighbour)).Problem);
        var credential = await CredentialAsync(world, tpm);
        Assert.True(tpm.Activate(credential.Body.GetProperty("credentialFile").GetBytesFromBase64()).Accepted);
        foreach (var other in (string[])[neighbour, colleague])
        {
            Assert.Equal(NotActivated, (await AnswerAsync(world, credential, tpm.Read("secret.out"), other)).Problem);
        }

        // Their attempts took nothing from the one whose it is.
        Assert.Equal(200, (await AnswerAsync(world, credential, tpm.Read("secret.out"))).Status);
        Assert.Empty((await world.GetAsync("/v1/tpm/attestation-keys", neighbour)).Body.EnumerateArray());
        Assert.Equal(403, (await world.PostAsync("/v1/tpm/endorsement-keys", Enrolment(tpm), neighbour)).Status);
    }

    [Fact]
    public async Task Of_many_clients_with_one_answer_one_is_served()
    {
        using var tpm = Swtpm.Start();
        tpm.MakeKeys("ecc", "ecdsa");
        await using var world = await ServiceWorld.StartAsync(machine);
        await EnrolAsync(world, tpm);
        var credential = await CredentialAsync(world, tpm);
        Assert.True(tpm.Activate(credential.Body.GetProperty("credentialFile").GetBytesFromBase64()).Accepted);

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => AnswerAsync(world, credential, tpm.Read("secret.out"))));

        Assert.Single(answers, answer => answer.Status == 200);
        Assert.All(answers.Where(answer => answer.Status != 200), answer => Assert.Equal(NotActivated, answer.Problem));
    }

    [Fact]
    public async Task Keys_that_are_not_of_a_TPM_and_an_endorsement_key_in_the_place_of_the_attestation_key_are_refused_in_words()
    {
        using var tpm = Swtpm.Start();
        tpm.MakeKeys("ecc", "ecdsa");
        await using var world = await ServiceWorld.StartAsync(machine);
        await EnrolAsync(world, tpm);
        using var simulated = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        var area = simulated.PublicArea();
        byte[] unsigned = [0, (byte)area.Length, .. area];

        foreach (var (endorsement, attestation, why) in ((byte[], byte[], string)[])
        [
            (tpm.Read("ek.pub"), tpm.Read("ek.pub"), "restricted"), (tpm.Read("ek.pub"), [], "attestationKey"), ([], tpm.Read("ak.pub"), "endorsementKey"),
            (tpm.Read("ek.pub"), tpm.Read("ak.pub")[..^1], "TPM2B_PUBLIC"), (tpm.Read("ek.pub"), [.. tpm.Read("ak.pub"), 0], "TPM2B_PUBLIC"),
            (unsigned, tpm.Read("ak.pub"), "endorsement"), (RandomNumberGenerator.GetBytes(2000), tpm.Read("ak.pub"), "TPM2B_PUBLIC"),
        ])
        {
            var answer = await world.PostAsync("/v1/tpm/credentials", Credential(endorsement, attestation));
            Assert.Equal(Refused, answer.Problem);
            Assert.Contains(why == "restricted" ? "objectAttributes" : why, answer.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(Refused, (await world.PostAsync("/v1/tpm/endorsement-keys", new JsonObject { ["name"] = "x", ["publicArea"] = Convert.ToBase64String(tpm.Read("ak.pub")) }.ToJsonString())).Problem);
        foreach (var body in (string[])["{}", """{"credential":"x","secret":"not base64"}""", """{"credential":null,"secret":""}""", """{"credential":"x","secret":"","more":1}"""])
        {
            Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/tpm/activate", body)).Problem);
        }
    }

    private static string Enrolment(Swtpm tpm) => new JsonObject { ["name"] = "rack 7", ["publicArea"] = Convert.ToBase64String(tpm.Read("ek.pub")) }.ToJsonString();

    private static string Credential(byte[] endorsement, byte[] attestation) =>
        new JsonObject { ["endorsementKey"] = Convert.ToBase64String(endorsement), ["attestationKey"] = Convert.ToBase64String(attestation) }.ToJsonString();

    private static async Task EnrolAsync(ServiceWorld world, Swtpm tpm)
    {
        var answer = await world.PostAsync("/v1/tpm/endorsement-keys", Enrolment(tpm));
        Assert.True(answer.Status == 201, answer.Body.ToString());
    }

    private static Task<ServiceAnswer> CredentialAsync(ServiceWorld world, Swtpm tpm, string? key = null) =>
        world.PostAsync("/v1/tpm/credentials", Credential(tpm.Read("ek.pub"), tpm.Read("ak.pub")), key);

    private static Task<ServiceAnswer> AnswerAsync(ServiceWorld world, ServiceAnswer credential, byte[] secret, string? key = null) => world.PostAsync(
        "/v1/tpm/activate", new JsonObject { ["credential"] = credential.Body.GetProperty("id").GetString(), ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), key);

    private static async Task<JsonElement> LastAsync(ServiceWorld world) =>
        (await world.GetAsync("/v1/audit")).Body.EnumerateArray().First(entry => entry.GetProperty("kind").GetString() == "tpm-attestation-key.activate");
}
