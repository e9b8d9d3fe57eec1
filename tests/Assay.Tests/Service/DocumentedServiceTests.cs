using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Attestation.Policies;
using Assay.Service.Identity;
using Assay.Service.Judging;
using Assay.Tests.Docs;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>What the pages about the service tell people to write and to call, on a running server. The commands of the first token are run by <see cref="CommandBlockTests"/>.</summary>
public sealed partial class DocumentedServiceTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static DocumentPage Reference => DocumentPage.Of("docs/reference/service.md");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_complete_policy_is_the_sample_and_with_a_manifest_and_evidence_its_tests_pass()
    {
        var shown = Reference.Blocks.Single(block => block.Language == "json").Text;
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, "samples", "service", "machine.json")), shown);
        Assert.True(ServicePolicy.TryParse(Encoding.UTF8.GetBytes(shown), out _, out var fault), fault);

        await using var world = await ServiceWorld.StartAsync(machine);
        File.WriteAllText(Path.Combine(world.Folder, "references.json"), machine.References.ToJsonString());
        File.WriteAllText(Path.Combine(world.Folder, "machine.json"), await machine.TrialAsync());
        var commands = Reference.Blocks.Single(block => block.Language == "bash").Text.Replace("samples/", $"{Repository.Root}/samples/", StringComparison.Ordinal);
        var filled = Peer.Require("bash").Run("-c", $"set -euo pipefail; cd '{world.Folder}'\n{commands}");
        Assert.True(filled.Accepted, filled.Output);

        Assert.True(CompiledPolicy.TryCompile("demo", 1, File.ReadAllBytes(Path.Combine(world.Folder, "policy.json")), out var policy, out fault), fault);
        var report = await world.Host.Services.GetRequiredService<PolicyTrial>().TestAsync(policy, Cancellation);
        Assert.True(report.Passed, string.Join('\n', report.Tests));
        Assert.Equal(2, report.Tests.Length);
    }

    /// <summary>Both ways: no member without an example, and no example that the reader does not take.</summary>
    [Theory]
    [InlineData("expect", typeof(PolicyExpectations))]
    [InlineData("token", typeof(PolicyToken))]
    [InlineData("tests", typeof(PolicyTest))]
    public void Every_member_of_a_policy_has_an_example_that_the_reader_takes_and_of_another_type_it_does_not(string member, Type type)
    {
        var section = Section($"### Members of `{member}`");
        var examples = Example().Matches(section).Select(row => $"{{{row.Groups[1].Value}}}").Select(text => Assert.Single(JsonNode.Parse(text)!.AsObject())).ToArray();

        Assert.Equal(type.GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)).Order(StringComparer.Ordinal), examples.Select(example => example.Key).Order(StringComparer.Ordinal));
        Assert.True(Reads(member, examples, out var fault), fault);
        foreach (var example in examples.Where(example => example.Key != "evidence"))
        {
            Assert.False(Reads(member, examples.Select(each => each.Key == example.Key ? KeyValuePair.Create<string, JsonNode?>(each.Key, new JsonArray(new JsonArray())) : each), out _), example.Key);
        }
    }

    [Theory]
    [InlineData("attestation")]
    [InlineData("broker")]
    public async Task The_table_of_endpoints_has_the_scope_of_each(string role)
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = role == "broker" ? new JsonArray("attestation", "broker") : new JsonArray("attestation"));
        var used = world.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<RequiredScope>() is not null)
            .Select(endpoint => $"{endpoint.Metadata.GetMetadata<RequiredScope>()!.Scope}: {endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Single()} /{endpoint.RoutePattern.RawText!.Trim('/').Replace(":long", "", StringComparison.Ordinal)}");
        var tables = role == "broker" ? Section("## Endpoints") + File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "broker.md")).Split("## Endpoints")[1] : Section("## Endpoints");
        var documented = Row().Matches(tables).SelectMany(row => Code().Matches(row.Groups[2].Value).Select(code => $"{row.Groups[1].Value}: {code.Groups[1].Value}"));

        Assert.Equal(used.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Revocation_wants_a_reason_and_discovery_does_not_see_it_withdrawal_wants_a_kid_and_times_are_what_the_page_says()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var attested = (await world.AttestAsync()).Body;
        var (appraisal, token) = (attested.GetProperty("id").GetString(), Path.Combine(world.Folder, "token.jwt"));
        File.WriteAllText(token, attested.GetProperty("token").GetString());
        Assert.Equal("urn:assay:bad-request", (await world.PostAsync($"/v1/appraisals/{appraisal}/revoke", "{}")).Problem);
        Assert.Equal(204, (await world.PostAsync($"/v1/appraisals/{appraisal}/revoke", """{"reason":"a trial"}""")).Status);

        var row = (await world.GetAsync("/v1/appraisals")).Body[0];
        Assert.All((string[])["at", "tokenEnds", "revokedAt"], name => Assert.InRange(DateTimeOffset.FromUnixTimeMilliseconds(row.GetProperty(name).GetInt64()), DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(200)));
        var revoked = (await world.GetAsync("/v1/revoked-tokens")).Body[0];
        Assert.All((string[])["revokedAt", "exp"], name => Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(revoked.GetProperty(name).GetInt64()), DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(200)));
        Assert.Equal(JsonValueKind.String, (await world.GetAsync("/v1/audit")).Body[0].GetProperty("at").ValueKind);

        var verified = await Task.Run(() => Peer.Require("dotnet").Run(
            Path.Combine(AppContext.BaseDirectory, "assay.dll"), "token", "verify", token, "--discover", "--issuer", world.Issuer, "--audience", ServiceWorld.Audience, "--accept-anchors", "simulated", "--accept-weakened", "reference-values-unsigned"), Cancellation);
        Assert.True(verified.Accepted, verified.Output);

        var kid = (await world.GetAsync("/.well-known/jwks.json")).Body.GetProperty("keys")[0].GetProperty("kid").GetString();
        Assert.Equal(204, (await world.PostAsync($"/v1/signing-keys/{kid}/withdraw", "", world.OperatorKey)).Status);
        Assert.DoesNotContain(kid!, (await world.GetAsync("/.well-known/jwks.json")).Body.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cached", true, false)]
    [InlineData("forward", true, true)]
    [InlineData("forward", false, false)]
    public async Task Behind_a_proxy_NVIDIAs_overall_result_is_true_only_with_forwarded_nonces_and_no_appraisal_passes_before_it_knows_a_chain(string nonce, bool learns, bool overall)
    {
        var folder = Directory.CreateTempSubdirectory("assay-proxy-").FullName;
        string Write(string name, byte[] bytes)
        {
            var path = Path.Combine(folder, name);
            File.WriteAllBytes(path, bytes);
            return path;
        }

        string Devices(string kind) => Write($"{kind}.json", Encoding.UTF8.GetBytes(machine.NvidiaRequest(NewNonce(), "3.0", kind)));
        string[] learn = learns ? ["--learn", Devices("gpu"), Devices("switch")] : [];
        string[] words =
        [
            Path.Combine(AppContext.BaseDirectory, "assay.dll"), "collateral", "serve", "--listen", "127.0.0.1:0", "--nonce", nonce, "--anchors", Write("anchors.json", machine.Anchors),
            "--rim-url", machine.Services, "--ocsp-url", machine.Services, "--crl-url", "none", "--intel-url", machine.Services, "--intel-root-crl-url", "pccs", "--amd-url", "none", .. learn,
        ];
        using var proxy = Process.Start(new ProcessStartInfo("dotnet", words) { RedirectStandardOutput = true })!;
        try
        {
            var line = await proxy.StandardOutput.ReadLineAsync(Cancellation);
            Assert.StartsWith("serving collateral on http://127.0.0.1:", line, StringComparison.Ordinal);
            // Without a policy of the configuration, whose test could not pass where the proxy knows no chain.
            await using var world = await ServiceWorld.StartAsync(machine, configure: configuration =>
            {
                configuration["collateral"] = new JsonObject { ["url"] = line!.Split(' ')[3] };
                configuration["attestation"] = new JsonObject { ["nrasAnonymousTenant"] = "demo" };
            });

            var answer = await world.PostAsync("/v4/attest/gpu", machine.NvidiaRequest(NewNonce(), "4.0"), "");

            Assert.True(answer.Status == 200 && CompactJws.TryParse(answer.Body[0][1].GetString(), out var token, out _) && token.Payload.GetProperty("x-nvidia-overall-att-result").GetBoolean() == overall, answer.Body.ToString());
            Assert.Equal("anonymous", (await world.GetAsync("/v1/audit")).Body[0].GetProperty("event").GetProperty("actor").GetString());
            Assert.Equal(204, (await world.SendAsync(HttpMethod.Put, "/v1/audiences", $$"""{"audience":"{{ServiceWorld.Audience}}","tenant":"demo"}""", world.OperatorKey)).Status);
            Assert.Equal(201, (await world.PostAsync("/v1/policies", machine.Policy("proxied", ServiceWorld.Audience, await machine.TrialAsync()).ToJsonString())).Status);
            var activated = await world.PostAsync("/v1/policies/proxied/versions/1/activate", "");
            Assert.True(activated.Status == (learns ? 204 : 409), activated.Body.ToString());
            Assert.True(learns || activated.Body.ToString().Contains("device.chain.not-revoked", StringComparison.Ordinal), activated.Body.ToString());
        }
        finally
        {
            proxy.Kill();
            await proxy.WaitForExitAsync(Cancellation);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task The_documented_backup_is_made_while_the_server_runs_and_its_owner_alone_reads_it()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/sqlite3"), "sqlite3 is not installed");
        await using var world = await ServiceWorld.StartAsync(machine);
        var commands = DocumentPage.Of("docs/operations/service.md").Blocks.Single(block => block.Text.Contains("VACUUM", StringComparison.Ordinal)).Text;

        var answer = Peer.Require("bash").Run("-c", $"set -euo pipefail; cd '{world.Folder}'\n{commands}");

        Assert.True(answer.Accepted, answer.Output);
        Assert.True(new FileInfo(Path.Combine(world.Folder, "backup.db")) is { Length: > 0 } backup && (OperatingSystem.IsWindows() || backup.UnixFileMode == (UnixFileMode.UserRead | UnixFileMode.UserWrite)));
    }

    private static string NewNonce() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private static bool Reads(string member, IEnumerable<KeyValuePair<string, JsonNode?>> members, out string? fault)
    {
        var value = new JsonObject(members.Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));
        var document = new JsonObject { ["version"] = 1, ["id"] = "x", ["audiences"] = new JsonArray("https://x.example"), ["expect"] = new JsonObject() };
        document[member] = member == "tests" ? new JsonArray(value) : value;
        return CompiledPolicy.TryCompile("x", 1, Encoding.UTF8.GetBytes(document.ToJsonString()), out _, out fault);
    }

    private static string Section(string heading)
    {
        var text = Reference.Text;
        var from = text.IndexOf(heading + "\n", StringComparison.Ordinal);
        Assert.True(from >= 0, heading);
        var next = Heading().Match(text, from + heading.Length);
        return text[from..(next.Success ? next.Index : text.Length)];
    }

    [GeneratedRegex("^##+ ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\| `(""\w+"": .+?)` \|", RegexOptions.Multiline)]
    private static partial Regex Example();

    [GeneratedRegex(@"^\| `([a-z]+)` \| (.+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([A-Z]+ /[^`]+)`")]
    private static partial Regex Code();
}
