using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Guest.Agent;
using Assay.Sealing.Cms;
using Assay.Sealing.Keys;
using Assay.Service.Identity;
using Assay.Simulator;

namespace Assay.Tests.Service;

/// <summary>
/// AWS's attested decryption at the broker: what software written for it gets, with AWS's own SDK and openssl, and what those get who should get nothing. It is a
/// protocol in front of the release road; nothing was asked of AWS.
/// </summary>
public sealed class AwsShapedTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Denied = "AccessDeniedException";
    private const string InvalidCiphertext = "InvalidCiphertextException";

    private static readonly JsonObject s_context = new() { ["row"] = "42", ["Ä"] = "\"\\\u0001" };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_SDK_of_AWS_gets_a_data_key_in_the_attested_machine_and_gets_it_again_later()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        await using var sdk = world.Sdk(world.Releaser);
        await using var owner = world.Sdk(world.Owner);

        var made = await CallAsync(sdk, "GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["KeySpec"] = "AES_256", ["EncryptionContext"] = s_context.DeepClone(), ["Recipient"] = await world.RecipientAsync() });
        Assert.True(made.TryGetProperty("CiphertextForRecipient", out var enveloped), made.ToString());
        Assert.False(made.TryGetProperty("Plaintext", out _));
        var dataKey = await world.OpenAsync(enveloped.GetBytesFromBase64());
        Assert.Equal(32, dataKey.Length);
        var again = await CallAsync(sdk, "Decrypt", new JsonObject { ["KeyId"] = KmsWorld.Key, ["CiphertextBlob"] = made.GetProperty("CiphertextBlob").GetString(), ["EncryptionContext"] = s_context.DeepClone(), ["Recipient"] = await world.RecipientAsync() });
        Assert.Equal((KmsWorld.Key, "SYMMETRIC_DEFAULT", false), (again.GetProperty("KeyId").GetString(), again.GetProperty("EncryptionAlgorithm").GetString(), again.TryGetProperty("Plaintext", out _)));
        Assert.Equal(dataKey, await world.OpenAsync(again.GetProperty("CiphertextForRecipient").GetBytesFromBase64()));

        // What owners encrypt, and what they let be made, the machine opens, also without naming the key.
        var secret = "a password of a database"u8.ToArray();
        var encrypted = await CallAsync(owner, "Encrypt", new JsonObject { ["KeyId"] = KmsWorld.Key, ["Plaintext"] = Convert.ToBase64String(secret) });
        var opened = await CallAsync(sdk, "Decrypt", new JsonObject { ["CiphertextBlob"] = encrypted.GetProperty("CiphertextBlob").GetString(), ["Recipient"] = await world.RecipientAsync() });
        Assert.Equal(secret, await world.OpenAsync(opened.GetProperty("CiphertextForRecipient").GetBytesFromBase64()));
        var hidden = await CallAsync(owner, "GenerateDataKeyWithoutPlaintext", new JsonObject { ["KeyId"] = KmsWorld.Key, ["NumberOfBytes"] = 17 });
        Assert.False(hidden.TryGetProperty("CiphertextForRecipient", out _));
        var shown = await world.DecryptAsync(hidden.GetProperty("CiphertextBlob").GetBytesFromBase64());
        Assert.Equal(17, (await world.OpenAsync(shown.Bytes("CiphertextForRecipient"))).Length);

        // The log names protocol, operation, key and context; no content of either.
        var told = await world.EntryAsync(shown.Position - 4);
        Assert.Equal(("aws", "Decrypt", KmsWorld.Key, "allowed", 1), (Text(told, "protocol"), Text(told, "operation"), Text(told, "key"), Text(told, "outcome"), told.GetProperty("version").GetInt32()));
        Assert.Equal("""{"row":"42","Ä":"\"\\\u0001"}""", Canonical(s_context));
        Assert.Equal(Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(Canonical(s_context)))), Text(told, "context"));
        Assert.DoesNotContain("row", told.ToString(), StringComparison.Ordinal);
        var put = await world.EntryAsync(shown.Position - 3);
        Assert.Equal(("aws", "Encrypt", "allowed"), (Text(put, "protocol"), Text(put, "operation"), Text(put, "outcome")));
        Assert.DoesNotContain(Convert.ToBase64String(secret), put.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_SDK_shows_refusals_by_the_names_that_AWS_documents_and_what_came_before_the_endpoint_too()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        await world.CreateAsync("weights", use: null);
        await using var sdk = world.Sdk(world.Releaser);
        await using var owner = world.Sdk(world.Owner);
        await using var stranger = world.Sdk("assay_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        await using var attester = world.Sdk(await world.Service.KeyOfAsync("demo", Scopes.Attest));
        var blob = Convert.ToBase64String(await world.EncryptAsync([1, 2, 3]));
        JsonObject Encrypt(string key) => new() { ["KeyId"] = key, ["Plaintext"] = "AAAA" };

        Assert.Equal((Denied, 400), await RefusedAsync(sdk, "Decrypt", new JsonObject { ["CiphertextBlob"] = blob }));
        Assert.Equal((Denied, 400), await RefusedAsync(owner, "Decrypt", new JsonObject { ["CiphertextBlob"] = blob }));
        Assert.Equal((Denied, 400), await RefusedAsync(owner, "Decrypt", new JsonObject { ["CiphertextBlob"] = blob, ["Recipient"] = await world.RecipientAsync() }));
        Assert.Equal((Denied, 400), await RefusedAsync(sdk, "GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["KeySpec"] = "AES_256" }));
        Assert.Equal((Denied, 400), await RefusedAsync(sdk, "Encrypt", Encrypt(KmsWorld.Key)));
        Assert.Equal(("NotFoundException", 400), await RefusedAsync(owner, "Encrypt", Encrypt("nothing")));
        Assert.Equal(("InvalidKeyUsageException", 400), await RefusedAsync(owner, "Encrypt", Encrypt("weights")));
        Assert.Equal(("IncorrectKeyException", 400), await RefusedAsync(sdk, "Decrypt", new JsonObject { ["CiphertextBlob"] = blob, ["KeyId"] = "weights", ["Recipient"] = await world.RecipientAsync() }));
        Assert.Equal((InvalidCiphertext, 400), await RefusedAsync(sdk, "Decrypt", new JsonObject { ["CiphertextBlob"] = "AAAA", ["Recipient"] = await world.RecipientAsync() }));
        Assert.Equal(("UnknownOperationException", 400), await RefusedAsync(owner, "DescribeKey", new JsonObject { ["KeyId"] = KmsWorld.Key }));
        Assert.Equal(("UnrecognizedClientException", 400), await RefusedAsync(stranger, "Encrypt", Encrypt(KmsWorld.Key)));
        Assert.Equal((Denied, 400), await RefusedAsync(attester, "Encrypt", Encrypt(KmsWorld.Key)));
        Assert.Equal(204, (await world.Service.PostAsync($"/v1/keys/{KmsWorld.Key}/state", """{"revision":2,"state":"disabled"}""", world.Owner)).Status);
        Assert.Equal(("DisabledException", 400), await RefusedAsync(owner, "Encrypt", Encrypt(KmsWorld.Key)));
        Assert.Equal((Denied, 400), await RefusedAsync(sdk, "Decrypt", new JsonObject { ["CiphertextBlob"] = blob, ["Recipient"] = await world.RecipientAsync() }));
    }

    /// <summary>The image permits keys from outside the agent, by its measured configuration: a program then opens the answer with a key of its own.</summary>
    [Fact]
    public async Task Openssl_opens_what_is_sealed_to_a_key_of_the_program_s_own()
    {
        var openssl = Peer.Require("openssl");
        machine.Vm.Prepare(GuestFault.None, $$"""{"version":1,"gate":"verify","devices":{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{machine.Services}}","agent":{"dangerouslyAllowForeignKey":true} }""");
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        try
        {
            var references = JsonNode.Parse((await machine.Vm.RelyingPartyAsync(Cancellation)).ReferenceFile(machine.Vm.Hardware));
            await using var world = await KmsWorld.StartAsync(machine, references);
            string At(string name) => Path.Combine(world.Service.Folder, name);
            Assert.True(openssl.Run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", At("program.key")).Accepted);
            Assert.True(openssl.Run("pkey", "-in", At("program.key"), "-pubout", "-out", At("program.pub")).Accepted);
            Assert.True(SealingPublicKey.TryParse(await File.ReadAllBytesAsync(At("program.pub"), Cancellation), out var program, out var fault), fault?.ToString());
            using var own = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa4096);
            var content = RandomNumberGenerator.GetBytes(4096);
            var blob = await world.EncryptAsync(content, s_context);

            var answer = await world.DecryptAsync(blob, s_context, await world.RecipientAsync(nonce => ForeignAsync(nonce, program)));
            Assert.True(answer.Status == 200, answer.Body.ToString());
            await File.WriteAllBytesAsync(At("answer.der"), answer.Bytes("CiphertextForRecipient"), Cancellation);
            var opened = openssl.Run("cms", "-decrypt", "-binary", "-inform", "DER", "-in", At("answer.der"), "-inkey", At("program.key"), "-out", At("content"));
            Assert.True(opened.Accepted, opened.Output);
            Assert.Equal(content, await File.ReadAllBytesAsync(At("content"), Cancellation));
            var shape = openssl.Run("cms", "-cmsout", "-print", "-inform", "DER", "-in", At("answer.der")).Output;
            Assert.All((string[])["pkcs7-envelopedData", "version: 2", "d.subjectKeyIdentifier", "rsaesOaep", "sha256", "aes-256-cbc"], word => Assert.Contains(word, shape, StringComparison.Ordinal));

            answer = await world.DecryptAsync(blob, s_context, await world.RecipientAsync(nonce => ForeignAsync(nonce, own.PublicKey)));
            Assert.True(EnvelopedKey.TryOpen(own, answer.Bytes("CiphertextForRecipient"), out var secret, out fault), fault?.ToString());
            using (secret)
            {
                Assert.Equal(content, secret.Use(lease => lease.Bytes.ToArray()));
            }
        }
        finally
        {
            machine.Vm.Prepare(GuestFault.None);
            Assert.Null(await machine.Vm.BootAsync(Cancellation));
        }
    }

    [Fact]
    public async Task Impostors_get_nothing_opened_and_the_log_says_why()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var blob = await world.EncryptAsync([1, 2, 3]);
        var (_, old) = await world.ChallengeAsync();
        var replayed = await world.EvidenceAsync(old);
        using var attacker = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);

        var impostors = new (string Name, Func<string, Task<string>> Evidence, string Why)[]
        {
            ("evidence of an older challenge", _ => Task.FromResult(replayed), "evidence-refused"),
            ("a key of the attacker's in the evidence", async nonce => Changed(await world.EvidenceAsync(nonce), root => root["key"] = JsonNode.Parse(attacker.PublicKey.Jwk)), "evidence-refused"),
            ("no GPUs", async nonce => Changed(await world.EvidenceAsync(nonce), root => root["gpus"] = new JsonArray()), "evidence-refused"),
            ("one GPU twice", async nonce => Changed(await world.EvidenceAsync(nonce), root => root["gpus"]![1] = root["gpus"]![0]!.DeepClone()), "evidence-refused"),
            ("no processor", async nonce => Changed(await world.EvidenceAsync(nonce), root => root.Remove("cpu")), "evidence-refused"),
            ("no event log", async nonce => Changed(await world.EvidenceAsync(nonce), root => root["cpu"]!.AsObject().Remove("eventLog")), "evidence-refused"),
            ("a key on a curve", nonce => world.EvidenceAsync(nonce, "release", "P-384"), "no-key-to-seal-to"),
        };
        foreach (var (name, evidence, why) in impostors)
        {
            var answer = await world.DecryptAsync(blob, null, await world.RecipientAsync(evidence));

            Assert.True(answer is { Status: 400, Fault: Denied, Header: Denied }, $"{name}: {answer}");
            Assert.DoesNotContain("CiphertextForRecipient", answer.Body.ToString(), StringComparison.Ordinal);
            Assert.Equal((name, why), (name, await world.WhyAsync(answer)));
        }
    }

    [Fact]
    public async Task A_machine_without_gpus_that_borrows_a_key_s_evidence_from_the_real_one_gets_what_it_cannot_open()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var blob = await world.EncryptAsync([1, 2, 3]);
        using var attacker = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);

        // A man in the middle hands the genuine machine's evidence on. What comes back is for the machine's key.
        var answer = await world.DecryptAsync(blob);

        Assert.Equal(200, answer.Status);
        if (EnvelopedKey.TryOpen(attacker, answer.Bytes("CiphertextForRecipient"), out var garbage, out _))
        {
            using (garbage)
            {
                Assert.NotEqual([1, 2, 3], garbage.Use(lease => lease.Bytes.ToArray()));
            }
        }
    }

    [Fact]
    public async Task A_challenge_is_used_up_by_one_attempt_of_its_tenant_whatever_came_of_it()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var blob = await world.EncryptAsync([1, 2, 3]);
        var neighbour = await world.Service.KeyOfAsync("neighbour", Scopes.Release);
        var recipient = await world.RecipientAsync();

        Assert.Equal(Denied, (await world.DecryptAsync(blob, null, recipient, neighbour)).Fault);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => world.DecryptAsync(blob, null, recipient)));
        Assert.Single(answers, answer => answer.Status == 200);
        Assert.All(answers.Where(answer => answer.Status != 200), answer => Assert.Equal((Denied, -1), (answer.Fault, answer.Position)));

        // An attempt that fails is one, and what is answered by our own protocol is answered here no more.
        var failed = await world.RecipientAsync();
        Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(blob, s_context, failed)).Fault);
        Assert.Equal(Denied, (await world.DecryptAsync(blob, null, failed)).Fault);
        var (id, nonce) = await world.ChallengeAsync();
        var evidence = await world.EvidenceAsync(nonce);
        await world.CreateAsync("weights", use: null);
        Assert.Equal(200, (await world.Service.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{id}}","evidence":{{evidence}}}""", world.Releaser)).Status);
        Assert.Equal(Denied, (await world.DecryptAsync(blob, null, KmsWorld.RecipientOf(id, evidence))).Fault);
        // A challenge for a token is none for a key.
        var (other, otherNonce) = await world.Service.ChallengeAsync();
        Assert.Equal(Denied, (await world.DecryptAsync(blob, null, KmsWorld.RecipientOf(other, await world.EvidenceAsync(otherNonce)))).Fault);
    }

    [Fact]
    public async Task A_ciphertext_opens_as_it_was_made_or_not_at_all()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var secret = RandomNumberGenerator.GetBytes(32);
        await world.CreateAsync("first", secret: secret);
        await world.CreateAsync("other", secret: secret);
        var neighbour = await world.Service.KeyOfAsync("neighbour", Scopes.Broker, Scopes.Release);
        await world.CreateAsync("first", owner: neighbour, secret: secret);
        var content = RandomNumberGenerator.GetBytes(32);
        var blob = await world.EncryptAsync(content, s_context, "first");
        var versionAt = 4 + 1 + "first".Length + 7;

        byte[][] changed =
        [
            Renamed(blob, "other"), With(blob, versionAt, 2), With(blob, versionAt, 0), With(blob, versionAt - 7, 0x80), With(blob, 0, (byte)'B'), With(blob, 3, (byte)'2'), With(blob, 4, 6), With(blob, 4, 255),
            blob[..^1], blob[..20], blob[..1], [.. blob, 0], await world.EncryptAsync(content, s_context, "first", neighbour),
            .. Enumerable.Range(versionAt + 1, blob.Length - versionAt - 1).Where(at => at % 16 == 0 || at == blob.Length - 1).Select(at => With(blob, at, (byte)(blob[at] ^ 1))),
        ];
        foreach (var each in changed)
        {
            var refused = await world.DecryptAsync(each, s_context);
            Assert.True(refused is { Status: 400, Fault: InvalidCiphertext }, $"{Convert.ToHexStringLower(each)}: {refused}");
            Assert.True(refused.Position < 0 || await world.WhyAsync(refused) == "ciphertext-refused");
        }

        foreach (var context in (JsonObject?[])[null, new JsonObject { ["row"] = "42" }, new JsonObject { ["row"] = "43", ["Ä"] = "\"\\\u0001" }, new JsonObject { ["row"] = "42", ["ä"] = "\"\\\u0001" }])
        {
            Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(blob, context)).Fault);
        }

        Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(blob, s_context, releaser: await world.Service.KeyOfAsync("neighbour", Scopes.Release), recipient: await world.RecipientAsync(releaser: neighbour))).Fault);
        var turned = new JsonObject { ["Ä"] = "\"\\\u0001", ["row"] = "42" };
        Assert.Equal(content, await world.OpenAsync((await world.DecryptAsync(blob, turned)).Bytes("CiphertextForRecipient")));
        // An empty context is as good as none.
        var plain = await world.EncryptAsync(content, new JsonObject(), "first");
        Assert.Equal(200, (await world.AskAsync("Decrypt", new JsonObject { ["CiphertextBlob"] = Convert.ToBase64String(plain), ["Recipient"] = await world.RecipientAsync() })).Status);
    }

    [Fact]
    public async Task After_a_rotation_older_ciphertexts_open_and_the_log_tells_the_version_and_a_destroyed_key_opens_none()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var before = await world.EncryptAsync([1]);
        Assert.Contains("at least 32", (await world.Service.PostAsync($"/v1/keys/{KmsWorld.Key}/rotate", """{"revision":2,"bytes":31}""", world.Owner)).Body.ToString(), StringComparison.Ordinal);
        Assert.Equal(204, (await world.Service.PostAsync($"/v1/keys/{KmsWorld.Key}/rotate", """{"revision":2,"bytes":32}""", world.Owner)).Status);
        var after = await world.EncryptAsync([2]);

        foreach (var (blob, version, content) in (IEnumerable<(byte[], int, byte)>)[(before, 1, 1), (after, 2, 2)])
        {
            var answer = await world.DecryptAsync(blob);
            Assert.Equal([content], await world.OpenAsync(answer.Bytes("CiphertextForRecipient")));
            Assert.Equal(version, (await world.EntryAsync(answer.Position)).GetProperty("version").GetInt32());
        }

        // Neither is the other, whatever its header says.
        var versionAt = 4 + 1 + KmsWorld.Key.Length + 7;
        Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(With(before, versionAt, 2))).Fault);
        Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(With(after, versionAt, 1))).Fault);
        Assert.Equal(InvalidCiphertext, (await world.DecryptAsync(With(after, versionAt, 3))).Fault);
        var made = await world.AskAsync("GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["KeySpec"] = "AES_128", ["Recipient"] = await world.RecipientAsync() });
        Assert.Equal((2, 16), (made.Bytes("CiphertextBlob")[versionAt], (await world.OpenAsync(made.Bytes("CiphertextForRecipient"))).Length));

        Assert.Equal(204, (await world.Service.PostAsync($"/v1/keys/{KmsWorld.Key}/state", """{"revision":3,"state":"destroyed"}""", world.Owner)).Status);
        var gone = await world.DecryptAsync(before);
        Assert.Equal((Denied, "key-destroyed"), (gone.Fault, await world.WhyAsync(gone)));
    }

    [Fact]
    public async Task A_key_for_data_keys_is_never_released_itself_and_no_other_key_opens_anything_here()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        await world.CreateAsync("weights", use: null);
        foreach (var seal in (string[])["jwe", "hpke"])
        {
            var (id, nonce) = await world.ChallengeAsync();
            var native = await world.Service.PostAsync($"/v1/keys/{KmsWorld.Key}/release", $$"""{"challenge":"{{id}}","evidence":{{await machine.EvidenceAsync(nonce)}},"seal":"{{seal}}"}""", world.Releaser);
            Assert.Equal("urn:assay:release-denied", native.Problem);
            Assert.Equal("other-use", Text(await world.EntryAsync(native.Body.GetProperty("logPosition").GetInt64()), "why"));
        }

        var answer = await world.AskAsync("GenerateDataKey", new JsonObject { ["KeyId"] = "weights", ["KeySpec"] = "AES_256", ["Recipient"] = await world.RecipientAsync() });
        Assert.Equal((Denied, "other-use"), (answer.Fault, await world.WhyAsync(answer)));
        answer = await world.DecryptAsync(Renamed(await world.EncryptAsync([1]), "weights"));
        Assert.Equal((Denied, "other-use"), (answer.Fault, await world.WhyAsync(answer)));
        Assert.Equal("InvalidKeyUsageException", (await world.AskAsync("Encrypt", new JsonObject { ["KeyId"] = "weights", ["Plaintext"] = "AAAA" }, world.Owner)).Fault);
        var nothing = await world.AskAsync("GenerateDataKey", new JsonObject { ["KeyId"] = "nothing", ["KeySpec"] = "AES_256", ["Recipient"] = await world.RecipientAsync() });
        Assert.Equal((Denied, "no-such-key"), (nothing.Fault, await world.WhyAsync(nothing)));

        // The use is said when the key is made, is in the log, and stays.
        var key = (await world.Service.GetAsync($"/v1/keys/{KmsWorld.Key}", world.Owner)).Body;
        Assert.Equal("data-keys", Text(key, "use"));
        Assert.Equal("data-keys", Text(await world.EntryAsync(0), "use"));
        foreach (var body in (string[])["""{"id":"a","bytes":31,"use":"data-keys"}""", """{"id":"a","bytes":32,"use":"anything"}""", """{"id":"a","bytes":32,"use":"data-keys","derived":true}"""])
        {
            Assert.Equal("urn:assay:bad-request", (await world.Service.PostAsync("/v1/keys", body, world.Owner)).Problem);
        }
    }

    [Fact]
    public async Task Without_a_recipient_nothing_is_opened_for_any_caller_and_frozen_keys_open_nothing()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var blob = await world.EncryptAsync([1, 2, 3]);
        var everything = await world.Service.KeyOfAsync("demo", [.. Scopes.All.Where(scope => scope != Scopes.Operator)]);
        foreach (var credential in (string[])[world.Owner, world.Releaser, everything])
        {
            foreach (var (operation, input) in (IEnumerable<(string, JsonObject)>)[("Decrypt", new JsonObject { ["CiphertextBlob"] = Convert.ToBase64String(blob) }), ("GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["NumberOfBytes"] = 32 })])
            {
                var answer = await world.AskAsync(operation, input, credential);
                Assert.Equal((Denied, "no-recipient"), (answer.Fault, await world.WhyAsync(answer)));
                Assert.DoesNotContain("CiphertextBlob", answer.Body.ToString(), StringComparison.Ordinal);
            }
        }

        Assert.Equal(200, (await world.DecryptAsync(blob)).Status);
        Assert.Equal(201, (await world.Service.PostAsync("/v1/freezes", """{"reason":"a driver may be forged"}""", world.Owner)).Status);
        var frozen = await world.DecryptAsync(blob);
        Assert.Equal(Denied, frozen.Fault);
        Assert.StartsWith("frozen:", await world.WhyAsync(frozen), StringComparison.Ordinal);
        // A wrong ciphertext is told nothing more than a right one.
        Assert.Equal(Denied, (await world.DecryptAsync(blob, s_context)).Fault);
        frozen = await world.AskAsync("GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["KeySpec"] = "AES_256", ["Recipient"] = await world.RecipientAsync() });
        Assert.StartsWith("frozen:", await world.WhyAsync(frozen), StringComparison.Ordinal);
    }

    private static string Canonical(JsonObject context) => Encoding.UTF8.GetString(Assay.Wire.CanonicalJson.Write(JsonElement.Parse(context.ToJsonString())));

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static byte[] With(byte[] blob, int at, byte value)
    {
        var changed = (byte[])blob.Clone();
        changed[at] = value;
        return changed;
    }

    // Another name in the header, and everything else as it was.
    private static byte[] Renamed(byte[] blob, string key) => [.. blob[..4], (byte)key.Length, .. Encoding.ASCII.GetBytes(key), .. blob[(5 + blob[4])..]];

    private static string Changed(string evidence, Action<JsonObject> change)
    {
        var root = JsonNode.Parse(evidence)!.AsObject();
        change(root);
        return root.ToJsonString();
    }

    private async Task<string> ForeignAsync(string nonce, SealingPublicKey key)
    {
        var (status, body) = await AgentClient.AskAsync(machine.Vm.AgentSocket, "GetEvidence", $$"""{"challenge":"{{nonce}}","jwk":{{key.Jwk}}}""", Cancellation);
        var text = Encoding.UTF8.GetString(body.Span);
        Assert.True(status == 200, text);
        return text;
    }

    private static Task<JsonElement> CallAsync(NodeProcess sdk, string what, JsonObject input) => sdk.AskAsync(new JsonObject { ["what"] = what, ["input"] = input });

    private static async Task<(string? Name, int Status)> RefusedAsync(NodeProcess sdk, string what, JsonObject input)
    {
        var answer = await CallAsync(sdk, what, input);
        return answer.TryGetProperty("refused", out var name) ? (name.GetString(), answer.GetProperty("status").GetInt32()) : ($"accepted: {answer}", 200);
    }
}
