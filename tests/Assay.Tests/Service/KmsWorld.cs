using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>What the broker answered by AWS's protocol.</summary>
/// <param name="Status">Of HTTP.</param>
/// <param name="Body">The members.</param>
/// <param name="Fault">The exception's name in the body; null: it is no exception.</param>
/// <param name="Header">The same in the header.</param>
/// <param name="Position">Where the log has it; -1: nowhere.</param>
public sealed record KmsAnswered(int Status, JsonElement Body, string? Fault, string? Header, long Position)
{
    /// <summary>A member that is bytes.</summary>
    public byte[] Bytes(string name) => Body.GetProperty(name).GetBytesFromBase64();
}

/// <summary>A server with the broker role, the key "records" for data keys with a policy, and programs that speak AWS's protocol.</summary>
internal sealed class KmsWorld : IAsyncDisposable
{
    public const string Key = "records";
    private const string Recipient = "RSAES_OAEP_SHA_256";

    private readonly AttestedMachine _machine;

    private KmsWorld(AttestedMachine machine, ServiceWorld service, string owner, string releaser) => (_machine, Service, Owner, Releaser) = (machine, service, owner, releaser);

    public ServiceWorld Service { get; }

    /// <summary>An API key of those who keep the keys: it may encrypt, and gets nothing opened.</summary>
    public string Owner { get; }

    /// <summary>An API key of the machines.</summary>
    public string Releaser { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<KmsWorld> StartAsync(AttestedMachine machine, JsonNode? references = null, JsonNode? kek = null)
    {
        var service = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configuration["broker"] = new JsonObject { ["destroyHours"] = 0 };
            configuration["kek"] = kek ?? configuration["kek"]!.DeepClone();
        }, policy: policy => policy["expect"]!["referenceValues"] = references?.DeepClone() ?? policy["expect"]!["referenceValues"]!.DeepClone());
        var world = new KmsWorld(machine, service, await service.KeyOfAsync("demo", Scopes.Broker, Scopes.Read, Scopes.Audit), await service.KeyOfAsync("demo", Scopes.Release));
        await world.CreateAsync(Key, references: references);
        return world;
    }

    /// <summary>A key, with the policy of this machine.</summary>
    public async Task CreateAsync(string id, string? use = "data-keys", string? owner = null, byte[]? secret = null, JsonNode? references = null)
    {
        var request = new JsonObject { ["id"] = id };
        request[secret is null ? "bytes" : "secret"] = secret is null ? 32 : Convert.ToBase64String(secret);
        request["use"] = use;
        var made = await Service.PostAsync("/v1/keys", request.ToJsonString(), owner ?? Owner);
        Assert.True(made.Status == 201, made.Body.ToString());
        var expect = _machine.Policy("x", "x", "{}")["expect"]!.DeepClone();
        expect["referenceValues"] = references?.DeepClone() ?? expect["referenceValues"]!.DeepClone();
        var set = await Service.PostAsync($"/v1/keys/{id}/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner ?? Owner);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    /// <summary>A challenge of the broker.</summary>
    public async Task<(string Id, string Nonce)> ChallengeAsync(string? releaser = null)
    {
        var challenge = await Service.PostAsync("/v1/release-challenges", "{}", releaser ?? Releaser);
        Assert.Equal(201, challenge.Status);
        return (challenge.Body.GetProperty("id").GetString()!, challenge.Body.GetProperty("nonce").GetString()!);
    }

    /// <summary>The machine's evidence with its RSA key.</summary>
    public async Task<string> EvidenceAsync(string nonce, string key = "aws", string kind = "RSA-3072")
    {
        var answer = await _machine.Vm.RunAsync(["ctl", "evidence", nonce, key, kind], Cancellation);
        Assert.True(answer.ExitCode == 0, answer.Error);
        return answer.Output;
    }

    /// <summary>An attestation document of the machine.</summary>
    public async Task<JsonObject> RecipientAsync(Func<string, Task<string>>? evidence = null, string? releaser = null)
    {
        var (id, nonce) = await ChallengeAsync(releaser);
        return RecipientOf(id, evidence is null ? await EvidenceAsync(nonce) : await evidence(nonce));
    }

    public static JsonObject RecipientOf(string challenge, string evidence) => RecipientOf(Encoding.UTF8.GetBytes($$"""{"challenge":"{{challenge}}","evidence":{{evidence}}}"""));

    public static JsonObject RecipientOf(byte[] document) => new() { ["AttestationDocument"] = Convert.ToBase64String(document), ["KeyEncryptionAlgorithm"] = Recipient };

    /// <summary>Asks as a program without an SDK does.</summary>
    public Task<KmsAnswered> AskAsync(string operation, JsonObject input, string? credential = null) => SendAsync(operation, input.ToJsonString(), credential ?? Releaser);

    public async Task<KmsAnswered> SendAsync(string operation, string body, string? token, Action<HttpRequestMessage>? change = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/aws/kms/");
        request.Content = new StringContent(body, Encoding.UTF8);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-amz-json-1.1");
        request.Headers.Add("X-Amz-Target", $"TrentService.{operation}");
        if (token is not null)
        {
            request.Headers.Add("X-Amz-Security-Token", token);
        }

        change?.Invoke(request);
        using var answer = await Service.Client.SendAsync(request, Cancellation);
        var bytes = await answer.Content.ReadAsByteArrayAsync(Cancellation);
        Assert.True(answer.Content.Headers.ContentType?.MediaType == "application/x-amz-json-1.1", $"{(int)answer.StatusCode} {answer.Content.Headers.ContentType} {Encoding.UTF8.GetString(bytes)}");
        var root = JsonElement.Parse(bytes);
        return new KmsAnswered(
            (int)answer.StatusCode, root, root.TryGetProperty("__type", out var fault) ? fault.GetString() : null, answer.Headers.TryGetValues("x-amzn-ErrorType", out var types) ? types.Single() : null,
            answer.Headers.TryGetValues("x-assay-log-position", out var at) ? long.Parse(at.Single(), CultureInfo.InvariantCulture) : -1);
    }

    /// <summary>A ciphertext of the owner's.</summary>
    public async Task<byte[]> EncryptAsync(byte[] plaintext, JsonObject? context = null, string key = Key, string? owner = null)
    {
        var answer = await AskAsync("Encrypt", new JsonObject { ["KeyId"] = key, ["Plaintext"] = Convert.ToBase64String(plaintext), ["EncryptionContext"] = context?.DeepClone() ?? new JsonObject() }, owner ?? Owner);
        Assert.True(answer.Status == 200, answer.Body.ToString());
        return answer.Bytes("CiphertextBlob");
    }

    /// <summary>The machine asks for a ciphertext to be opened.</summary>
    public async Task<KmsAnswered> DecryptAsync(byte[] blob, JsonObject? context = null, JsonObject? recipient = null, string? releaser = null) => await AskAsync("Decrypt", new JsonObject
    {
        ["CiphertextBlob"] = Convert.ToBase64String(blob),
        ["EncryptionContext"] = context?.DeepClone() ?? new JsonObject(),
        ["Recipient"] = recipient?.DeepClone() ?? await RecipientAsync(releaser: releaser),
    }, releaser);

    /// <summary>In the machine: the agent opens what was sealed to its key.</summary>
    public async Task<byte[]> OpenAsync(byte[] enveloped)
    {
        using var agent = new GuestAgentClient(_machine.Vm.AgentSocket);
        using var opened = await agent.UnwrapCmsAsync("aws", enveloped, Cancellation);
        return opened.Use(lease => lease.Bytes.ToArray());
    }

    /// <summary>An entry of the log.</summary>
    public async Task<JsonElement> EntryAsync(long position, string? owner = null)
    {
        var entry = await Service.GetAsync($"/v1/log/entries/{position}", owner ?? Owner);
        Assert.True(entry.Status == 200, $"{position}: {entry.Status}");
        return JsonElement.Parse(entry.Body.GetProperty("entry").GetBytesFromBase64()).GetProperty("event");
    }

    /// <summary>Why the log says that it was denied.</summary>
    public async Task<string?> WhyAsync(KmsAnswered answer) => (await EntryAsync(answer.Position)).GetProperty("why").GetString();

    /// <summary>The SDK in a process of its own, configured as its users configure it.</summary>
    public NodeProcess Sdk(string token, params (string Name, string Value)[] more) => NodeProcess.Start("kms_client.mjs", Usual(token).Concat(more.Select(pair => KeyValuePair.Create(pair.Name, pair.Value))).GroupBy(pair => pair.Key).ToDictionary(group => group.Key, group => group.Last().Value), "kms");

    private Dictionary<string, string> Usual(string token) => new()
    {
        ["HOME"] = Service.Folder,
        ["AWS_ENDPOINT_URL_KMS"] = $"{Service.Host.Addresses[0].TrimEnd('/')}/aws/kms",
        ["AWS_REGION"] = "eu-central-1",
        ["AWS_ACCESS_KEY_ID"] = "assay",
        ["AWS_SECRET_ACCESS_KEY"] = "not-used",
        ["AWS_SESSION_TOKEN"] = token,
        ["AWS_MAX_ATTEMPTS"] = "1",
        ["AWS_EC2_METADATA_DISABLED"] = "true",
    };

    public ValueTask DisposeAsync() => Service.DisposeAsync();
}
