using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Client.Guest;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;

namespace Assay.Cli.Demo;

/// <summary>Clients of protocols that exist, in the demonstration's VM: neither is written for Assay's own API.</summary>
/// <param name="server">The broker.</param>
/// <param name="vm">The VM.</param>
internal sealed class DemoProtocols(DemoServer server, DemoVm vm)
{
    /// <summary>Where a guest of Confidential Containers finds its key.</summary>
    public const string Resource = "default/key/container";

    private const string CloudKey = "aws";

    /// <summary>What the VM's evidence answers; null with the reason where it shows none.</summary>
    private Task<ProgramAnswer> RsaEvidenceAsync(string nonce, CancellationToken cancellation) => vm.RunAsync(["ctl", "evidence", nonce, CloudKey, "RSA-3072"], cancellation);

    /// <summary>
    /// A guest of Confidential Containers: a bare request, 401, challenge, evidence, resource (KBS 0.4.0). The key is the guest's own, as its components make it.
    /// </summary>
    /// <param name="log">The VM's boot log, base64.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The resource; null with the reason.</returns>
    public async Task<(byte[]? Secret, string Told)> GetResourceAsync(string log, CancellationToken cancellation)
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P256);
        using var client = new HttpClient(new SocketsHttpHandler { UseCookies = true }) { BaseAddress = server.Client.BaseAddress };
        using var first = await client.GetAsync(new Uri($"/kbs/v0/resource/{Resource}", UriKind.Relative), cancellation).ConfigureAwait(false);
        var (_, challenge) = await PostAsync(client, "/kbs/v0/auth", """{"version":"0.4.0","tee":"tdx","extra-params":""}""", cancellation).ConfigureAwait(false);
        var (status, answer) = await PostAsync(client, "/kbs/v0/attest", Evidence(challenge.GetProperty("nonce").GetString()!, pair.PublicKey, log), cancellation).ConfigureAwait(false);
        if (status != 200)
        {
            return (null, answer.ToString());
        }

        using var resource = await client.GetAsync(new Uri($"/kbs/v0/resource/{Resource}", UriKind.Relative), cancellation).ConfigureAwait(false);
        var body = await resource.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
        if (!resource.IsSuccessStatusCode || !Jwe.TryOpen(pair, body, out var opened, out var fault))
        {
            return (null, Encoding.UTF8.GetString(body));
        }

        using (opened)
        {
            return (opened.Use(lease => lease.Bytes.ToArray()), $"resource {(int)first.StatusCode} → auth 200 → attest 200 → resource {(int)resource.StatusCode}, {opened.Length} bytes");
        }
    }

    /// <summary>Software that was written for AWS KMS: what the owner encrypted comes as CiphertextForRecipient, which the VM's agent opens.</summary>
    /// <returns>What was decrypted; null with the reason.</returns>
    public async Task<(byte[]? Plaintext, string Told)> DecryptAsync(string key, byte[] plaintext, CancellationToken cancellation)
    {
        var (made, encrypted) = await KmsAsync("Encrypt", new JsonObject { ["KeyId"] = key, ["Plaintext"] = Convert.ToBase64String(plaintext) }, server.Keys[1], cancellation).ConfigureAwait(false);
        var (_, challenge) = await server.PostAsync("/v1/release-challenges", "{}", null, cancellation).ConfigureAwait(false);
        var evidence = await RsaEvidenceAsync(challenge.GetProperty("nonce").GetString()!, cancellation).ConfigureAwait(false);
        if (made != 200 || evidence.ExitCode != 0)
        {
            return (null, made != 200 ? encrypted.ToString() : evidence.Error);
        }

        var document = $$"""{"challenge":"{{challenge.GetProperty("id").GetString()}}","evidence":{{evidence.Output}}}""";
        var (status, answer) = await KmsAsync(
            "Decrypt",
            new JsonObject
            {
                ["CiphertextBlob"] = encrypted.GetProperty("CiphertextBlob").GetString(),
                ["Recipient"] = new JsonObject { ["AttestationDocument"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(document)), ["KeyEncryptionAlgorithm"] = "RSAES_OAEP_SHA_256" },
            },
            server.Keys[0],
            cancellation).ConfigureAwait(false);
        if (status != 200)
        {
            return (null, answer.ToString());
        }

        var enveloped = answer.GetProperty("CiphertextForRecipient").GetBytesFromBase64();
        using var agent = new GuestAgentClient(vm.AgentSocket);
        using var opened = await agent.UnwrapCmsAsync(CloudKey, enveloped, cancellation).ConfigureAwait(false);
        return (opened.Use(lease => lease.Bytes.ToArray()), $"CiphertextForRecipient, {enveloped.Length} bytes of CMS, opened in the VM; no Plaintext");
    }

    private string Evidence(string nonce, SealingPublicKey key, string log)
    {
        var jwk = JsonNode.Parse(key.Jwk)!.AsObject();
        jwk["alg"] = "ECDH-ES+A256KW";
        if (!KeyBinding.TryCreate(nonce, Encoding.UTF8.GetBytes(jwk.ToJsonString()), out var binding, out var fault))
        {
            throw new InvalidOperationException(fault.ToString());
        }

        var devices = vm.Devices(binding.DeviceNonce().Bytes.ToArray()).Select(device => new JsonObject { ["arch"] = device.Kind == "gpu" ? "HOPPER" : "LS10", ["uuid"] = "unknown", ["evidence"] = device.Report, ["certificate"] = device.Chain });
        var additional = new JsonObject { ["nvidia"] = new JsonObject { ["device_evidence_list"] = new JsonArray([.. devices]) } }.ToJsonString();
        var report = JsonElement.Parse(vm.Hardware.Answer(Encoding.UTF8.GetBytes($$"""{"op":"cpu.report","data":"{{Convert.ToHexStringLower(binding.ReportData(additional))}}"}""")));
        return new JsonObject
        {
            ["init-data"] = null,
            ["runtime-data"] = new JsonObject { ["nonce"] = nonce, ["tee-pubkey"] = jwk },
            ["tee-evidence"] = new JsonObject
            {
                ["primary_evidence"] = new JsonObject { ["quote"] = report.GetProperty("report").GetString(), ["cc_eventlog"] = log },
                ["additional_evidence"] = additional,
            },
        }.ToJsonString();
    }

    private async Task<(int Status, JsonElement Body)> KmsAsync(string operation, JsonObject input, string credential, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/aws/kms");
        request.Content = new StringContent(input.ToJsonString(), Encoding.UTF8);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-amz-json-1.1");
        request.Headers.Add("X-Amz-Target", $"TrentService.{operation}");
        // Where AWS's SDKs send a session token as it is.
        request.Headers.Add("X-Amz-Security-Token", credential);
        using var answer = await server.Client.SendAsync(request, cancellation).ConfigureAwait(false);
        return ((int)answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)));
    }

    private static async Task<(int Status, JsonElement Body)> PostAsync(HttpClient client, string path, string body, CancellationToken cancellation)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), content, cancellation).ConfigureAwait(false);
        return ((int)answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)));
    }
}
