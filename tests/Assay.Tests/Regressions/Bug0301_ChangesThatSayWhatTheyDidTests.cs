using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Service.Identity;
using Assay.Tests.Cli;
using Assay.Tests.Service;

namespace Assay.Tests.Regressions;

/// <summary>301, found by a new user: freezes of keys that do not exist succeeded, options were ignored, and changes that a state does not allow said that the key was changed in between.</summary>
public sealed class Bug0301_ChangesThatSayWhatTheyDidTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_freeze_of_a_key_that_the_tenant_never_had_is_refused_and_one_in_any_state_is_frozen()
    {
        await using var world = await StartAsync(configuration => configuration["broker"] = new JsonObject { ["destroyHours"] = 0 });
        var account = Account(world);
        var refused = _assay.Says(1, ["key", "freeze", "wieghts", "--reason", "a-test", .. account]);
        Assert.Contains("no key wieghts: nothing was frozen", refused, StringComparison.Ordinal);
        _assay.Says(0, ["key", "create", "weights", .. account]);
        _assay.Says(0, ["key", "destroy", "weights", "--confirm", "weights", .. account]);

        var frozen = _assay.Says(0, ["key", "freeze", "weights", "--reason", "a-test", .. account]);

        Assert.Contains("the log has no witness", frozen, StringComparison.Ordinal);
        Assert.Contains("lets no person of this tenant log in", frozen, StringComparison.Ordinal);
        Assert.Contains("destroyed, frozen", _assay.Says(0, ["key", "list", .. account]), StringComparison.Ordinal);
        var all = JsonElement.Parse(_assay.Run(["key", "freeze", "--reason", "a-test", "--format", "json", .. account]).Output.Split("assay:")[0]);
        Assert.Equal(32, all.GetProperty("id").GetString()!.Length);
        _assay.Says(0, ["key", "create", "another", .. account]);
        Assert.True(JsonElement.Parse(_assay.Says(0, ["key", "list", "another", "--format", "json", .. account])).GetProperty("frozen").GetBoolean());
    }

    [Fact]
    public async Task A_rotation_tells_what_becomes_of_the_version_before_and_random_bytes_over_an_imported_secret_are_confirmed()
    {
        await using var world = await StartAsync();
        var account = Account(world);
        await File.WriteAllBytesAsync(PathOf(world, "secret"), new byte[32], Cancellation);
        _assay.Says(0, ["key", "create", "made", .. account]);
        _assay.Says(0, ["key", "import", "brought", "--secret", PathOf(world, "secret"), .. account]);

        Assert.Contains("exclude each other", _assay.Says(2, ["key", "rotate", "made", "--secret", PathOf(world, "secret"), "--bytes", "16", .. account]), StringComparison.Ordinal);
        Assert.Contains("Version 2 is released from now on. Version 1 is kept", _assay.Says(0, ["key", "rotate", "made", .. account]), StringComparison.Ordinal);
        Assert.Contains("--confirm brought", _assay.Says(2, ["key", "rotate", "brought", .. account]), StringComparison.Ordinal);
        Assert.Contains("Version 2 is released", _assay.Says(0, ["key", "rotate", "brought", "--secret", PathOf(world, "secret"), .. account]), StringComparison.Ordinal);
        Assert.Contains("imported by its owner", _assay.Says(0, ["key", "show", "brought", .. account]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "rotate", "brought", "--confirm", "brought", .. account]);
        _assay.Says(0, ["key", "rotate", "brought", .. account]);
    }

    [Fact]
    public async Task What_a_state_does_not_allow_is_told_with_what_can_be_done()
    {
        await using var world = await StartAsync();
        var account = Account(world);
        _assay.Says(0, ["key", "create", "weights", "--two-persons", .. account]);
        _assay.Says(0, ["key", "create", "others", .. account]);
        var list = _assay.Says(0, ["key", "destroy", "others", "--confirm", "others", .. account]);

        Assert.Contains("will be destroyed at 20", list, StringComparison.Ordinal);
        foreach (var words in new[] { new[] { "enable", "others" }, ["destroy", "others", "--confirm", "others"], ["rotate", "others"] })
        {
            var refused = _assay.Says(1, ["key", .. words, .. account]);
            Assert.Contains("disabling takes it back", refused, StringComparison.Ordinal);
            Assert.DoesNotContain("changed in between", refused, StringComparison.Ordinal);
        }

        _assay.Says(0, ["key", "disable", "others", .. account]);
        Assert.Contains("enabled, two persons", _assay.Says(0, ["key", "list", .. account]), StringComparison.Ordinal);
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
