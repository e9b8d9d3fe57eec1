using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Tests.Cli;
using Assay.Tests.Service;

namespace Assay.Tests.Regressions;

/// <summary>298, found by a new user: keys could be named . and .., which clients take out of addresses, and -x, which commands take for an option; nothing could be done with them any more.</summary>
public sealed class Bug0298_KeysThatNoAddressNamesTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static readonly string[] s_service = ["--service", "http://127.0.0.1:1", "--credential", "none"];

    [Fact]
    public async Task A_name_begins_and_ends_with_a_letter_or_digit()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new System.Text.Json.Nodes.JsonArray("attestation", "broker"));
        var owner = await world.KeyOfAsync("demo", Scopes.Broker, Scopes.Read, Scopes.Policy);

        foreach (var name in (string[])[".", "..", ".a", "a.", "-a", "a-", ""])
        {
            var answer = await world.PostAsync("/v1/keys", $$"""{"id":"{{name}}","bytes":32}""", owner);
            Assert.Equal((400, "urn:assay:bad-request"), (answer.Status, answer.Problem));
            Assert.Contains("the first and the last a letter or digit", answer.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"a.b-c","bytes":32}""", owner)).Status);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"0","bytes":32}""", owner)).Status);
        var policy = await world.PostAsync("/v1/policies", machine.Policy("-demo", "https://other.example", await machine.TrialAsync()).ToJsonString(), owner);
        Assert.Equal("urn:assay:policy-malformed", policy.Problem);
    }

    [Fact]
    public void What_a_database_already_has_is_still_read()
    {
        Assert.All([".", "..", "-a", "a-"], name => Assert.True(ResourceName.WasValid(name) && !ResourceName.IsValid(name)));
        Assert.All(["", "A", "a/b", "ä", new string('a', 65)], name => Assert.False(ResourceName.WasValid(name)));
    }

    [Theory]
    [InlineData("create", ".a")]
    [InlineData("create", "a-")]
    [InlineData("create", "..")]
    [InlineData("list", ".")]
    [InlineData("show", "..")]
    [InlineData("disable", "A")]
    [InlineData("freeze", "..", "--reason", "x")]
    public void The_command_asks_for_no_key_that_it_would_not_reach(string command, string name, params string[] rest)
    {
        Assert.Contains("the first and the last a letter or digit", new AssayCommand().Says(2, ["key", command, name, .. rest, .. s_service]), StringComparison.Ordinal);
    }
}
