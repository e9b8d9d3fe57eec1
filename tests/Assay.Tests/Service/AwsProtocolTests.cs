using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>AWS's protocol at the broker as hostile and careless programs speak it: credentials, bodies, and an outage, which is no denial.</summary>
[Collection(SoftHsm.Collection)]
public sealed class AwsProtocolTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Unknown = "UnrecognizedClientException";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_session_token_is_the_API_key_at_this_address_alone_and_never_beside_another_credential()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var encrypt = new JsonObject { ["KeyId"] = KmsWorld.Key, ["Plaintext"] = "AAAA" }.ToJsonString();
        void Bearer(HttpRequestMessage request) => request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", world.Owner);
        static void Signed(HttpRequestMessage request) => request.Headers.TryAddWithoutValidation("Authorization", "AWS4-HMAC-SHA256 Credential=assay/20261201/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=00");

        Assert.Equal(200, (await world.SendAsync("Encrypt", encrypt, world.Owner, Signed)).Status);
        Assert.Equal(200, (await world.SendAsync("Encrypt", encrypt, null, Bearer)).Status);
        Assert.Equal((400, Unknown), await AskAsync(world.Owner, Bearer));
        Assert.Equal((400, Unknown), await AskAsync(world.Owner, request => request.Headers.Add("X-Amz-Security-Token", world.Owner)));
        Assert.Equal((400, Unknown), await AskAsync("", Bearer));
        Assert.Equal((400, Unknown), await AskAsync(null, Signed));
        Assert.Equal((400, Unknown), await AskAsync(null, _ => { }));
        Assert.Equal((400, Unknown), await AskAsync("x", _ => { }));
        Assert.Equal((400, Unknown), await AskAsync(world.Owner[..^4] + "AAAA", Signed));
        // What has the form of an OIDC token is none here.
        Assert.Equal((400, Unknown), await AskAsync("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", Signed));

        using var elsewhere = new HttpRequestMessage(HttpMethod.Get, "/v1/keys");
        elsewhere.Headers.Add("X-Amz-Security-Token", world.Owner);
        Assert.Equal(401, (int)(await world.Service.Client.SendAsync(elsewhere, Cancellation)).StatusCode);
        using var both = new HttpRequestMessage(HttpMethod.Get, "/v1/keys");
        both.Headers.Add("X-Amz-Security-Token", "x");
        Bearer(both);
        Assert.Equal(200, (int)(await world.Service.Client.SendAsync(both, Cancellation)).StatusCode);
        Assert.DoesNotContain(world.Service.Logged, line => line.Contains(world.Owner[^20..], StringComparison.Ordinal));

        async Task<(int Status, string? Fault)> AskAsync(string? token, Action<HttpRequestMessage> change)
        {
            var answer = await world.SendAsync("Encrypt", encrypt, token, change);
            return (answer.Status, answer.Fault);
        }
    }

    private static readonly (string Operation, string Body, string Fault, string Expected)[] s_malformed =
    [
        ("Decrypt", """{"KeyId":"records"}""", "SerializationException", "CiphertextBlob"),
        ("Decrypt", """{"CiphertextBlob":"****","Recipient":RECIPIENT}""", "SerializationException", "CiphertextBlob"),
        ("Decrypt", """{"CiphertextBlob":null}""", "SerializationException", "CiphertextBlob"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"CiphertextBlob":BLOB,"Recipient":RECIPIENT}""", "SerializationException", "twice"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"ciphertextBlob":BLOB,"Recipient":RECIPIENT}""", "SerializationException", "unknown member"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"a":"1","a":"2"},"Recipient":RECIPIENT}""", "SerializationException", "twice"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"a":1},"Recipient":RECIPIENT}""", "SerializationException", "another type"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"a":null},"Recipient":RECIPIENT}""", "ValidationException", "EncryptionContext"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"a":"\ud800"},"Recipient":RECIPIENT}""", "SerializationException", "$"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"":"a"},"Recipient":RECIPIENT}""", "ValidationException", "EncryptionContext"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionContext":{"a":"LONG"},"Recipient":RECIPIENT}""", "ValidationException", "EncryptionContext"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"EncryptionAlgorithm":"RSAES_OAEP_SHA_1","Recipient":RECIPIENT}""", "ValidationException", "SYMMETRIC_DEFAULT"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"GrantTokens":["x"],"Recipient":RECIPIENT}""", "ValidationException", "GrantTokens"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"DryRun":true,"Recipient":RECIPIENT}""", "ValidationException", "DryRun"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Plaintext":"AAAA","Recipient":RECIPIENT}""", "SerializationException", "unknown member"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"AttestationDocument":"e30=","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_1"}}""", "ValidationException", "RSAES_OAEP_SHA_256"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"AttestationDocument":"e30=","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}""", "ValidationException", "AttestationDocument"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"AttestationDocument":"","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}""", "ValidationException", "AttestationDocument"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"AttestationDocument":"hEShATgi","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}""", "ValidationException", "Nitro"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"AttestationDocument":"0oREoQE4","KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}""", "ValidationException", "Nitro"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}""", "SerializationException", "AttestationDocument"),
        ("Decrypt", """{"CiphertextBlob":BLOB,"Recipient":TWICE}""", "ValidationException", "twice"),
        ("GenerateDataKey", """{"KeyId":"records","Recipient":RECIPIENT}""", "ValidationException", "KeySpec"),
        ("GenerateDataKey", """{"KeyId":"records","KeySpec":"AES_256","NumberOfBytes":32,"Recipient":RECIPIENT}""", "ValidationException", "KeySpec"),
        ("GenerateDataKey", """{"KeyId":"records","KeySpec":"AES_512","Recipient":RECIPIENT}""", "ValidationException", "KeySpec"),
        ("GenerateDataKey", """{"KeyId":"records","NumberOfBytes":0,"Recipient":RECIPIENT}""", "ValidationException", "NumberOfBytes"),
        ("GenerateDataKey", """{"KeyId":"records","NumberOfBytes":1025,"Recipient":RECIPIENT}""", "ValidationException", "NumberOfBytes"),
        ("GenerateDataKey", """{"KeyId":"records","NumberOfBytes":"32","Recipient":RECIPIENT}""", "SerializationException", "NumberOfBytes"),
        ("GenerateDataKey", """{"KeyId":"../records","KeySpec":"AES_256","Recipient":RECIPIENT}""", "ValidationException", "KeyId"),
        ("GenerateDataKeyWithoutPlaintext", """{"KeyId":"records","KeySpec":"AES_256","Recipient":RECIPIENT}""", "ValidationException", "Recipient"),
        ("Encrypt", """{"KeyId":"records","Plaintext":""}""", "ValidationException", "Plaintext"),
        ("Encrypt", """{"KeyId":"records"}""", "SerializationException", "Plaintext"),
        ("Encrypt", """{"KeyId":"arn:aws:kms:eu-central-1:111122223333:key/records","Plaintext":"AAAA"}""", "ValidationException", "KeyId"),
        ("Encrypt", "[]", "SerializationException", "$"),
        ("Encrypt", "", "SerializationException", "$"),
        ("ReEncrypt", "{}", "UnknownOperationException", "X-Amz-Target"),
        ("decrypt", "{}", "UnknownOperationException", "X-Amz-Target"),
    ];

    [Fact]
    public async Task Malformed_requests_are_refused_and_neither_use_up_a_challenge_nor_decide_anything()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        var blob = Convert.ToBase64String(await world.EncryptAsync([1, 2, 3]));
        var recipient = await world.RecipientAsync();
        var twice = Encoding.UTF8.GetString(Convert.FromBase64String((string)recipient["AttestationDocument"]!)).TrimEnd()[..^1] + ",\"challenge\":\"x\"}";
        var everything = await world.Service.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Audit);
        var size = await SizeAsync();

        foreach (var (operation, body, fault, expected) in s_malformed)
        {
            var answer = await world.SendAsync(
                operation,
                body.Replace("BLOB", $"\"{blob}\"", StringComparison.Ordinal).Replace("RECIPIENT", recipient.ToJsonString(), StringComparison.Ordinal)
                    .Replace("LONG", new string('x', 8192), StringComparison.Ordinal).Replace("TWICE", KmsWorld.RecipientOf(Encoding.UTF8.GetBytes(twice)).ToJsonString(), StringComparison.Ordinal),
                everything);

            Assert.True(answer.Status == 400 && answer.Fault == answer.Header && answer.Fault == fault && answer.Position == -1, $"{body}: {answer.Status} {answer.Body}");
            Assert.True(answer.Body.GetProperty("message").GetString()!.Contains(expected, StringComparison.Ordinal), $"{body}: {answer.Body}");
        }

        Assert.Equal(size, await SizeAsync());
        Assert.Equal(200, (await world.DecryptAsync(Convert.FromBase64String(blob), null, recipient, everything)).Status);

        async Task<string> SizeAsync() => (await (await world.Service.GetAsync("/v1/log/checkpoint", world.Owner)).Response.Content.ReadAsStringAsync(Cancellation)).Split('\n')[1];
    }

    [Fact]
    public async Task Oversized_requests_and_other_types_of_body_are_refused()
    {
        await using var world = await KmsWorld.StartAsync(machine);
        JsonObject Encrypt(int bytes) => new() { ["KeyId"] = KmsWorld.Key, ["Plaintext"] = Convert.ToBase64String(new byte[bytes]) };

        Assert.Equal(200, (await world.AskAsync("Encrypt", Encrypt(4096), world.Owner)).Status);
        Assert.Equal("ValidationException", (await world.AskAsync("Encrypt", Encrypt(4097), world.Owner)).Fault);
        var large = await world.AskAsync("Encrypt", Encrypt(600_000), world.Owner);
        Assert.Equal((400, "ValidationException"), (large.Status, large.Fault));
        var document = KmsWorld.RecipientOf([.. "{"u8, .. new byte[262_144]]);
        Assert.Contains("262144", (await world.AskAsync("GenerateDataKey", new JsonObject { ["KeyId"] = KmsWorld.Key, ["KeySpec"] = "AES_256", ["Recipient"] = document })).Body.ToString(), StringComparison.Ordinal);
        Assert.Equal("SerializationException", (await world.SendAsync("Encrypt", Encrypt(1).ToJsonString(), world.Owner, request => request.Content!.Headers.ContentType = null)).Fault);
        Assert.Equal("urn:assay:media-type", (await world.Service.PostAsync("/aws/kms", Encrypt(1).ToJsonString(), world.Owner)).Problem);
        Assert.Equal("UnknownOperationException", (await world.SendAsync("Encrypt", "{}", world.Owner, request => request.Headers.Remove("X-Amz-Target"))).Fault);
        Assert.Equal(405, (await world.Service.GetAsync("/aws/kms", world.Owner)).Status);
    }

    [Fact]
    public async Task While_the_key_encryption_key_does_not_answer_that_is_what_the_SDK_is_told()
    {
        using var token = await SoftHsm.StartAsync();
        await using var world = await KmsWorld.StartAsync(machine, kek: BrokerTokenTests.Member(token));
        await using var sdk = world.Sdk(world.Releaser);
        await using var patient = world.Sdk(world.Releaser, ("AWS_MAX_ATTEMPTS", "2"));
        await using var owner = world.Sdk(world.Owner);
        var blob = await world.EncryptAsync([1, 2, 3]);
        Assert.Equal([1, 2, 3], await world.OpenAsync((await world.DecryptAsync(blob)).Bytes("CiphertextForRecipient")));
        async Task<JsonObject> DecryptAsync(JsonObject? context = null) => new() { ["what"] = "Decrypt", ["input"] = new JsonObject { ["CiphertextBlob"] = Convert.ToBase64String(blob), ["EncryptionContext"] = context, ["Recipient"] = await world.RecipientAsync() } };

        token.Unplug();

        var answer = await sdk.AskAsync(await DecryptAsync([]));
        Assert.Equal(("DependencyTimeoutException", 503, "server"), (answer.GetProperty("refused").GetString(), answer.GetProperty("status").GetInt32(), answer.GetProperty("fault").GetString()));
        answer = await owner.AskAsync(new JsonObject { ["what"] = "Encrypt", ["input"] = new JsonObject { ["KeyId"] = KmsWorld.Key, ["Plaintext"] = "AAAA" } });
        Assert.Equal("DependencyTimeoutException", answer.GetProperty("refused").GetString());
        // An SDK that tries again sends the same evidence, which is of use once: why the page asks for one attempt.
        answer = await patient.AskAsync(await DecryptAsync([]));
        Assert.Equal(("AccessDeniedException", 2), (answer.GetProperty("refused").GetString(), answer.GetProperty("attempts").GetInt32()));
        Assert.Contains("AWS_MAX_ATTEMPTS=1", answer.GetProperty("why").GetString(), StringComparison.Ordinal);

        var raw = await world.DecryptAsync(blob);
        var told = await world.EntryAsync(raw.Position);
        Assert.Equal(("failed", "kek-unavailable", "Decrypt"), (told.GetProperty("outcome").GetString(), told.GetProperty("why").GetString(), told.GetProperty("operation").GetString()));
        // What is denied is denied as before.
        Assert.Equal(201, (await world.Service.PostAsync("/v1/freezes", """{"reason":"now"}""", world.Owner)).Status);
        Assert.Equal("AccessDeniedException", (await world.DecryptAsync(blob)).Fault);
        token.Plug();
    }
}
