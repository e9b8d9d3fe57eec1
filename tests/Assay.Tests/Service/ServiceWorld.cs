using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Server;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Service;

/// <summary>What a service answered.</summary>
public sealed record ServiceAnswer(int Status, JsonElement Body, HttpResponseMessage Response)
{
    /// <summary>The problem's type; null where the body is none.</summary>
    public string? Problem => Body.ValueKind is JsonValueKind.Object && Body.TryGetProperty("type", out var type) ? type.GetString() : null;
}

/// <summary>A server in this process, with its configuration in a folder, and clients with keys.</summary>
public sealed class ServiceWorld : IAsyncDisposable
{
    public const string Audience = "https://broker.example";
    public const string PolicyId = "demo-machines";

    private readonly AttestedMachine _machine;

    private bool _isStopped;

    private ServiceWorld(AttestedMachine machine) => _machine = machine;

    public string Folder { get; } = Directory.CreateTempSubdirectory("assay-service-").FullName;

    internal ServerHost Host { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public string Issuer { get; private set; } = "";

    /// <summary>A key of the tenant "demo" with every scope but the operator's.</summary>
    public string Key { get; private set; } = "";

    /// <summary>The operator's key.</summary>
    public string OperatorKey { get; private set; } = "";

    /// <summary>Every line that was logged.</summary>
    public ConcurrentQueue<string> Logged { get; } = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Starts a server whose tenant "demo" has the policy of this machine.</summary>
    public static async Task<ServiceWorld> StartAsync(AttestedMachine machine, string? database = null, Action<JsonObject>? configure = null, Action<JsonObject>? policy = null, string? kek = null)
    {
        var world = new ServiceWorld(machine);
        string Path(string name) => System.IO.Path.Combine(world.Folder, name);
        world.Issuer = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{DemoChannel.FreePort()}");
        if (kek is null)
        {
            KeyEncryptionKey.Create(Path("kek"));
        }

        File.WriteAllBytes(Path("anchors.json"), machine.Anchors);
        File.WriteAllText(Path("policy.json"), machine.Policy(PolicyId, Audience, await machine.TrialAsync(), policy).ToJsonString());
        var configuration = new JsonObject
        {
            ["issuer"] = world.Issuer,
            ["listen"] = new JsonArray(world.Issuer["http://".Length..]),
            ["database"] = database ?? Path("assay.db"),
            ["kek"] = kek ?? Path("kek"),
            ["anchors"] = Path("anchors.json"),
            ["collateral"] = new JsonObject { ["url"] = machine.Services },
            ["limits"] = new JsonObject { ["perAddress"] = 100_000, ["perTenant"] = 100_000, ["concurrency"] = 32, ["waiting"] = 2000 },
            ["attestation"] = new JsonObject { ["policies"] = new JsonArray(new JsonObject { ["file"] = Path("policy.json"), ["tenant"] = "demo" }) },
            ["drain"] = new JsonObject { ["notReadySeconds"] = 0 },
        };
        configure?.Invoke(configuration);
        File.WriteAllText(Path("server.json"), configuration.ToJsonString());
        await world.StartAsync();
        return world;
    }

    /// <summary>Starts it, or starts it again.</summary>
    public async Task StartAsync()
    {
        _isStopped = true;
        Assert.True(ServerConfiguration.TryRead(Path.Combine(Folder, "server.json"), _ => null, out var configuration, out var faults), string.Join("\n", faults));
        Host = await ServerHost.StartAsync(configuration, TimeProvider.System, logging => logging.AddProvider(new Lines(Logged)), Cancellation);
        _isStopped = false;
        Client = new HttpClient { BaseAddress = new Uri(Host.Addresses[0]) };
        var keys = Host.Services.GetRequiredService<ApiKeyStore>();
        foreach (var tenant in (string[])["demo", TenantStore.Operators])
        {
            await Host.Services.GetRequiredService<TenantStore>().CreateAsync(tenant, null, "test", Cancellation);
        }

        Key = (await keys.CreateAsync("demo", "all", [Scopes.Attest, Scopes.Read, Scopes.Policy, Scopes.Audit, Scopes.Keys], null, "test", Cancellation)).Key;
        OperatorKey = (await keys.CreateAsync(TenantStore.Operators, "operator", [Scopes.Operator], null, "test", Cancellation)).Key;
    }

    /// <summary>Stops it, as a host is stopped.</summary>
    public async Task StopAsync()
    {
        // A start that failed has its own reason, which a second end must not hide.
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        Client.Dispose();
        await Host.DisposeAsync();
    }

    /// <summary>A key of another tenant.</summary>
    public async Task<string> KeyOfAsync(string tenant, params string[] scopes)
    {
        await Host.Services.GetRequiredService<TenantStore>().CreateAsync(tenant, null, "test", Cancellation);
        return (await Host.Services.GetRequiredService<ApiKeyStore>().CreateAsync(tenant, "test", [.. scopes], null, "test", Cancellation)).Key;
    }

    /// <summary>A further policy of the tenant for an audience of its own, as an operator and an editor of policies make it.</summary>
    public async Task ActivateAsync(string policy, string audience, Action<JsonObject> change)
    {
        Assert.Equal(204, (await SendAsync(HttpMethod.Put, "/v1/audiences", new JsonObject { ["audience"] = audience, ["tenant"] = "demo" }.ToJsonString(), OperatorKey)).Status);
        var added = await PostAsync("/v1/policies", _machine.Policy(policy, audience, await _machine.TrialAsync(), change).ToJsonString());
        Assert.True(added.Status == 201, added.Body.ToString());
        var activated = await PostAsync($"/v1/policies/{policy}/versions/1/activate", "");
        Assert.True(activated.Status == 204, activated.Body.ToString());
    }

    public Task<ServiceAnswer> GetAsync(string path, string? key = null) => SendAsync(HttpMethod.Get, path, null, key);

    public Task<ServiceAnswer> PostAsync(string path, string body, string? key = null) => SendAsync(HttpMethod.Post, path, body, key);

    /// <summary>Sends with the tenant's key unless another one is given; empty for none.</summary>
    public async Task<ServiceAnswer> SendAsync(HttpMethod method, string path, string? body, string? key = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, type);
        if (key is not { Length: 0 })
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key ?? Key);
        }

        var response = await Client.SendAsync(request, Cancellation);
        var bytes = await response.Content.ReadAsByteArrayAsync(Cancellation);
        var isJson = response.Content.Headers.ContentType?.MediaType is "application/json" or "application/problem+json" && bytes.Length > 0;
        return new ServiceAnswer((int)response.StatusCode, isJson ? JsonElement.Parse(bytes) : default, response);
    }

    public async Task<(string Id, string Nonce)> ChallengeAsync(string? key = null)
    {
        var answer = await PostAsync("/v1/challenges", "{}", key);
        Assert.Equal(201, answer.Status);
        return (answer.Body.GetProperty("id").GetString()!, answer.Body.GetProperty("nonce").GetString()!);
    }

    /// <summary>A broker's challenge for one release.</summary>
    public async Task<(string Id, string Nonce)> ReleaseChallengeAsync(string key)
    {
        var answer = await PostAsync("/v1/release-challenges", "{}", key);
        Assert.Equal(201, answer.Status);
        return (answer.Body.GetProperty("id").GetString()!, answer.Body.GetProperty("nonce").GetString()!);
    }

    /// <summary>What the broker's log has of the release or denial that this answer is.</summary>
    public async Task<JsonElement> EntryAsync(string key, ServiceAnswer answer)
    {
        Assert.True(answer.Body.TryGetProperty("logPosition", out var position), answer.Body.ToString());
        var entry = await GetAsync($"/v1/log/entries/{position.GetInt64()}", key);
        Assert.Equal(200, entry.Status);
        return JsonElement.Parse(entry.Body.GetProperty("entry").GetBytesFromBase64()).GetProperty("event");
    }

    public Task<ServiceAnswer> AppraiseAsync(string challenge, string evidence, string audience = Audience, string? key = null) =>
        PostAsync("/v1/appraisals", $$"""{"challenge":"{{challenge}}","audience":"{{audience}}","evidence":{{evidence}}}""", key);

    /// <summary>Challenge, evidence, token: the honest way.</summary>
    public async Task<ServiceAnswer> AttestAsync(string audience = Audience)
    {
        var (id, nonce) = await ChallengeAsync();
        return await AppraiseAsync(id, await _machine.EvidenceAsync(nonce), audience);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private sealed class Lines(ConcurrentQueue<string> logged) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => logged.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
            // The queue outlives it.
        }
    }
}
