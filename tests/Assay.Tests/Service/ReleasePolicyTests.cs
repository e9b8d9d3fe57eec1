using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Cli.Demo;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>Release policies on a running broker: conditions, their own tests, dry runs and named tiers.</summary>
public sealed class ReleasePolicyTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    [Fact]
    public async Task A_condition_that_does_not_hold_denies_the_key_and_answer_and_log_name_it()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await SetAsync(world, owner, 1, policy => policy["conditions"] = Conditions("""{"StringEquals":{"assay:cpu:tee":"snp"},"ForAllValues:VersionGreaterThanEquals":{"assay:gpu:driver-version":"580.95.05"}}"""));

        var denied = await ReleaseAsync(world, owner);

        Assert.Equal("urn:assay:release-denied", denied.Problem);
        Assert.Equal(["condition:StringEquals:assay:cpu:tee"], Texts(denied.Body, "failed"));
        var told = await world.EntryAsync(owner, denied);
        Assert.Equal(("denied", "conditions-unmet", "pass"), (told.GetProperty("outcome").GetString(), told.GetProperty("why").GetString(), told.GetProperty("verdict").GetString()));
        Assert.Equal(["condition:StringEquals:assay:cpu:tee"], Texts(told, "failed"));

        await SetAsync(world, owner, 2, policy => policy["conditions"] = Conditions("""
            {
              "StringEquals": { "assay:cpu:tee": "tdx", "assay:binding": "boot-event", "assay:gpu:cc-mode": "ppcie" },
              "ForAllValues:StringEquals": { "assay:gpu:model": "GH100" },
              "NumericGreaterThanEquals": { "assay:gpu:count": 2 },
              "ForAllValues:VersionGreaterThanEquals": { "assay:gpu:driver-version": "550.90.07", "assay:gpu:vbios-version": "96.00.9F.00.01" },
              "Bool": { "assay:boot:secure-boot": "true" }
            }
            """));
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
    }

    [Fact]
    public async Task A_denial_by_a_condition_looks_like_every_other_but_for_what_the_machine_itself_fails()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await SetAsync(world, owner, 1, policy => policy["conditions"] = Conditions("""{"StringEquals":{"assay:cpu:tee":"snp"}}"""));

        // Evidence that did not pass is told nothing of conditions.
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var evidence = JsonNode.Parse(await machine.EvidenceAsync(nonce))!;
        evidence["gpus"] = new JsonArray();
        var denied = await world.PostAsync("/v1/keys/weights/release", new JsonObject { ["challenge"] = id, ["evidence"] = evidence }.ToJsonString(), owner);

        Assert.Equal("urn:assay:release-denied", denied.Problem);
        Assert.DoesNotContain(Texts(denied.Body, "failed"), check => check.StartsWith("condition:", StringComparison.Ordinal));
        var conditioned = await ReleaseAsync(world, owner);
        Assert.Equal(denied.Body.EnumerateObject().Select(member => member.Name), conditioned.Body.EnumerateObject().Select(member => member.Name));
        Assert.DoesNotContain("conditions-unmet", conditioned.Body.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("snp", conditioned.Body.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_whose_own_tests_fail_is_not_set_and_one_whose_tests_pass_is()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var trial = await machine.TrialAsync();
        JsonArray Tests(string expect, params string[] failing) =>
            [new JsonObject { ["name"] = "the machine", ["expect"] = expect, ["evidence"] = JsonNode.Parse(trial), ["failing"] = new JsonArray([.. failing.Select(check => (JsonNode)check)]) }];

        var wrong = await PostPolicyAsync(world, owner, 1, policy => (policy["conditions"], policy["tests"]) = (Conditions("""{"StringEquals":{"assay:cpu:tee":"snp"}}"""), Tests("pass")));
        Assert.Equal("urn:assay:release-policy-tests-failed", wrong.Problem);
        Assert.Contains("condition:StringEquals:assay:cpu:tee", wrong.Body.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, (await world.GetAsync("/v1/keys/weights", owner)).Body.GetProperty("policyVersion").GetInt32());

        // A test without a key to seal to would get no key either.
        var keyless = JsonNode.Parse(trial)!.AsObject();
        keyless.Remove("key");
        var unsealed = await PostPolicyAsync(world, owner, 1, policy => policy["tests"] = new JsonArray(new JsonObject { ["name"] = "no key", ["expect"] = "pass", ["evidence"] = keyless }));
        Assert.Equal("urn:assay:release-policy-tests-failed", unsealed.Problem);

        await SetAsync(world, owner, 1, policy => (policy["conditions"], policy["tests"]) = (Conditions("""{"StringEquals":{"assay:cpu:tee":"snp"}}"""), Tests("fail", "condition:StringEquals:assay:cpu:tee")));
        await SetAsync(world, owner, 2, policy => (policy["conditions"], policy["tests"]) = (Conditions("""{"StringEquals":{"assay:cpu:tee":"tdx"}}"""), Tests("pass")));
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);

        var many = new JsonArray([.. Enumerable.Range(0, 21).Select(number => new JsonObject { ["name"] = $"{number}", ["expect"] = "fail", ["evidence"] = new JsonArray() })]);
        Assert.Equal("urn:assay:release-policy-refused", (await PostPolicyAsync(world, owner, 3, policy => policy["tests"] = many)).Problem);
    }

    [Fact]
    public async Task A_dry_run_tells_whether_the_machine_would_get_the_key_and_why_not_and_releases_nothing()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var trial = await machine.TrialAsync();
        Task<ServiceAnswer> DryRunAsync(JsonObject body, string? key = null) => world.PostAsync("/v1/keys/weights/policy/dry-run", body.ToJsonString(), key ?? owner);

        Assert.Equal("urn:assay:bad-request", (await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(trial) })).Problem);
        var draft = Policy(policy => policy["conditions"] = Conditions("""{"StringEquals":{"assay:cpu:tee":"snp"},"StringLike":{"assay:image:name":"no such image"}}"""));
        var refused = await DryRunAsync(new JsonObject { ["policy"] = draft.DeepClone(), ["evidence"] = JsonNode.Parse(trial) });
        Assert.Equal((200, false, "pass", "boot-event"), (refused.Status, refused.Body.GetProperty("released").GetBoolean(), refused.Body.GetProperty("verdict").GetString(), refused.Body.GetProperty("tier").GetString()));
        Assert.Equal(["conditions-unmet"], Texts(refused.Body, "why"));
        Assert.Equal(["condition:StringEquals:assay:cpu:tee", "condition:StringLike:assay:image:name"], Texts(refused.Body, "failed"));

        await SetAsync(world, owner, 1, _ => { });
        var before = await SizeAsync(world, owner);
        var released = await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(trial) });
        Assert.True(released.Body.GetProperty("released").GetBoolean(), released.Body.ToString());
        Assert.DoesNotContain("jwe", released.Body.ToString(), StringComparison.OrdinalIgnoreCase);

        // It uses no challenge: the same evidence is released for afterwards, and only then.
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        var evidence = await machine.EvidenceAsync(nonce);
        Assert.True((await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(evidence), ["challenge"] = nonce })).Body.GetProperty("released").GetBoolean());
        Assert.Equal(["evidence-refused"], Texts((await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(evidence), ["challenge"] = new string('2', 64) })).Body, "why"));
        Assert.Equal(before, await SizeAsync(world, owner));
        Assert.Equal(200, (await world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{id}}","evidence":{{evidence}}}""", owner)).Status);

        // What holds the key back beside the policy is told, too.
        Assert.Equal(201, (await world.PostAsync("/v1/freezes", """{"reason":"a trial"}""", owner)).Status);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/weights/state", """{"revision":2,"state":"disabled"}""", owner)).Status);
        var held = await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(trial) });
        Assert.False(held.Body.GetProperty("released").GetBoolean());
        Assert.Collection(Texts(held.Body, "why"), why => Assert.Equal("key-disabled", why), why => Assert.StartsWith("frozen:", why, StringComparison.Ordinal));

        // Another tenant's key, a machine's credential, evidence and policies that cannot be read.
        Assert.Equal(404, (await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(trial) }, await OwnerAsync(world, "neighbour", create: false))).Status);
        Assert.Equal(403, (await DryRunAsync(new JsonObject { ["evidence"] = JsonNode.Parse(trial) }, await world.KeyOfAsync("demo", Scopes.Release, Scopes.Read))).Status);
        Assert.Equal("urn:assay:release-evidence-malformed", (await DryRunAsync(new JsonObject { ["evidence"] = new JsonObject() })).Problem);
        Assert.Equal("urn:assay:release-policy-refused", (await DryRunAsync(new JsonObject { ["policy"] = new JsonObject { ["version"] = 1 } })).Problem);
    }

    [Theory]
    [InlineData("evidence-hash")]
    [InlineData("gpu-only")]
    public async Task A_weaker_tier_is_released_under_its_name_alone_and_never_silently(string tier)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var isHash = tier == "evidence-hash";
        void Weaken(JsonObject policy, params string[] accepted)
        {
            var expect = new JsonObject { ["gpus"] = DemoVm.Gpus, ["switches"] = DemoVm.Switches, ["binding"] = isHash ? "evidence-hash" : "none", ["acceptWeakened"] = new JsonArray([.. accepted.Select(name => (JsonNode)name)]) };
            policy["expect"] = expect;
        }

        async Task<string> WeakerAsync(string nonce)
        {
            var evidence = JsonNode.Parse(await machine.EvidenceAsync(nonce))!.AsObject();
            if (isHash)
            {
                evidence["cpu"]!.AsObject().Remove("eventLog");
            }
            else
            {
                evidence.Remove("cpu");
            }

            return evidence.ToJsonString();
        }

        // Under a policy of the full tier, and under one that names the binding but not what goes with it, nothing is released.
        await SetAsync(world, owner, 1, _ => { });
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner, WeakerAsync)).Problem);
        await SetAsync(world, owner, 2, policy => Weaken(policy));
        var silent = await ReleaseAsync(world, owner, WeakerAsync);
        var told = await world.EntryAsync(owner, silent);
        Assert.Equal(("verdict-weakened", tier), (told.GetProperty("why").GetString(), told.GetProperty("tier").GetString()));
        var unaccepted = Texts(told, "unaccepted");
        Assert.Contains(isHash ? "gpu-binding-evidence-hash" : "no-cpu-tee", unaccepted);

        await SetAsync(world, owner, 3, policy => Weaken(policy, unaccepted));
        var released = await ReleaseAsync(world, owner, WeakerAsync);

        Assert.True(released.Status == 200, released.Body.ToString());
        Assert.Equal((isHash ? "evidence-hash" : "none", tier), (released.Body.GetProperty("binding").GetString(), released.Body.GetProperty("tier").GetString()));
        var entry = JsonElement.Parse(released.Body.GetProperty("logEntry").GetBytesFromBase64()).GetProperty("event");
        Assert.Equal((isHash ? "evidence-hash" : "none", tier), (entry.GetProperty("binding").GetString(), entry.GetProperty("tier").GetString()));
        Assert.Equal(unaccepted, Texts(entry, "weakened"));
    }

    [Fact]
    public async Task A_policy_that_demands_its_images_in_the_log_releases_after_the_manifest_was_published_and_not_before()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal("urn:assay:release-policy-refused", (await PostPolicyAsync(world, owner, 1, policy =>
        {
            policy["manifestLogged"] = true;
            policy["expect"]!.AsObject().Remove("referenceValues");
        })).Problem);
        var manifest = machine.References.ToJsonString();
        await SetAsync(world, owner, 1, policy =>
        {
            policy["manifestLogged"] = true;
            policy["expect"]!["referenceValues"] = JsonNode.Parse(manifest);
        });
        var before = await ReleaseAsync(world, owner);
        Assert.Equal("manifest-not-logged", (await world.EntryAsync(owner, before)).GetProperty("why").GetString());
        var trial = new JsonObject { ["evidence"] = JsonNode.Parse(await machine.TrialAsync()) }.ToJsonString();
        Assert.Equal(["manifest-not-logged"], Texts((await world.PostAsync("/v1/keys/weights/policy/dry-run", trial, owner)).Body, "why"));

        // Another tenant's word is not this one's, and another manifest is not this one.
        Assert.Equal(201, (await world.PostAsync("/v1/manifests", $$"""{"manifest":{{manifest}}}""", await OwnerAsync(world, "neighbour", create: false))).Status);
        var other = JsonNode.Parse(manifest)!.AsObject();
        other["sequence"] = 77;
        Assert.Equal(201, (await world.PostAsync("/v1/manifests", new JsonObject { ["manifest"] = other }.ToJsonString(), owner)).Status);
        Assert.Equal("urn:assay:release-denied", (await ReleaseAsync(world, owner)).Problem);

        var published = await world.PostAsync("/v1/manifests", $$"""{"manifest":{{manifest}}}""", owner);

        Assert.True(published.Status == 201, published.Body.ToString());
        var entry = JsonElement.Parse((await world.GetAsync($"/v1/log/entries/{published.Body.GetProperty("logPosition").GetInt64()}", owner)).Body.GetProperty("entry").GetBytesFromBase64());
        Assert.Equal(($"manifest/{published.Body.GetProperty("digest").GetString()}", "manifest.publish"), (entry.GetProperty("subject").GetString(), entry.GetProperty("kind").GetString()));
        Assert.NotEmpty(Texts(entry.GetProperty("event"), "images"));
        Assert.True((await world.PostAsync("/v1/keys/weights/policy/dry-run", trial, owner)).Body.GetProperty("released").GetBoolean());
        Assert.Equal(200, (await ReleaseAsync(world, owner)).Status);
        Assert.All(
            (string[])["""{"manifest":{}}""", """{"manifest":7}""", """{"manifest":"text"}""", new JsonObject { ["manifest"] = JsonNode.Parse(manifest), ["keys"] = JsonNode.Parse("""{"keys":[]}""") }.ToJsonString()],
            body => Assert.Equal("urn:assay:manifest-refused", world.PostAsync("/v1/manifests", body, owner).GetAwaiter().GetResult().Problem));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_boot_phase_policy_releases_nothing_to_a_machine_that_has_booted_also_where_its_reference_values_name_no_gate(bool namesGate)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        await SetAsync(world, owner, 1, policy =>
        {
            policy["phase"] = "boot";
            if (!namesGate)
            {
                Assert.True(policy["expect"]!["referenceValues"]!.AsObject().Remove("gpuPolicies"));
                policy["expect"]!["acceptWeakened"] = new JsonArray("reference-values-unsigned", "boot-not-expected");
            }
        });

        var denied = await ReleaseAsync(world, owner);

        Assert.Equal("urn:assay:release-denied", denied.Problem);
        Assert.DoesNotContain("jwe", denied.Body.ToString(), StringComparison.Ordinal);
    }

    private JsonObject Policy(Action<JsonObject> change)
    {
        var policy = new JsonObject { ["version"] = 1, ["expect"] = machine.Policy("x", "x", "{}")["expect"]!.DeepClone() };
        change(policy);
        return policy;
    }

    private Task<ServiceAnswer> PostPolicyAsync(ServiceWorld world, string owner, int revision, Action<JsonObject> change) =>
        world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = revision, ["policy"] = Policy(change) }.ToJsonString(), owner);

    private async Task SetAsync(ServiceWorld world, string owner, int revision, Action<JsonObject> change)
    {
        var set = await PostPolicyAsync(world, owner, revision, change);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    private async Task<ServiceAnswer> ReleaseAsync(ServiceWorld world, string owner, Func<string, Task<string>>? evidence = null)
    {
        var (id, nonce) = await world.ReleaseChallengeAsync(owner);
        return await world.PostAsync("/v1/keys/weights/release", $$"""{"challenge":"{{id}}","evidence":{{await (evidence ?? machine.EvidenceAsync)(nonce)}}}""", owner);
    }

    private static JsonNode Conditions(string json) => JsonNode.Parse(json)!;

    private static string[] Texts(JsonElement body, string member) => [.. body.GetProperty(member).EnumerateArray().Select(item => item.GetString()!)];

    private static async Task<string> SizeAsync(ServiceWorld world, string owner) => await (await world.GetAsync("/v1/log/checkpoint", owner)).Response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    private static async Task<string> OwnerAsync(ServiceWorld world, string tenant = "demo", bool create = true)
    {
        var owner = await world.KeyOfAsync(tenant, Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        Assert.True(!create || (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status == 201);
        return owner;
    }

    private Task<ServiceWorld> StartAsync() => ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("attestation", "broker"));
}
