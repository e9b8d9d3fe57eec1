using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Service.Identity;
using Assay.Tests.Architecture;
using Assay.Tests.Cli;
using Assay.Tests.Service;

namespace Assay.Tests.Regressions;

/// <summary>303, found by a new user: an act could not be taken back, a wrong file was a log that contradicts itself, and reasons and problems were explained nowhere.</summary>
public sealed class Bug0303_AuditorsAndApproversWordsTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_act_is_taken_back_at_the_command_line()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(configuration => configuration["authentication"] = issuer.Configuration);
        var account = Account(world);
        await WriteAsync(world, "ann", issuer.Person("ann"));
        Assert.DoesNotContain("lets no person", _assay.Says(0, ["key", "create", "weights", "--two-persons", .. account]), StringComparison.Ordinal);
        var act = JsonElement.Parse(_assay.Says(0, ["key", "rotate", "weights", "--format", "json", "--service", world.Issuer, "--credential", PathOf(world, "ann")])).GetProperty("id").GetString()!;

        Assert.Contains("no longer be approved", _assay.Says(0, ["key", "withdraw", act, .. account]), StringComparison.Ordinal);

        Assert.Contains("nothing waits", _assay.Says(0, ["key", "approvals", .. account]), StringComparison.Ordinal);
        Assert.Contains("not-found", _assay.Says(1, ["key", "withdraw", act, .. account]), StringComparison.Ordinal);
        var lines = _assay.Says(0, ["audit", "tail", "--log-key", PathOf(world, "log.key"), .. account]);
        Assert.Contains("weights  key.rotate", lines, StringComparison.Ordinal);
        Assert.Contains($"act {act}", lines, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_s_key_is_printed_and_a_wrong_one_or_a_wrong_file_is_no_contradiction()
    {
        await using var world = await StartAsync();
        await using var other = await StartAsync();
        var account = Account(world);
        var key = _assay.Says(0, ["audit", "key", .. account]);
        Assert.Contains((await File.ReadAllTextAsync(PathOf(world, "log.key"), Cancellation)).Trim(), key, StringComparison.Ordinal);
        Assert.Contains("compare it by another way", key, StringComparison.Ordinal);

        var wrong = _assay.Says(2, ["audit", "monitor", "--state", PathOf(world, "seen"), "--log-key", PathOf(other, "log.key"), .. account]);
        Assert.Contains("not signed by the key", wrong, StringComparison.Ordinal);
        await WriteAsync(world, "junk", "junk");
        var junk = _assay.Says(2, ["audit", "monitor", "--state", PathOf(world, "junk"), "--log-key", PathOf(world, "log.key"), .. account]);
        Assert.Contains("has no checkpoint that the key", junk, StringComparison.Ordinal);
        Assert.Equal("junk", await File.ReadAllTextAsync(PathOf(world, "junk"), Cancellation));
    }

    [Fact]
    public async Task The_logins_of_persons_that_the_page_shows_let_two_lift_a_freeze()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operations", "first-key.md"), Cancellation);
        var shown = page.Split("```json\n").Skip(1).Select(block => block.Split("```")[0]).Single(block => block.Contains("oidc", StringComparison.Ordinal));
        await using var world = await StartAsync(configuration => configuration["authentication"] = JsonNode.Parse(shown.Replace("https://login.example.org", issuer.Address, StringComparison.Ordinal).Replace("models", "demo", StringComparison.Ordinal))!["authentication"]!.DeepClone());
        foreach (var person in (string[])["ann", "bob"])
        {
            await WriteAsync(world, person, issuer.Person(person, "demo", "key-owners"));
        }

        var freeze = JsonElement.Parse(_assay.Says(0, ["key", "freeze", "--reason", "a-test", "--format", "json", .. Account(world)])).GetProperty("id").GetString()!;
        string[] As(string person) => ["--service", world.Issuer, "--credential", PathOf(world, person)];
        var act = JsonElement.Parse(_assay.Says(0, ["key", "unfreeze", freeze, "--format", "json", .. As("ann")]));
        _assay.Says(0, ["key", "approve", act.GetProperty("id").GetString()!, "--digest", act.GetProperty("digest").GetString()!, .. As("bob")]);

        Assert.Contains("nothing is frozen", _assay.Says(0, ["key", "freezes", .. Account(world)]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("urn:assay:release-denied", "assay audit tail")]
    [InlineData("urn:assay:log-contradicted", "newest backup")]
    [InlineData("frozen:0123456789abcdef0123456789abcdef", "assay key unfreeze")]
    [InlineData("condition:StringEquals:assay:cpu:tee", "assay key show")]
    [InlineData("boot-had-it", "Boot the machine again")]
    public void Problems_and_reasons_are_explained(string id, string cure) => Assert.Contains(cure, Folded(_assay.Says(0, "explain", id)), StringComparison.Ordinal);

    private static string Folded(string text) => string.Join(' ', text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

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
