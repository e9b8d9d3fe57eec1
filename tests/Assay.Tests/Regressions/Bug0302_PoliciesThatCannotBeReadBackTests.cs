using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Service.Identity;
using Assay.Tests.Cli;
using Assay.Tests.Service;

namespace Assay.Tests.Regressions;

/// <summary>302, found by a new user: a policy could not be read back, words that never hold were accepted, and a dry run had no form for people.</summary>
public sealed class Bug0302_PoliciesThatCannotBeReadBackTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_policy_is_read_back_with_its_digest_and_a_change_names_the_revision_that_was_read()
    {
        await using var world = await StartAsync();
        var account = Account(world);
        _assay.Says(0, ["key", "create", "weights", .. account]);
        Assert.Contains("released to no machine", _assay.Says(0, ["key", "show", "weights", .. account]), StringComparison.Ordinal);
        Assert.Equal(404, (await world.GetAsync("/v1/keys/weights/policy", await File.ReadAllTextAsync(PathOf(world, "owner"), Cancellation))).Status);

        var set = _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), "--revision", "1", .. account]);

        var json = JsonElement.Parse(_assay.Says(0, ["key", "show", "weights", "--format", "json", .. account]));
        var policy = json.GetProperty("policy");
        Assert.Equal((1, 2), (policy.GetProperty("version").GetInt32(), policy.GetProperty("revision").GetInt32()));
        Assert.Contains($"SHA-384 {policy.GetProperty("digest").GetString()}", set, StringComparison.Ordinal);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "release.json"), Cancellation)), JsonNode.Parse(policy.GetProperty("text").GetString()!)));
        var shown = _assay.Says(0, ["key", "show", "weights", .. account]);
        Assert.Contains("\"binding\": \"boot-event\"", shown, StringComparison.Ordinal);
        Assert.Contains("revision   2", shown, StringComparison.Ordinal);
        // Two owners who have read the same: the second one is told.
        Assert.Contains("key-changed", _assay.Says(1, ["key", "disable", "weights", "--revision", "1", .. account]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "disable", "weights", "--revision", "2", .. account]);

        var lines = _assay.Says(0, ["audit", "tail", "--log-key", PathOf(world, "log.key"), .. account]);
        Assert.Contains($"policy 1 {policy.GetProperty("digest").GetString()![..12]}", lines, StringComparison.Ordinal);
        Assert.Contains("state disabled", lines, StringComparison.Ordinal);
        Assert.Contains("why: changed in between", lines, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_that_never_hold_are_refused_with_the_one_that_was_meant()
    {
        await using var world = await StartAsync();
        var account = Account(world);
        _assay.Says(0, ["key", "create", "weights", .. account]);
        foreach (var (change, told) in new (Action<JsonObject>, string)[]
        {
            (policy => policy["expect"]!["acceptWeakened"] = new JsonArray("reference-values-unsinged"), "did you mean reference-values-unsigned"),
            (policy => policy["expect"]!["acceptWeakened"] = new JsonArray("channel-any-operator"), "not a weakening of a verdict"),
            (policy => policy["conditions"] = JsonNode.Parse("""{"StringEquals":{"assay:cpu:tee":"TDX"}}"""), "did you mean tdx"),
            (policy => policy["conditions"] = JsonNode.Parse("""{"StringNotEquals":{"assay:platform":["unknwon"]}}"""), "did you mean unknown"),
            (policy => policy["conditions"] = JsonNode.Parse("""{"StringEquals":{"assay:binding":"boot-events"}}"""), "one of boot-event, evidence-hash, none"),
            (policy => policy["conditions"] = JsonNode.Parse("""{"ForAllValues:StringEquals":{"assay:gpu:measurements":"passed"}}"""), "one of success, fail, not-run"),
        })
        {
            var policy = JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "release.json"), Cancellation))!.AsObject();
            change(policy);
            await WriteAsync(world, "wrong.json", policy.ToJsonString());
            Assert.Contains(told, _assay.Says(1, ["key", "policy", "weights", "--file", PathOf(world, "wrong.json"), .. account]), StringComparison.Ordinal);
        }

        await WriteAsync(world, "broken.json", "{\n  \"version\": 1,,\n}");
        var broken = _assay.Says(2, ["key", "policy", "weights", "--file", PathOf(world, "broken.json"), .. account]);
        Assert.Contains("malformed JSON, line 2, byte 16", broken, StringComparison.Ordinal);
        Assert.DoesNotContain("BytePositionInLine", broken, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_says_to_people_whether_and_why_not_and_programs_have_the_exit_code()
    {
        await using var world = await StartAsync();
        var account = Account(world);
        _assay.Says(0, ["key", "create", "weights", .. account]);
        _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. account]);
        await WriteAsync(world, "machine.json", await machine.EvidenceAsync(new string('1', 64)));

        Assert.Contains("no evidence given: the policy was read, and its tests run", _assay.Says(0, ["key", "dry-run", "weights", .. account]), StringComparison.Ordinal);
        Assert.Contains("would be released: binding boot-event, tier boot-event", _assay.Says(0, ["key", "dry-run", "weights", "--evidence", PathOf(world, "machine.json"), .. account]), StringComparison.Ordinal);
        Assert.Contains("cli.at", _assay.Says(2, ["key", "dry-run", "weights", "--at", "tomorrow", .. account]), StringComparison.Ordinal);
        Assert.Contains("would be released", _assay.Says(0, ["key", "dry-run", "weights", "--evidence", PathOf(world, "machine.json"), "--at", Assay.Wire.Utc.Text(TimeProvider.System.GetUtcNow()), .. account]), StringComparison.Ordinal);
        Assert.Contains("reference", _assay.Says(1, ["key", "dry-run", "weights", "--evidence", PathOf(world, "machine.json"), "--at", "2001-01-01T00:00:00Z", .. account]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "disable", "weights", .. account]);
        var disabled = _assay.Says(1, ["key", "dry-run", "weights", "--evidence", PathOf(world, "machine.json"), .. account]);
        Assert.Contains("would not be released, because", disabled, StringComparison.Ordinal);
        Assert.Contains("key-disabled: The key is disabled", disabled, StringComparison.Ordinal);
        Assert.False(JsonElement.Parse(_assay.Says(1, ["key", "dry-run", "weights", "--evidence", PathOf(world, "machine.json"), "--format", "json", .. account])).GetProperty("released").GetBoolean());
    }

    private async Task<ServiceWorld> StartAsync(Action<JsonObject>? configure = null)
    {
        var world = await ServiceWorld.StartAsync(machine, configure: configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configure?.Invoke(configuration);
        });
        await WriteAsync(world, "owner", await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit));
        await WriteAsync(world, "log.key", await (await world.GetAsync("/v1/log/key", await File.ReadAllTextAsync(PathOf(world, "owner"), Cancellation))).Response.Content.ReadAsStringAsync(Cancellation));
        await WriteAsync(world, "release.json", new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() }.ToJsonString());
        return world;
    }

    private static string[] Account(ServiceWorld world) => ["--service", world.Issuer, "--credential", PathOf(world, "owner")];

    private static Task WriteAsync(ServiceWorld world, string name, string text) => File.WriteAllTextAsync(PathOf(world, name), text, Cancellation);

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);
}
