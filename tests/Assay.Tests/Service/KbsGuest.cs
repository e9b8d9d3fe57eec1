using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Cli.Demo;
using Assay.Sealing.Keys;
using Assay.Tests.Collateral;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>What a guest shows in the KBS protocol: the hardware of a simulated VM, asked as an attestation agent asks it.</summary>
internal sealed class KbsAttester(AttestedMachine machine)
{
    /// <summary>Devices over a nonce, as the text that the processor then covers.</summary>
    public string Additional(byte[] nonce)
    {
        var list = machine.Vm.Devices(nonce).Select(device => $$"""{"arch":"{{(device.Kind == "gpu" ? "HOPPER" : "LS10")}}","uuid":"unknown","evidence":"{{device.Report}}","certificate":"{{device.Chain}}"}""");
        return $$$"""{"nvidia":{"device_evidence_list":[{{{string.Join(',', list)}}}]}}""";
    }

    /// <summary>Whether it shows the boot log with the gate's events.</summary>
    public bool HasLog { get; set; } = true;

    /// <summary>The processor's evidence over the 48 bytes of a hash; of a sample attester what it calls so.</summary>
    public async Task<JsonNode> PrimaryAsync(string tee, byte[] hash)
    {
        if (tee is "sample")
        {
            return new JsonObject { ["svn"] = "1", ["report_data"] = Convert.ToBase64String(hash) };
        }

        var answer = JsonElement.Parse(machine.Vm.Hardware.Answer(Encoding.UTF8.GetBytes($$"""{"op":"cpu.report","data":"{{Convert.ToHexStringLower([.. hash, .. new byte[16]])}}"}""")));
        var log = !HasLog ? null : JsonNode.Parse(await machine.EvidenceAsync(new string('2', 64)))!["cpu"]!["eventLog"]!.GetValue<string>();
        return new JsonObject { ["cc_eventlog"] = log, ["quote"] = answer.GetProperty("report").GetString() };
    }

    /// <summary>The same on loopback, for guests that are another process.</summary>
    public async Task<Loopback> ListenAsync() => await Loopback.StartAsync(async context =>
    {
        using var request = await JsonDocument.ParseAsync(context.Request.Body);
        JsonObject answer = context.Request.Path == "/additional"
            ? new() { ["additional"] = Additional(Convert.FromHexString(request.RootElement.GetProperty("nonce").GetString()!)) }
            : new() { ["primary"] = await PrimaryAsync(request.RootElement.GetProperty("tee").GetString()!, Convert.FromHexString(request.RootElement.GetProperty("report_data").GetString()!)) };
        await context.Response.WriteAsync(answer.ToJsonString());
    });
}

/// <summary>A client of the KBS protocol step by step, for attackers: each step can be another one's.</summary>
internal sealed class KbsGuest : IDisposable
{
    private readonly KbsAttester _attester;
    private readonly HttpClient _client;

    public KbsGuest(ServiceWorld world, AttestedMachine machine)
    {
        _attester = new KbsAttester(machine);
        _client = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = new Uri(world.Host.Addresses[0]) };
        var key = JsonNode.Parse(Pair.PublicKey.Jwk)!.AsObject();
        key["alg"] = "ECDH-ES+A256KW";
        Jwk = key;
    }

    public SealingKeyPair Pair { get; } = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P256);

    public JsonObject Jwk { get; set; }

    public string? Cookie { get; set; }

    public string Nonce { get; private set; } = "";

    public string Token { get; private set; } = "";

    public string Tee { get; set; } = "tdx";

    public bool HasLog
    {
        set => _attester.HasLog = value;
    }

    /// <summary>The request that was taken.</summary>
    public string Shown { get; private set; } = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async Task<(int Status, string Body, HttpResponseHeaders Headers)> SendAsync(HttpMethod method, string path, string? body = null, string? bearer = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        if (Cookie is not null)
        {
            request.Headers.TryAddWithoutValidation("Cookie", $"kbs-session-id={Cookie}");
        }

        if (bearer is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {bearer}");
        }

        using var response = await _client.SendAsync(request, Cancellation);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation), response.Headers);
    }

    public async Task<KbsGuest> AuthAsync()
    {
        var answer = await SendAsync(HttpMethod.Post, "/kbs/v0/auth", $$"""{"version":"0.4.0","tee":"{{Tee}}","extra-params":""}""");
        Assert.True(answer.Status == 200, answer.Body);
        Nonce = JsonElement.Parse(answer.Body).GetProperty("nonce").GetString()!;
        Cookie = answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0].Split('=')[1];
        return this;
    }

    /// <summary>The request that answers a nonce with a key; members may be changed after they were signed.</summary>
    public async Task<string> EvidenceAsync(string? nonce = null, JsonObject? key = null, Action<JsonObject>? change = null, bool devices = true)
    {
        var jwk = key ?? Jwk;
        Assert.True(KeyBinding.TryCreate(nonce ?? Nonce, Encoding.UTF8.GetBytes(jwk.ToJsonString()), out var binding, out var fault), fault?.ToString());
        var additional = devices ? _attester.Additional(binding.DeviceNonce().Bytes.ToArray()) : "";
        var request = new JsonObject
        {
            ["init-data"] = null,
            ["runtime-data"] = new JsonObject { ["nonce"] = nonce ?? Nonce, ["tee-pubkey"] = jwk.DeepClone() },
            ["tee-evidence"] = new JsonObject { ["primary_evidence"] = await _attester.PrimaryAsync(Tee, binding.ReportData(additional)[..48]), ["additional_evidence"] = additional },
        };
        change?.Invoke(request);
        return request.ToJsonString();
    }

    public Task<(int Status, string Body, HttpResponseHeaders Headers)> AttestAsync(string evidence) => SendAsync(HttpMethod.Post, "/kbs/v0/attest", evidence);

    /// <summary>The whole handshake, which must succeed.</summary>
    public async Task<KbsGuest> AttestedAsync(Action<JsonObject>? change = null, bool devices = true)
    {
        await AuthAsync();
        Shown = await EvidenceAsync(change: change, devices: devices);
        var answer = await AttestAsync(Shown);
        Assert.True(answer.Status == 200, answer.Body);
        Token = JsonElement.Parse(answer.Body).GetProperty("token").GetString()!;
        return this;
    }

    public Task<(int Status, string Body, HttpResponseHeaders Headers)> GetAsync(string path = KbsTests.Resource, string? bearer = null) => SendAsync(HttpMethod.Get, $"/kbs/v0/resource/{path}", bearer: bearer);

    public void Dispose()
    {
        _client.Dispose();
        Pair.Dispose();
    }
}
