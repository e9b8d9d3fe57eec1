using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Service.Identity;
using Assay.Tests.Collateral;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary><c>assay audit host</c>: a client's check of a broker in a confidential VM of its own, and hosts that put themselves between. On the simulator.</summary>
public sealed class HostedBrokerCommandTests(AttestedMachine machine) : IClassFixture<AttestedMachine>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-host-").FullName;
    private int _runs;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_broker_of_a_known_image_is_verified_over_its_own_connection_and_a_terminator_of_TLS_is_found()
    {
        await using var world = await StartAsync(withTls: true);
        var service = $"https{world.Issuer[4..]}";
        File.WriteAllText(At("trusted.pem"), File.ReadAllText(At("server.pem")) + "\n" + Loopback.TlsCertificate.Value.ExportCertificatePem());
        using var client = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator }) { BaseAddress = new Uri(service) };
        using var keyRequest = new HttpRequestMessage(HttpMethod.Get, "/v1/log/key");
        keyRequest.Headers.Authorization = new("Bearer", await world.KeyOfAsync("demo", Scopes.Audit));
        File.WriteAllText(At("log.key"), await (await client.SendAsync(keyRequest, Cancellation)).Content.ReadAsStringAsync(Cancellation));

        var good = Run(service, "--log-key", At("log.key"));

        Assert.True(good.Code == 0, good.Text);
        Assert.Contains("PASS weakened · 2 GPUs and 2 switches", good.Text, StringComparison.Ordinal);
        Assert.Contains("has the key of this evidence, which answers this connection and no later one (certificate sha384:", good.Text, StringComparison.Ordinal);
        Assert.Contains("the operator can roll back state", good.Text, StringComparison.Ordinal);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(At("1"), "statement.json")))), Regex.Match(good.Text, "with the nonce ([0-9a-f]{64})").Groups[1].Value);
        using (var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256))
        {
            using var other = Assay.Log.NoteKey.Of("keys.example/v1/log", stranger);
            var answer = Run(service, "--log-key", other.ToString());
            Assert.Equal(1, answer.Code);
            Assert.Contains("another key than that of --log-key", answer.Text, StringComparison.Ordinal);
        }

        // A machine of another image is no broker.
        Assert.Equal(1, RunUnder(Regex.Replace(machine.References.ToJsonString(), "\"[0-9a-f]{96}\"", $"\"{new string('0', 96)}\""), service).Code);

        // The host ends TLS with a certificate that its name is on, and forwards everything as it came.
        await using var between = await Loopback.StartAsync(context => ForwardAsync(client, context), withTls: true);
        var found = Run(between.Text, "--log-key", At("log.key"));
        Assert.Equal(1, found.Code);
        Assert.Contains("cli.host", found.Text, StringComparison.Ordinal);
        Assert.Contains("another TLS certificate than this connection's", found.Text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(At(Name(_runs))));
    }

    [Fact]
    public async Task Recordings_doctored_statements_and_evidence_of_another_key_are_refused()
    {
        await using var world = await StartAsync(withTls: false);
        Assert.Equal(0, Run(world.Issuer).Code);
        var recorded = await (await world.GetAsync($"/v1/broker/evidence?challenge={new string('a', 64)}", "")).Response.Content.ReadAsStringAsync(Cancellation);
        JsonObject? shown = null;
        Func<JsonObject, Task> change = _ => Task.CompletedTask;
        await using var host = await Loopback.StartAsync(async context =>
        {
            if (context.Request.Method == "POST")
            {
                await ForwardAsync(world.Client, context);
                return;
            }

            var answer = shown?.DeepClone().AsObject() ?? JsonNode.Parse(await world.Client.GetStringAsync(context.Request.Path + context.Request.QueryString, Cancellation))!.AsObject();
            await change(answer);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(answer.ToJsonString(), Cancellation);
        });
        void Statement(JsonObject answer, Action<JsonObject> edit)
        {
            var statement = JsonNode.Parse((string)answer["statement"]!)!.AsObject();
            edit(statement);
            answer["statement"] = statement.ToJsonString();
            answer["nonce"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes((string)answer["statement"]!)));
        }

        var attacks = new (string Told, Func<JsonObject, Task> Change)[]
        {
            ("answers another challenge", answer => { answer["statement"] = JsonNode.Parse(recorded)!["statement"]!.DeepClone(); answer["evidence"] = JsonNode.Parse(recorded)!["evidence"]!.DeepClone(); return Task.CompletedTask; }),
            ("is not an object with challenge", answer => { Statement(answer, statement => statement["more"] = "x"); return Task.CompletedTask; }),
            ("is not an object with challenge", answer => { answer["statement"] = ((string)answer["statement"]!)[..^1] + ",\"v\":1}"; return Task.CompletedTask; }),
            ("is not of the expected type", answer => { Statement(answer, statement => statement["v"] = "1"); return Task.CompletedTask; }),
            ("is not of the expected type", answer => { answer["statement"] = ((string)answer["statement"]!).Replace("\"issuer\":\"", "\"issuer\":\"\\ud800", StringComparison.Ordinal); return Task.CompletedTask; }),
            ("another version than 1", answer => { Statement(answer, statement => statement["v"] = 2); return Task.CompletedTask; }),
            ("another TLS certificate", answer => { Statement(answer, statement => statement["leaf"] = new string('b', 96)); return Task.CompletedTask; }),
            ("report.nonce.match", answer => { Statement(answer, statement => statement["log"] = "the host's own"); return Task.CompletedTask; }),
            ("does not have the key that its evidence names", async answer =>
            {
                // The machine asks the host's own broker for its key encryption key, and that chose the hash of a statement of the host's as its challenge.
                Statement(answer, statement => statement["log"] = "the host's own");
                answer["evidence"] = JsonNode.Parse((await machine.Vm.EvidenceAsync((string)answer["nonce"]!, "broker", Cancellation)).Output);
            }),
        };
        foreach (var (told, attack) in attacks)
        {
            change = attack;
            var answer = Run(host.Text);
            Assert.True(answer.Code is 1, $"{told}: {answer.Text}");
            Assert.Contains(told, answer.Text, StringComparison.Ordinal);
        }

        Assert.Equal(3, Run("http://127.0.0.1:9").Code);
    }

    [Fact]
    public async Task Without_values_to_judge_by_or_without_TLS_nothing_is_asked()
    {
        await using var host = await Loopback.StartAsync(_ => Task.CompletedTask);

        var nothing = RunUnder(references: null, host.Text);
        Assert.Equal(2, nothing.Code);
        Assert.Contains("cli.arguments", nothing.Text, StringComparison.Ordinal);
        var any = RunUnder(references: null, host.Text, "--", "--rim-url", machine.Services, "--ocsp-url", machine.Services);
        Assert.Equal(2, any.Code);
        Assert.Contains("--reference-values is expected behind --", any.Text, StringComparison.Ordinal);
        var wrong = RunUnder(references: null, host.Text, "--", "--reference-valuse", "x");
        Assert.Equal(2, wrong.Code);
        var plain = Peer.Require("env").Run([.. AssayProgram.Words("assay"), "audit", "host", "--service", host.Text, "--out", At("plain"), "--", "--reference-values", "x"]);
        Assert.Equal(2, plain.ExitCode);
        Assert.Contains("https is expected", plain.Output, StringComparison.Ordinal);
        Directory.CreateDirectory(At("there"));
        var there = Peer.Require("env").Run([.. AssayProgram.Words("assay"), "audit", "host", "--service", "https://127.0.0.1:9", "--out", At("there"), "--", "--reference-values", "x"]);
        Assert.Equal(2, there.ExitCode);
        Assert.Contains("cli.out", there.Output, StringComparison.Ordinal);
        Assert.Empty(host.Requests);
    }

    private static async Task ForwardAsync(HttpClient client, HttpContext context)
    {
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), context.Request.Path + context.Request.QueryString);
        if (context.Request.Method == "POST")
        {
            request.Content = new StreamContent(context.Request.Body);
            request.Content.Headers.ContentType = new("application/json");
        }

        using var answer = await client.SendAsync(request, Cancellation);
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        await answer.Content.CopyToAsync(context.Response.Body, Cancellation);
    }

    private static string Name(int run) => run.ToString(CultureInfo.InvariantCulture);

    private string At(string name) => Path.Combine(_folder, name);

    private (int Code, string Text) Run(string service, params string[] more) => RunUnder(machine.References.ToJsonString(), service, more);

    // Null references: nothing behind --.
    private (int Code, string Text) RunUnder(string? references, string service, params string[] more)
    {
        _runs++;
        if (service.StartsWith("http:", StringComparison.Ordinal))
        {
            more = ["--dangerously-without-tls", .. more];
        }

        File.WriteAllBytes(At("anchors.json"), machine.Anchors);
        string[] verify = [];
        if (references is not null)
        {
            File.WriteAllText(At("references.json"), references);
            verify =
            [
                "--", "--anchors", At("anchors.json"), "--reference-values", At("references.json"), "--expect", "gpus=2,switches=2",
                "--rim-url", machine.Services, "--ocsp-url", machine.Services, "--intel-url", machine.Services,
            ];
        }

        string[] trust = File.Exists(At("trusted.pem")) ? [$"SSL_CERT_FILE={At("trusted.pem")}"] : [];
        var answer = Peer.Require("env").Run([.. trust, .. AssayProgram.Words("assay"), "audit", "host", "--service", service, "--out", At(Name(_runs)), .. more, .. verify]);
        return (answer.ExitCode, answer.Output);
    }

    private Task<ServiceWorld> StartAsync(bool withTls) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("broker");
        configuration["broker"] = new JsonObject { ["hosted"] = new JsonObject { ["agent"] = machine.Vm.AgentSocket } };
        if (withTls)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=broker", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            using var certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
            File.WriteAllText(At("server.pem"), certificate.ExportCertificatePem());
            File.WriteAllText(At("server.key"), key.ExportPkcs8PrivateKeyPem());
            configuration["tls"] = new JsonObject { ["certificate"] = At("server.pem"), ["key"] = At("server.key") };
        }
    });
}
