using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Broker.Approvals;
using Assay.Broker.Keys;
using Assay.Client.Guest;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>Two persons: who may be the second one, over what, until when, and what they cannot be made to approve.</summary>
public sealed class ApprovalTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    [Fact]
    public async Task A_policy_of_a_two_person_key_waits_for_the_second_and_the_key_is_released_only_then()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);

        Assert.Equal("urn:assay:second-person", (await PolicyAsync(world, owner, 1)).Problem);
        var waiting = await PolicyAsync(world, ann, 1);
        Assert.Equal(202, waiting.Status);
        Assert.Equal(0, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner)).Problem);

        // What the second person reads is whole, and its digest is that of what is read.
        var listed = Assert.Single((await world.GetAsync("/v1/approvals", bob)).Body.EnumerateArray());
        var act = listed.GetProperty("act").GetString()!;
        var digest = Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(act)));
        Assert.Equal(digest, listed.GetProperty("digest").GetString());
        var read = JsonElement.Parse(act);
        Assert.Equal(("key.policy", "weights", 1, "demo", $"{issuer.Address}#ann"), (read.GetProperty("act").GetString(), read.GetProperty("key").GetString(), read.GetProperty("revision").GetInt32(), read.GetProperty("tenant").GetString(), read.GetProperty("proposedBy").GetString()));
        var policy = read.GetProperty("policy").GetString()!;
        Assert.Equal("boot-event", JsonElement.Parse(policy).GetProperty("expect").GetProperty("binding").GetString());
        Assert.Equal(read.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal), read.EnumerateObject().Select(member => member.Name));

        Assert.Equal(204, (await ApproveAsync(world, bob, Id(waiting), digest)).Status);
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        Assert.Empty((await world.GetAsync("/v1/approvals", bob)).Body.EnumerateArray());
        var told = await EventAsync(world, owner, "key.policy");
        Assert.Equal(($"{issuer.Address}#bob", $"{issuer.Address}#ann", digest), (told.GetProperty("actor").GetString(), told.GetProperty("proposedBy").GetString(), told.GetProperty("act").GetString()));

        Assert.Equal(Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(policy))), told.GetProperty("policyDigest").GetString());

        // Once: neither again, nor by another.
        Assert.Equal(404, (await ApproveAsync(world, bob, Id(waiting), digest)).Status);
        Assert.Equal("two-person", (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("approval").GetString());
    }

    [Fact]
    public async Task No_other_than_a_second_person_of_the_tenant_approves_and_no_other_digest_counts()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var owner = await OwnerAsync(world);
        await OwnerAsync(world, "neighbour");
        await CreateAsync(world, owner);
        var waiting = await PolicyAsync(world, issuer.Person("ann"), 1);
        var (id, digest) = (Id(waiting), Digest(waiting));
        var other = await PolicyAsync(world, issuer.Person("ann"), 1, "another description of the same");

        (string Who, string Login, string Digest, string Problem)[] refused =
        [
            ("the proposer", issuer.Person("ann"), digest, "urn:assay:second-person"),
            ("the proposer with more roles", issuer.Person("ann", "demo", "key-owner", "auditor"), digest, "urn:assay:second-person"),
            ("an API key", owner, digest, "urn:assay:second-person"),
            ("a person who makes API keys", issuer.Person("carol", "demo", "key-owner", "tenant-admin"), digest, "urn:assay:second-person"),
            ("a person who makes tenants", issuer.Person("dave", "demo", "key-owner", "operator"), digest, "urn:assay:second-person"),
            ("a person without the scope", issuer.Person("erin", "demo", "tenant-admin"), digest, "urn:assay:forbidden"),
            ("a person of another tenant", issuer.Person("bob", "neighbour"), digest, "urn:assay:not-found"),
            ("another digest", issuer.Person("bob"), new string('0', 96), "urn:assay:approval-refused"),
            ("the digest of another act", issuer.Person("bob"), Digest(other), "urn:assay:approval-refused"),
            ("the digest in capitals", issuer.Person("bob"), digest.ToUpperInvariant(), "urn:assay:approval-refused"),
            ("no digest", issuer.Person("bob"), "", "urn:assay:approval-refused"),
        ];
        foreach (var (who, login, named, problem) in refused)
        {
            var answer = await ApproveAsync(world, login, id, named);
            Assert.True(answer.Problem == problem, $"{who}: {answer.Status} {answer.Body}");
        }

        Assert.Equal("urn:assay:bad-request", (await world.PostAsync($"/v1/approvals/{id}", "{}", issuer.Person("bob"))).Problem);
        Assert.Equal(0, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
        Assert.Empty((await world.GetAsync("/v1/approvals", issuer.Person("bob", "neighbour"))).Body.EnumerateArray());
        Assert.Equal(404, (await world.SendAsync(HttpMethod.Delete, $"/v1/approvals/{id}", null, issuer.Person("bob", "neighbour"))).Status);
        Assert.Equal(8L, Scalar(world, "SELECT COUNT(*) FROM log_entry WHERE kind = 'approval.refuse'"));
        Assert.Equal(204, (await ApproveAsync(world, issuer.Person("bob"), id, digest)).Status);
    }

    [Fact]
    public async Task Every_change_but_disabling_needs_two()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        await ApproveAsync(world, bob, await PolicyAsync(world, ann, 1));

        // An imported version is in no answer and no entry while it waits.
        var secret = RandomNumberGenerator.GetBytes(40);
        var import = await world.PostAsync("/v1/keys/weights/rotate", new JsonObject { ["revision"] = 2, ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), ann);
        Assert.Equal(202, import.Status);
        foreach (var text in (string[])[import.Body.ToString(), (await world.GetAsync("/v1/approvals", bob)).Body.ToString()])
        {
            Assert.DoesNotContain(Convert.ToBase64String(secret), text, StringComparison.Ordinal);
        }

        Assert.Equal(1, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("version").GetInt32());
        await ApproveAsync(world, bob, import);
        var released = await ReleaseAsync(world, owner);
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        using (var opened = await agent.UnwrapKeyAsync("release", released.Body.GetProperty("jwe").GetString()!, TestContext.Current.CancellationToken))
        {
            Assert.Equal(secret, opened.Use(lease => lease.Bytes.ToArray()));
        }

        await ApproveAsync(world, bob, await world.PostAsync("/v1/keys/weights/rotate", """{"revision":3,"bytes":48}""", ann));
        Assert.Equal(3, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("version").GetInt32());

        // One is enough to stop it, an API key too; to start it again two are needed.
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":4,"state":"disabled"}""", owner)).Status);
        Assert.Equal("urn:assay:second-person", (await world.PostAsync("/v1/keys/weights/state", """{"revision":5,"state":"enabled"}""", owner)).Problem);
        Assert.Equal("urn:assay:second-person", (await world.PostAsync("/v1/keys/weights/state", """{"revision":5,"state":"destroyed"}""", owner)).Problem);
        Assert.Equal("urn:assay:second-person", (await world.PostAsync("/v1/keys/weights/rotate", """{"revision":5,"bytes":32}""", owner)).Problem);
        var enabled = await world.PostAsync("/v1/keys/weights/state", """{"revision":5,"state":"enabled"}""", ann);
        Assert.Equal("disabled", (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("state").GetString());
        await ApproveAsync(world, bob, enabled);
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        await ApproveAsync(world, bob, await world.PostAsync("/v1/keys/weights/state", """{"revision":6,"state":"destroyed"}""", ann));
        Assert.Equal("urn:assay:key-state", (await world.PostAsync("/v1/keys/weights/state", """{"revision":7,"state":"enabled"}""", ann)).Problem);
        // What two destroy one alone does not keep.
        Assert.Equal("urn:assay:second-person", (await world.PostAsync("/v1/keys/weights/state", """{"revision":7,"state":"disabled"}""", owner)).Problem);
        await ApproveAsync(world, bob, await world.PostAsync("/v1/keys/weights/state", """{"revision":7,"state":"disabled"}""", ann));
        Assert.Equal("disabled", (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("state").GetString());
        // And no way leads back to one person.
        Assert.Equal("urn:assay:key-exists", (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Problem);
        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/keys", """{"id":"others","bytes":32,"approval":"one-person"}""", owner)).Problem);
    }

    [Fact]
    public async Task What_changed_after_the_proposal_is_not_approved_and_of_two_approvals_one_counts()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var lenient = await PolicyAsync(world, ann, 1, "first");
        var strict = await PolicyAsync(world, ann, 1, "second");

        await ApproveAsync(world, bob, strict);
        var late = await ApproveAsync(world, bob, Id(lenient), Digest(lenient));
        Assert.Equal("urn:assay:key-changed", late.Problem);
        Assert.Equal(1, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
        Assert.Equal(404, (await ApproveAsync(world, bob, Id(lenient), Digest(lenient))).Status);
        Assert.Equal("urn:assay:key-changed", (await PolicyAsync(world, ann, 1)).Problem);

        // Disabling is a change as well: what was proposed before it must be read again.
        var third = await PolicyAsync(world, ann, 2);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":2,"state":"disabled"}""", owner)).Status);
        Assert.Equal("urn:assay:key-changed", (await ApproveAsync(world, bob, Id(third), Digest(third))).Problem);

        var raced = await PolicyAsync(world, ann, 3);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(number => ApproveAsync(world, issuer.Person($"person-{number}"), Id(raced), Digest(raced))));
        Assert.Single(answers, answer => answer.Status == 204);
        Assert.Equal(2, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
    }

    [Fact]
    public async Task A_freeze_of_any_key_is_lifted_by_two_persons_over_the_digest_of_the_act()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        Assert.Equal(204, (await PolicyAsync(world, owner, 1)).Status);
        async Task<string> FreezeAsync(string reason) => (await world.PostAsync("/v1/freezes", $$"""{"reason":"{{reason}}"}""", owner)).Body.GetProperty("id").GetString()!;
        var (first, second) = (await FreezeAsync("a driver may be forged"), await FreezeAsync("a person left"));

        Assert.Equal("urn:assay:second-person", (await world.PostAsync($"/v1/freezes/{first}/lift", "{}", owner)).Problem);
        Assert.Equal(404, (await world.PostAsync($"/v1/freezes/{new string('0', 32)}/lift", "{}", ann)).Status);
        var lift = await world.PostAsync($"/v1/freezes/{first}/lift", "{}", ann);
        Assert.Equal(202, lift.Status);
        // Asking twice, or by two, lifts nothing: the second person approves what the first one proposed.
        Assert.Equal(202, (await world.PostAsync($"/v1/freezes/{first}/lift", "{}", ann)).Status);
        Assert.Equal(202, (await world.PostAsync($"/v1/freezes/{first}/lift", "{}", bob)).Status);
        Assert.Equal("urn:assay:second-person", (await ApproveAsync(world, ann, Id(lift), Digest(lift))).Problem);
        Assert.Equal("urn:assay:second-person", (await ApproveAsync(world, issuer.Person("carol", "demo", "key-owner", "tenant-admin"), Id(lift), Digest(lift))).Problem);
        Assert.Contains("a driver may be forged", JsonElement.Parse(lift.Body.GetProperty("act").GetString()!).GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner)).Problem);

        await ApproveAsync(world, bob, lift);
        Assert.Equal(second, Assert.Single((await world.GetAsync("/v1/freezes", owner)).Body.EnumerateArray()).GetProperty("id").GetString());
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner)).Problem);
        await ApproveAsync(world, ann, await world.PostAsync($"/v1/freezes/{second}/lift", "{}", bob));
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
    }

    [Fact]
    public async Task What_expired_or_was_withdrawn_is_not_approved_and_no_more_wait_than_can()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var withdrawn = await PolicyAsync(world, ann, 1);
        Assert.Equal(204, (await world.SendAsync(HttpMethod.Delete, $"/v1/approvals/{Id(withdrawn)}", null, owner)).Status);
        Assert.Equal(404, (await ApproveAsync(world, bob, Id(withdrawn), Digest(withdrawn))).Status);
        Assert.Equal(TimeSpan.FromHours(24), ApprovalStore.Life);
        var ends = withdrawn.Body.GetProperty("expiresAt").GetDateTimeOffset() - TimeProvider.System.GetUtcNow();
        Assert.InRange(ends, TimeSpan.FromHours(23), TimeSpan.FromHours(24));

        for (var number = 0; number < 16; number++)
        {
            Assert.Equal(202, (await PolicyAsync(world, ann, 1)).Status);
        }

        Assert.Equal("urn:assay:bad-request", (await PolicyAsync(world, ann, 1)).Problem);
        Assert.Equal(16, (await world.GetAsync("/v1/approvals", bob)).Body.GetArrayLength());
        // Those that ended make room.
        Scalar(world, "UPDATE broker_approval SET expires_at = 0");
        Assert.Equal(202, (await PolicyAsync(world, ann, 1)).Status);
        Assert.Equal(1L, Scalar(world, "SELECT COUNT(*) FROM broker_approval"));
    }

    [Fact]
    public async Task A_day_later_the_act_is_over_whatever_the_plain_column_says()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var waiting = await PolicyAsync(world, issuer.Person("ann"), 1);
        Scalar(world, $"UPDATE broker_approval SET expires_at = {long.MaxValue}");
        var services = world.Host.Services;
        var later = new ApprovalStore(services.GetRequiredService<ServiceDatabase>(), services.GetRequiredService<TransparencyLog>(), services.GetRequiredService<KeyEncryptionKey>(), new Later(ApprovalStore.Life));

        var pending = (await later.FindAsync("demo", Id(waiting), TestContext.Current.CancellationToken))!;

        Assert.True(later.IsExpired(pending));
        Assert.Empty(await later.ListAsync("demo", TestContext.Current.CancellationToken));
        Assert.Equal(KeyChange.NotApproved, (await services.GetRequiredService<KeyStore>().SetPolicyAsync("demo", "weights", 1, pending.Act.Policy!, "test", new Approved(later, pending), TestContext.Current.CancellationToken)).WhyNot);
        Assert.Equal(0, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());
    }

    [Fact]
    public async Task No_other_way_into_the_store_changes_a_two_person_key_and_an_approval_is_of_one_act()
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var (keys, approvals, cancellation) = (world.Host.Services.GetRequiredService<KeyStore>(), world.Host.Services.GetRequiredService<ApprovalStore>(), TestContext.Current.CancellationToken);

        Assert.False((await keys.SetPolicyAsync("demo", "weights", 1, "{}", "test", approved: null, cancellation)).IsDone);
        Assert.False((await keys.SetStateAsync("demo", "weights", 1, "destroyed", "test", approved: null, cancellation)).IsDone);
        Assert.False((await keys.RotateAsync("demo", "weights", 1, new NewVersion(new byte[32], IsImported: false), "test", approved: null, cancellation)).IsDone);

        // An approval of a rotation approves no policy, and no change of another key.
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"others","bytes":32,"approval":"two-person"}""", owner)).Status);
        foreach (var key in (string[])["weights", "others"])
        {
            var waiting = await world.PostAsync("/v1/keys/weights/rotate", """{"revision":1,"bytes":32}""", issuer.Person("ann"));
            var approved = new Approved(approvals, (await approvals.FindAsync("demo", Id(waiting), cancellation))!);
            Assert.False((await keys.SetPolicyAsync("demo", key, 1, "{}", "test", approved, cancellation)).IsDone);
        }

        Assert.Equal(1, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("revision").GetInt32());
    }

    [Theory]
    [InlineData("put back after it was withdrawn")]
    [InlineData("put back after it was done")]
    [InlineData("of another id")]
    [InlineData("changed")]
    public async Task A_row_that_was_written_into_the_database_approves_nothing(string how)
    {
        await using var issuer = await LoginIssuer.StartAsync();
        await using var world = await StartAsync(issuer);
        var (ann, bob) = (issuer.Person("ann"), issuer.Person("bob"));
        var owner = await OwnerAsync(world);
        await CreateAsync(world, owner);
        var waiting = await PolicyAsync(world, ann, 1, "first");
        var other = await PolicyAsync(world, ann, 1, "second");
        Scalar(world, "CREATE TABLE earlier AS SELECT * FROM broker_approval");
        switch (how)
        {
            case "put back after it was withdrawn":
                Assert.Equal(204, (await world.SendAsync(HttpMethod.Delete, $"/v1/approvals/{Id(waiting)}", null, owner)).Status);
                Scalar(world, $"INSERT INTO broker_approval SELECT * FROM earlier WHERE id = '{Id(waiting)}'");
                break;
            case "put back after it was done":
                await ApproveAsync(world, bob, waiting);
                Scalar(world, $"INSERT INTO broker_approval SELECT * FROM earlier WHERE id = '{Id(waiting)}'");
                break;
            case "of another id":
                Scalar(world, $"UPDATE broker_approval SET act_sealed = (SELECT act_sealed FROM earlier WHERE id = '{Id(other)}') WHERE id = '{Id(waiting)}'");
                break;
            default:
                Scalar(world, $"UPDATE broker_approval SET act_sealed = zeroblob(300) WHERE id = '{Id(waiting)}'");
                break;
        }

        var before = (await world.GetAsync("/v1/keys/weights", owner)).Body.ToString();
        var answer = await ApproveAsync(world, bob, Id(waiting), Digest(waiting));

        Assert.Equal(how == "put back after it was done" ? "urn:assay:key-changed" : "urn:assay:unavailable", answer.Problem);
        Assert.Equal(before, (await world.GetAsync("/v1/keys/weights", owner)).Body.ToString());
        Assert.True(how == "put back after it was done" || world.Logged.Any(line => line.Contains("service.broker.approvals", StringComparison.Ordinal)));
    }

    [Fact]
    public void Certificates_of_one_person_count_as_one_where_the_configuration_says_so()
    {
        static Caller Login(string subject, string? person) => Caller.Of(Caller.Principal("test", "demo", subject, [Scopes.Broker], person));

        Assert.Equal("https://login.example#ann", Login("certificate:0123", "https://login.example#ann").Person);
        Assert.Equal(Login("https://login.example#ann", null).Person, Login("certificate:0123", "https://login.example#ann").Person);
        Assert.NotEqual(Login("certificate:0123", null).Person, Login("certificate:4567", null).Person);
        Assert.False(Login("certificate:0123", null).MayMakeIdentities);
        Assert.True(Caller.Of(Caller.Principal("test", "demo", "x", [Scopes.Broker, Scopes.Keys])).MayMakeIdentities);
        Assert.True(Caller.Of(Caller.Principal("test", "demo", "x", [Scopes.Broker, Scopes.Operator])).MayMakeIdentities);
    }

    private JsonObject Policy(string? name = null)
    {
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        if (name is not null)
        {
            policy["conditions"] = new JsonObject { ["StringNotEquals"] = new JsonObject { ["assay:image:name"] = name } };
        }

        return policy;
    }

    private Task<ServiceAnswer> PolicyAsync(ServiceWorld world, string login, int revision, string? name = null) =>
        world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = revision, ["policy"] = Policy(name) }.ToJsonString(), login);

    private sealed class Later(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
    }

    private static string Id(ServiceAnswer waiting) => waiting.Body.GetProperty("id").GetString()!;

    private static string Digest(ServiceAnswer waiting) => waiting.Body.GetProperty("digest").GetString()!;

    private static Task<ServiceAnswer> ApproveAsync(ServiceWorld world, string login, string id, string digest) =>
        world.PostAsync($"/v1/approvals/{id}", new JsonObject { ["digest"] = digest }.ToJsonString(), login);

    private static async Task ApproveAsync(ServiceWorld world, string login, ServiceAnswer waiting)
    {
        Assert.True(waiting.Status == 202, waiting.Body.ToString());
        var answer = await ApproveAsync(world, login, Id(waiting), Digest(waiting));
        Assert.True(answer.Status == 204, answer.Body.ToString());
    }

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner)
    {
        var challenge = (await world.PostAsync("/v1/release-challenges", "{}", owner)).Body;
        var evidence = await machine.EvidenceAsync(challenge.GetProperty("nonce").GetString()!);
        return await world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{challenge.GetProperty("id").GetString()}}","evidence":{{evidence}}}""", owner);
    }

    private static async Task<JsonElement> EventAsync(ServiceWorld world, string owner, string kind)
    {
        var entry = await world.GetAsync($"/v1/log/entries/{Scalar(world, $"SELECT MAX(position) FROM log_entry WHERE kind = '{kind}'")}", owner);
        return JsonElement.Parse(entry.Body.GetProperty("entry").GetBytesFromBase64()).GetProperty("event");
    }

    private static Task<string> OwnerAsync(ServiceWorld world, string tenant = "demo") => world.KeyOfAsync(tenant, Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    private static async Task CreateAsync(ServiceWorld world, string owner) =>
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32,"approval":"two-person"}""", owner)).Status);

    private static long Scalar(ServiceWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Folder, "assay.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is long number ? number : -1;
    }

    private Task<ServiceWorld> StartAsync(LoginIssuer issuer) => ServiceWorld.StartAsync(machine, configure: configuration =>
    {
        configuration["roles"] = new JsonArray("attestation", "broker");
        configuration["authentication"] = issuer.Configuration;
    });
}
