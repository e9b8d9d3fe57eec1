using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Server;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>Logins beside API keys: tokens of an issuer, and client certificates.</summary>
public sealed class LoginTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_token_of_the_named_issuer_logs_in_with_the_roles_that_the_configuration_maps()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out _));
        await using var issuer = await LoginIssuer.StartAsync(key);
        var address = issuer.Address;
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["authentication"] = new JsonObject
        {
            ["oidc"] = new JsonArray(new JsonObject { ["issuer"] = address, ["audience"] = "assay", ["tenantClaim"] = "org", ["roles"] = new JsonObject { ["attesters"] = "attester" } }),
        });
        string Token(string audience = "assay", string org = "demo", string roles = "attesters", string iss = "", long life = 300) => CompactJws.Write(key, Encoding.UTF8.GetBytes(new JsonObject
        {
            ["iss"] = iss.Length > 0 ? iss : address,
            ["aud"] = audience,
            ["sub"] = "worker-7",
            ["org"] = org,
            ["roles"] = new JsonArray(roles),
            ["exp"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + life,
        }.ToJsonString()));

        Assert.Equal(201, (await world.PostAsync("/v1/challenges", "{}", Token())).Status);
        // A role that is not mapped grants nothing, and no scope but the role's.
        Assert.Equal(403, (await world.PostAsync("/v1/challenges", "{}", Token(roles: "operator"))).Status);
        Assert.Equal(403, (await world.GetAsync("/v1/audit", Token())).Status);
        foreach (var wrong in (string[])[Token(audience: "other"), Token(org: "nowhere"), Token(org: "../demo"), Token(iss: "http://127.0.0.1:1"), Token(life: -3600), Token()[..^8] + "AAAAAAAA"])
        {
            Assert.Equal(401, (await world.PostAsync("/v1/challenges", "{}", wrong)).Status);
        }
    }

    [Fact]
    public async Task A_client_certificate_under_the_named_roots_logs_in_and_no_other_does()
    {
        using var roots = new Authority("clients");
        using var strangers = new Authority("strangers");
        using var worker = roots.Issue("worker");
        using var unlisted = roots.Issue("unlisted");
        using var forged = strangers.Issue("worker");
        var folder = Directory.CreateTempSubdirectory("assay-tls-");
        using var server = new Authority("localhost");
        server.Write(folder.FullName, "server");
        File.WriteAllText(Path.Combine(folder.FullName, "clients.pem"), roots.Certificate.ExportCertificatePem());
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["tls"] = new JsonObject { ["certificate"] = Path.Combine(folder.FullName, "server.pem"), ["key"] = Path.Combine(folder.FullName, "server.key"), ["clientCa"] = Path.Combine(folder.FullName, "clients.pem") };
            configuration["authentication"] = new JsonObject { ["certificates"] = new JsonArray(new JsonObject { ["subject"] = "CN=worker", ["tenant"] = "demo", ["roles"] = new JsonArray("attester") }) };
        });

        Assert.Equal(HttpStatusCode.Created, await AskAsync(world, worker));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(world, unlisted));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(world, null));
        // The same name under other roots does not even get a connection.
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(world, forged));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_renewed_certificate_is_served_without_a_restart_and_one_that_does_not_fit_its_key_is_not()
    {
        var folder = Directory.CreateTempSubdirectory("assay-tls-");
        using var first = new Authority("localhost");
        using var second = new Authority("localhost");
        first.Write(folder.FullName, "server");
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["tls"] = new JsonObject { ["certificate"] = Path.Combine(folder.FullName, "server.pem"), ["key"] = Path.Combine(folder.FullName, "server.key") });
        Assert.Equal(first.Certificate.Thumbprint, await ServedAsync(world));

        File.WriteAllText(Path.Combine(folder.FullName, "server.pem"), second.Certificate.ExportCertificatePem());
        while (!world.Logged.Any(line => line.Contains("not taken", StringComparison.Ordinal)))
        {
            Assert.Equal(first.Certificate.Thumbprint, await ServedAsync(world));
            await Task.Delay(200, Cancellation);
        }

        second.Write(folder.FullName, "server");
        while (await ServedAsync(world) != second.Certificate.Thumbprint)
        {
            await Task.Delay(200, Cancellation);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Two_servers_do_not_take_one_folder_of_collateral()
    {
        var folder = Directory.CreateTempSubdirectory("assay-collateral-");
        await using (var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["collateral"]!["folder"] = folder.FullName))
        {
            Assert.Equal(200, (await world.AttestAsync()).Status);
            var fault = await Assert.ThrowsAsync<ServiceException>(() => ServiceWorld.StartAsync(machine, configure: configuration => configuration["collateral"]!["folder"] = folder.FullName));
            Assert.Equal("service.collateral.held", fault.Id);
        }

        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("listen", "[\"0.0.0.0:0\"]", "loopback")]
    [InlineData("issuer", "\"https://attest.example.org\"", "loopback")]
    [InlineData("issuer", "\"https://nras.attestation.nvidia.com\"", "NVIDIA")]
    [InlineData("colateral", "{}", "unknown member")]
    [InlineData("roles", "[\"unknown\"]", "are known")]
    [InlineData("authentication", "{\"certificates\":[{\"subject\":\"CN=x\",\"tenant\":\"a\",\"roles\":[\"attester\"]}]}", "clientCa")]
    [InlineData("signing", "{\"leadSeconds\":1}", "leadSeconds")]
    public async Task A_configuration_that_cannot_be_meant_is_refused_with_its_member(string member, string json, string expected)
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var path = Path.Combine(world.Folder, "server.json");
        var configuration = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        configuration[member] = JsonNode.Parse(json);
        File.WriteAllText(path, configuration.ToJsonString());

        Assert.False(ServerConfiguration.TryRead(path, _ => null, out _, out var faults));
        Assert.Contains(faults, fault => fault.Contains(expected, StringComparison.Ordinal));
    }

    private static async Task<HttpStatusCode> AskAsync(ServiceWorld world, X509Certificate2? certificate)
    {
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, served, _, _) => served is not null };
        if (certificate is not null)
        {
            handler.ClientCertificates.Add(certificate);
        }

        using var client = new HttpClient(handler);
        using var content = new StringContent("{}", new MediaTypeHeaderValue("application/json"));
        using var answer = await client.PostAsync(new Uri($"{world.Host.Addresses[0].Replace("http:", "https:", StringComparison.Ordinal)}/v1/challenges"), content, Cancellation);
        return answer.StatusCode;
    }

    private static async Task<string> ServedAsync(ServiceWorld world)
    {
        var thumbprint = "";
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, served, _, _) => (thumbprint = served!.Thumbprint).Length > 0 };
        using var client = new HttpClient(handler);
        await client.GetAsync(new Uri($"{world.Host.Addresses[0].Replace("http:", "https:", StringComparison.Ordinal)}/healthz"), Cancellation);
        return thumbprint;
    }

    private sealed class Authority : IDisposable
    {
        private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        public Authority(string name)
        {
            var request = new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            Certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(30));
        }

        public X509Certificate2 Certificate { get; }

        public X509Certificate2 Issue(string name)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
            using var issued = request.Create(Certificate, TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddDays(1), RandomNumberGenerator.GetBytes(8));
            using var pair = issued.CopyWithPrivateKey(key);
            return X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
        }

        public void Write(string folder, string name)
        {
            File.WriteAllText(Path.Combine(folder, $"{name}.pem"), Certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, $"{name}.key"), _key.ExportPkcs8PrivateKeyPem());
        }

        public void Dispose()
        {
            Certificate.Dispose();
            _key.Dispose();
        }
    }
}
