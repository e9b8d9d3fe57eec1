using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>The service as its users meet it, on SQLite, and what its attackers try.</summary>
public sealed class ServiceTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_machine_gets_a_token_through_challenge_and_appraisal_and_discovery_alone_verifies_it()
    {
        await using var world = await ServiceWorld.StartAsync(machine);

        var answer = await world.AttestAsync();

        Assert.True(answer.Status == 200, answer.Body.ToString());
        Assert.Equal(("pass", ServiceWorld.PolicyId, 1), (answer.Body.GetProperty("verdict").GetString(), answer.Body.GetProperty("policy").GetString(), answer.Body.GetProperty("policyVersion").GetInt32()));
        var configuration = (await world.GetAsync("/.well-known/openid-configuration", "")).Body;
        Assert.Equal(world.Issuer, configuration.GetProperty("issuer").GetString());
        var set = await world.Client.GetByteArrayAsync(new Uri(configuration.GetProperty("jwks_uri").GetString()!), Cancellation);
        Assert.True(JsonWebKeySet.TryParse(set, out var keys, out var fault), fault?.ToString());
        var expected = new EatExpectations
        {
            Nonce = null,
            Issuer = world.Issuer,
            Audience = ServiceWorld.Audience,
            Time = new EvaluationTime(TimeProvider.System.GetUtcNow(), Checks.TimeSource.System),
            DangerouslyAcceptedWeakenings = ["reference-values-unsigned"],
            RequiredBinding = GpuBinding.BootEvent,
            OtherAnchors = [TrustSetKind.Simulated],
        };
        Assert.True(EatReader.TryVerify(answer.Body.GetProperty("token").GetString(), keys, expected, out var verified, out var findings), string.Join("\n", findings));
        Assert.Equal($"{ServiceWorld.PolicyId}", verified.Claims.GetProperty("x-assay-policy").GetProperty("id").GetString());
        Assert.False(EatReader.TryVerify(answer.Body.GetProperty("token").GetString(), keys, expected with { Audience = "https://other.example" }, out _, out _));
    }

    [Theory]
    [InlineData("eat", "ES256", "ES256")]
    [InlineData("eat", "RS256", "RS256")]
    [InlineData("ear-trustee", "ES256", "ES256")]
    [InlineData("ear-nvidia", "ES384", "ES384")]
    [InlineData("bundle", "ES384", "ES384")]
    public async Task A_policy_prescribes_form_and_algorithm(string form, string algorithm, string expected)
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => policy["token"] = new JsonObject { ["form"] = form, ["algorithm"] = algorithm });

        var answer = await world.AttestAsync();

        Assert.True(answer.Status == 200, answer.Body.ToString());
        var text = answer.Body.GetProperty("token").GetString()!;
        var jws = form == "bundle" ? JsonElement.Parse(text)[0][1].GetString() : text;
        Assert.True(CompactJws.TryParse(jws, out var token, out _));
        Assert.Equal(expected, token.Header.GetProperty("alg").GetString());
        Assert.Equal(ServiceWorld.Audience, token.Payload.GetProperty("aud").GetString());
    }

    [Theory]
    [InlineData("aws", "sts.amazonaws.com", "ES384")]
    [InlineData("azure", "api://AzureADTokenExchange", "RS256")]
    [InlineData("vault", "https://vault.example", "ES384")]
    public async Task A_token_for_a_cloud_is_sealed_to_the_attested_key_and_bears_nothing_for_whoever_sees_it(string kind, string audience, string algorithm)
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy =>
        {
            policy["audiences"] = new JsonArray(audience);
            policy["token"] = new JsonObject { ["form"] = "cloud", ["algorithm"] = algorithm, ["cloud"] = new JsonObject { ["kind"] = kind } };
        });

        var answer = await world.AttestAsync(audience);

        Assert.True(answer.Status == 200, answer.Body.ToString());
        var parts = answer.Body.GetProperty("token").GetString()!.Split('.');
        Assert.Equal(5, parts.Length);
        Assert.Equal("cloud", answer.Body.GetProperty("form").GetString());
        Assert.InRange(answer.Body.GetProperty("expiresAt").GetDateTimeOffset(), DateTimeOffset.MinValue, TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(301));
        // Of the machine's key, and of no other: its sender chose none.
        var header = JsonElement.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(parts[0]));
        Assert.StartsWith("ECDH-ES", header.GetProperty("alg").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_answered_once_is_spent_and_old_evidence_answers_no_new_challenge()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var (id, nonce) = await world.ChallengeAsync();
        var evidence = await machine.EvidenceAsync(nonce);
        Assert.Equal(200, (await world.AppraiseAsync(id, evidence)).Status);

        Assert.Equal("urn:assay:challenge-spent", (await world.AppraiseAsync(id, evidence)).Problem);
        var replay = await world.AppraiseAsync((await world.ChallengeAsync()).Id, evidence);
        Assert.Equal((422, "urn:assay:evidence-refused"), (replay.Status, replay.Problem));
        Assert.Contains("report.nonce.match", replay.Body.GetProperty("failed").EnumerateArray().Select(item => item.GetString()));
        // What was found and expected is for the tenant's readers, not for whoever is judged.
        Assert.DoesNotContain(nonce, replay.Body.ToString(), StringComparison.Ordinal);
        var record = await world.GetAsync($"/v1/appraisals/{replay.Body.GetProperty("appraisal").GetString()}");
        Assert.Equal("fail", record.Body.GetProperty("verdict").GetProperty("verdict").GetString());
    }

    [Fact]
    public async Task A_challenge_is_redeemed_exactly_once_under_a_thousand_racing_requests()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var (id, _) = await world.ChallengeAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => world.AppraiseAsync(id, "{}")));

        Assert.Equal(1, answers.Count(answer => answer.Problem == "urn:assay:evidence-malformed"));
        Assert.Equal(999, answers.Count(answer => answer.Problem == "urn:assay:challenge-spent"));
    }

    [Fact]
    public async Task The_caller_chooses_no_policy_no_audience_of_others_and_no_challenge_of_others()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var other = await world.KeyOfAsync("neighbour", Scopes.Attest, Scopes.Read, Scopes.Policy);
        var (id, nonce) = await world.ChallengeAsync();
        var evidence = await machine.EvidenceAsync(nonce);

        Assert.Equal("urn:assay:bad-request", (await world.PostAsync("/v1/appraisals", $$"""{"challenge":"{{id}}","audience":"{{ServiceWorld.Audience}}","evidence":{{evidence}},"policy":"lax"}""")).Problem);
        Assert.Equal("urn:assay:audience-unknown", (await world.AppraiseAsync(id, evidence, key: other)).Problem);
        Assert.Equal("urn:assay:audience-unknown", (await world.AppraiseAsync(id, evidence, "urn:assay:nras")).Problem);
        // The neighbour writes a policy that accepts anything, for the relying party's audience, and may not activate it.
        var lax = new JsonObject { ["version"] = 1, ["id"] = "lax", ["audiences"] = new JsonArray(ServiceWorld.Audience), ["expect"] = new JsonObject(), ["tests"] = new JsonArray(new JsonObject { ["name"] = "x", ["expect"] = "pass", ["evidence"] = JsonNode.Parse(evidence) }) };
        Assert.Equal(201, (await world.PostAsync("/v1/policies", lax.ToJsonString(), other)).Status);
        Assert.Equal("urn:assay:audience-not-assigned", (await world.PostAsync("/v1/policies/lax/versions/1/activate", "", other)).Problem);
        // Nor may it add a version to the other's policy.
        lax["id"] = ServiceWorld.PolicyId;
        Assert.Equal("urn:assay:forbidden", (await world.PostAsync("/v1/policies", lax.ToJsonString(), other)).Problem);
        // The challenge was asked for by one tenant, and is spent by it alone.
        Assert.Equal(200, (await world.AppraiseAsync(id, evidence)).Status);
        var appraisal = (await world.GetAsync("/v1/appraisals")).Body[0].GetProperty("id").GetString();
        Assert.Equal("urn:assay:not-found", (await world.GetAsync($"/v1/appraisals/{appraisal}", other)).Problem);
        Assert.Empty((await world.GetAsync("/v1/appraisals", other)).Body.EnumerateArray());
    }

    [Fact]
    public async Task Every_endpoint_names_its_scope_or_says_that_anyone_may_call_it_and_without_a_credential_the_rest_is_closed()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("attestation", "collateral"));
        var endpoints = world.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToArray();

        Assert.True(endpoints.Length > 40);
        Assert.All(endpoints, endpoint => Assert.True(endpoint.Metadata.GetMetadata<RequiredScope>() is not null || endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null, endpoint.DisplayName));
        foreach (var endpoint in endpoints.Where(endpoint => endpoint.Metadata.GetMetadata<RequiredScope>() is not null))
        {
            var method = new HttpMethod(endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]);
            var path = endpoint.RoutePattern.RawText!.Replace("{id}", "x", StringComparison.Ordinal).Replace("{version:long}", "1", StringComparison.Ordinal);
            var type = path == "/v1/introspect" ? "application/x-www-form-urlencoded" : "application/json";
            var nobody = await world.SendAsync(method, path, method == HttpMethod.Get ? null : "{}", "", type);
            Assert.Equal((401, "urn:assay:unauthenticated"), (nobody.Status, nobody.Problem));
            // A key of the operator does nothing of a tenant's, and the reverse.
            var wrong = endpoint.Metadata.GetMetadata<RequiredScope>()!.Scope is Scopes.Operator or Scopes.Keys ? await world.KeyOfAsync("weak", Scopes.Attest) : world.OperatorKey;
            Assert.Equal("urn:assay:forbidden", (await world.SendAsync(method, path, method == HttpMethod.Get ? null : "{}", wrong, type)).Problem);
        }
    }

    [Theory]
    [InlineData("assay_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("assay_short")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.")]
    [InlineData("x")]
    public async Task Credentials_that_are_none_get_nothing(string credential)
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        Assert.Equal(401, (await world.PostAsync("/v1/challenges", "{}", credential)).Status);
        // A right id with a wrong secret.
        Assert.Equal(401, (await world.PostAsync("/v1/challenges", "{}", world.Key[..^4] + "AAAA")).Status);
    }

    [Fact]
    public async Task A_revoked_key_and_a_disabled_tenant_are_refused()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var made = await world.PostAsync("/v1/api-keys", """{"name":"worker","scopes":["attest"]}""");
        var key = made.Body.GetProperty("key").GetString()!;
        Assert.Equal(201, (await world.PostAsync("/v1/challenges", "{}", key)).Status);
        // Nobody makes a key that may do more than its maker.
        Assert.Equal("urn:assay:forbidden", (await world.PostAsync("/v1/api-keys", """{"name":"more","scopes":["operator"]}""")).Problem);

        Assert.Equal(204, (await world.SendAsync(HttpMethod.Delete, $"/v1/api-keys/{made.Body.GetProperty("description").GetProperty("id").GetString()}", null)).Status);
        Assert.Equal(401, (await world.PostAsync("/v1/challenges", "{}", key)).Status);

        Assert.Equal(204, (await world.SendAsync(HttpMethod.Put, "/v1/tenants", """{"id":"demo","disabled":true}""", world.OperatorKey)).Status);
        Assert.Equal(401, (await world.PostAsync("/v1/challenges", "{}", await world.KeyOfAsync("demo", Scopes.Attest))).Status);
    }

    [Fact]
    public async Task A_quota_of_the_day_is_kept()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        Assert.Equal(204, (await world.SendAsync(HttpMethod.Put, "/v1/tenants", """{"id":"demo","dailyAppraisals":1}""", world.OperatorKey)).Status);

        Assert.Equal(200, (await world.AttestAsync()).Status);
        Assert.Equal("urn:assay:quota-used-up", (await world.AttestAsync()).Problem);
    }

    [Theory]
    [InlineData("/v1/appraisals", "{", 400)]
    [InlineData("/v1/appraisals", "{\"challenge\":\"x\",\"challenge\":\"y\",\"audience\":\"a\",\"evidence\":{}}", 400)]
    [InlineData("/v1/appraisals", "[]", 400)]
    [InlineData("/v1/appraisals", "null", 400)]
    [InlineData("/v1/policies", "{\"version\":1}", 400)]
    [InlineData("/v1/policies", "\u0001", 400)]
    [InlineData("/v3/attest/gpu", "{}", 400)]
    [InlineData("/v4/attest/gpu", "{\"nonce\":\"00\",\"arch\":\"HOPPER\",\"evidence_list\":[]}", 400)]
    [InlineData("/v4/attest/switch", "{\"nonce\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"arch\":\"HOPPER\",\"evidence_list\":[]}", 400)]
    public async Task Malformed_bodies_are_the_callers_fault_and_named(string path, string body, int status)
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var answer = await world.PostAsync(path, body);

        Assert.Equal(status, answer.Status);
        Assert.StartsWith("urn:assay:", answer.Problem, StringComparison.Ordinal);
        Assert.Equal(32, answer.Response.Headers.GetValues("x-request-id").Single().Length);
        Assert.Equal("urn:assay:media-type", (await world.SendAsync(HttpMethod.Post, path, body, null, "text/plain")).Problem);
        Assert.Equal("urn:assay:method", (await world.SendAsync(HttpMethod.Patch, path, body)).Problem);
        Assert.Equal("urn:assay:not-found", (await world.PostAsync($"{path}/nothing/here", body, "")).Problem);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_refused_before_it_is_read()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        // The client asks first, so that it hears the answer and not a closed connection.
        world.Client.DefaultRequestHeaders.ExpectContinue = true;

        Assert.Equal("urn:assay:too-large", (await world.PostAsync("/v1/api-keys", new string(' ', 65 * 1024))).Problem);
        Assert.Equal("urn:assay:too-large", (await world.PostAsync("/v1/policies", new string(' ', 5 * 1024 * 1024))).Problem);
    }

    [Fact]
    public async Task Nothing_secret_is_logged_or_audited()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var (id, nonce) = await world.ChallengeAsync();
        var evidence = await machine.EvidenceAsync(nonce);
        var token = (await world.AppraiseAsync(id, evidence)).Body.GetProperty("token").GetString()!;
        await world.PostAsync("/v1/appraisals", evidence);
        await world.PostAsync("/v1/challenges?secret=hunter2", "{}", "assay_0000000000000000_" + new string('B', 43));
        var made = (await world.PostAsync("/v1/api-keys", """{"name":"worker","scopes":["attest"]}""")).Body.GetProperty("key").GetString()!;
        var audit = (await world.GetAsync("/v1/audit?most=1000")).Body;

        Assert.Contains(audit.EnumerateArray(), entry => entry.GetProperty("kind").GetString() == "appraisal");
        var said = string.Join('\n', world.Logged) + audit;
        Assert.Contains("/v1/appraisals", said, StringComparison.Ordinal);
        Assert.Contains("200 in", said, StringComparison.Ordinal);
        foreach (var secret in (string[])[world.Key[^43..], made[^43..], world.OperatorKey[^43..], token.Split('.')[2], "hunter2", new string('B', 43), nonce, JsonElement.Parse(evidence).GetProperty("gpus")[0].GetProperty("evidence").GetString()![..64]])
        {
            Assert.DoesNotContain(secret, said, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_SIEM_reads_what_was_decided_as_OCSF_events()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        var (id, _) = await world.ChallengeAsync();
        Assert.Equal(422, (await world.AppraiseAsync(id, await machine.EvidenceAsync(new string('2', 64)))).Status);

        var answer = await world.GetAsync("/v1/audit/ocsf");
        var events = (await answer.Response.Content.ReadAsStringAsync(Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToArray();

        var appraisals = events.Where(item => item.GetProperty("class_uid").GetInt32() == 3002).ToArray();
        Assert.Equal([(300201, 1, 1), (300201, 2, 3)], appraisals.Select(item => (item.GetProperty("type_uid").GetInt32(), item.GetProperty("status_id").GetInt32(), item.GetProperty("severity_id").GetInt32())));
        Assert.Equal("demo", appraisals[0].GetProperty("user").GetProperty("org").GetProperty("uid").GetString());
        Assert.Contains("report.nonce.match", appraisals[1].GetProperty("unmapped").GetProperty("failed").EnumerateArray().Select(item => item.GetString()));
        Assert.All(events, item => Assert.Equal(item.GetProperty("type_uid").GetInt32(), (item.GetProperty("class_uid").GetInt32() * 100) + item.GetProperty("activity_id").GetInt32()));
    }

    [Fact]
    public async Task A_revoked_token_is_not_active_and_on_the_list()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var answer = await world.AttestAsync();
        var token = answer.Body.GetProperty("token").GetString()!;
        async Task<JsonElement> Introspect(string text) => (await world.SendAsync(HttpMethod.Post, "/v1/introspect", $"token={Uri.EscapeDataString(text)}", null, "application/x-www-form-urlencoded")).Body;
        Assert.True((await Introspect(token)).GetProperty("active").GetBoolean());
        Assert.False((await Introspect(token[..^6] + "AAAAAA")).GetProperty("active").GetBoolean());
        Assert.Empty((await world.GetAsync("/v1/revoked-tokens", "")).Body.EnumerateArray());

        Assert.Equal(204, (await world.PostAsync($"/v1/appraisals/{answer.Body.GetProperty("id").GetString()}/revoke", """{"reason":"stolen"}""")).Status);

        var revoked = await Introspect(token);
        Assert.Equal((false, "stolen"), (revoked.GetProperty("active").GetBoolean(), revoked.GetProperty("revoked").GetString()));
        Assert.True(CompactJws.TryParse(token, out var jws, out _));
        Assert.Equal(jws.Payload.GetProperty("jti").GetString(), (await world.GetAsync("/v1/revoked-tokens", "")).Body[0].GetProperty("jti").GetString());
    }

    [Fact]
    public async Task Policies_are_tested_before_they_decide_tried_on_stored_evidence_and_rolled_back()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        var trial = await machine.TrialAsync();
        var three = machine.Policy(ServiceWorld.PolicyId, ServiceWorld.Audience, trial, policy => policy["expect"]!["gpus"] = 3);

        var added = await world.PostAsync("/v1/policies", three.ToJsonString());
        Assert.Equal(2, added.Body.GetProperty("version").GetInt32());
        var failed = await world.PostAsync($"/v1/policies/{ServiceWorld.PolicyId}/versions/2/activate", "");
        Assert.Equal("urn:assay:policy-tests-failed", failed.Problem);
        Assert.Contains("composite.gpus.count", failed.Body.GetProperty("tests")[0].GetProperty("detail").GetString(), StringComparison.Ordinal);
        var dry = (await world.PostAsync($"/v1/policies/{ServiceWorld.PolicyId}/versions/2/dry-run", "")).Body;
        Assert.Equal((1, 1, 0), (dry.GetProperty("tried").GetInt32(), dry.GetProperty("wouldRefuse").GetInt32(), dry.GetProperty("fromClaims").GetInt32()));
        Assert.Equal("evidence", dry.GetProperty("changes")[0].GetProperty("basis").GetString());

        // A version whose test says that the machine is refused may be activated: that is what it is for.
        three["tests"]![0]!["expect"] = "fail";
        Assert.Equal(3, (await world.PostAsync("/v1/policies", three.ToJsonString())).Body.GetProperty("version").GetInt32());
        Assert.Equal(204, (await world.PostAsync($"/v1/policies/{ServiceWorld.PolicyId}/versions/3/activate", "")).Status);
        Assert.Equal("urn:assay:evidence-refused", (await world.AttestAsync()).Problem);
        Assert.Equal(204, (await world.PostAsync($"/v1/policies/{ServiceWorld.PolicyId}/rollback", "")).Status);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        Assert.Equal(["policy.rollback", "policy.activate", "policy.add", "policy.add", "policy.activate", "policy.add"], (await world.GetAsync("/v1/audit?most=1000")).Body.EnumerateArray().Select(entry => entry.GetProperty("kind").GetString()).Where(kind => kind!.StartsWith("policy", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_policy_without_a_test_is_not_activated()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var untested = machine.Policy("untested", "https://other.example", await machine.TrialAsync(), policy => policy.Remove("tests"));
        Assert.Equal(204, (await world.SendAsync(HttpMethod.Put, "/v1/audiences", """{"audience":"https://other.example","tenant":"demo"}""", world.OperatorKey)).Status);
        Assert.Equal(201, (await world.PostAsync("/v1/policies", untested.ToJsonString())).Status);
        Assert.Equal("urn:assay:policy-tests-failed", (await world.PostAsync("/v1/policies/untested/versions/1/activate", "")).Problem);
    }

    [Fact]
    public async Task A_verdict_that_is_weaker_than_the_policy_accepts_gets_no_token()
    {
        await using var strict = await ServiceWorld.StartAsync(machine, policy: policy =>
        {
            policy["expect"]!["acceptWeakened"] = new JsonArray();
            policy["tests"]![0]!["expect"] = "fail";
        });

        var answer = await strict.AttestAsync();

        Assert.Equal("urn:assay:verdict-weakened", answer.Problem);
        Assert.Equal(["reference-values-unsigned"], answer.Body.GetProperty("weakened").EnumerateArray().Select(name => name.GetString()));
    }

    [Fact]
    public async Task The_description_of_the_interface_names_every_path_and_its_scope()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var document = (await world.GetAsync("/openapi/v1.json", "")).Body;
        var paths = document.GetProperty("paths").EnumerateObject().Select(path => path.Name).ToHashSet(StringComparer.Ordinal);

        foreach (var path in (string[])["/v1/challenges", "/v1/appraisals", "/v3/attest/gpu", "/v4/attest/switch", "/v1/policies", "/v1/introspect", "/.well-known/openid-configuration"])
        {
            Assert.Contains(path, paths);
        }

        Assert.Contains("attest", document.GetProperty("paths").GetProperty("/v1/challenges").GetProperty("post").GetProperty("description").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_is_answered_and_readiness_ends_with_the_drain()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        Assert.Equal((200, 200), ((await world.GetAsync("/healthz", "")).Status, (await world.GetAsync("/readyz", "")).Status));
        Assert.Equal(404, (await world.GetAsync("/metrics", "")).Status);

        world.Host.Services.GetRequiredService<Assay.Server.Drain>().Begin();
        Assert.Equal((200, 503), ((await world.GetAsync("/healthz", "")).Status, (await world.GetAsync("/readyz", "")).Status));
    }

    [Fact]
    public async Task Load_beyond_the_limits_is_shed_with_a_time_to_come_again()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["limits"] = new JsonObject { ["perAddress"] = 5, ["perTenant"] = 1000, ["concurrency"] = 8, ["waiting"] = 8 });
        var answers = new List<ServiceAnswer>();
        for (var request = 0; request < 40 && answers.All(answer => answer.Status != 429); request++)
        {
            answers.Add(await world.PostAsync("/v1/challenges", "{}"));
        }

        Assert.Equal("urn:assay:too-many-requests", answers[^1].Problem);
        Assert.NotNull(answers[^1].Response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task A_restart_keeps_keys_policies_appraisals_and_spent_challenges()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var (id, nonce) = await world.ChallengeAsync();
        var evidence = await machine.EvidenceAsync(nonce);
        var token = (await world.AppraiseAsync(id, evidence)).Body.GetProperty("token").GetString()!;
        Assert.True(CompactJws.TryParse(token, out var jws, out _));

        await world.StopAsync();
        await world.StartAsync();

        Assert.Contains(jws.Header.GetProperty("kid").GetString(), (await world.GetAsync("/.well-known/jwks.json", "")).Body.GetProperty("keys").EnumerateArray().Select(key => key.GetProperty("kid").GetString()));
        Assert.Equal("urn:assay:challenge-spent", (await world.AppraiseAsync(id, evidence)).Problem);
        Assert.Equal(200, (await world.AttestAsync()).Status);
        Assert.Equal(2, (await world.GetAsync("/v1/appraisals")).Body.GetArrayLength());
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
    }
}
