using System.Collections.Concurrent;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>Several processes on one PostgreSQL: what one did, the others know; what was acknowledged outlives a crash of the database.</summary>
public sealed class ReplicaTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_challenge_of_one_process_is_redeemed_by_another_once_under_racing_requests()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var one = await ServiceWorld.StartAsync(machine, server.Connection);
        await using var two = await ServiceWorld.StartAsync(machine, server.Connection, kek: Path.Combine(one.Folder, "kek"));

        var (id, nonce) = await one.ChallengeAsync();
        Assert.Equal(200, (await two.AppraiseAsync(id, await machine.EvidenceAsync(nonce))).Status);
        Assert.Equal("urn:assay:challenge-spent", (await one.AppraiseAsync(id, "{}")).Problem);

        var (raced, _) = await two.ChallengeAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(number => (number % 2 == 0 ? one : two).AppraiseAsync(raced, "{}")));
        Assert.Equal((1, 999), (answers.Count(answer => answer.Problem == "urn:assay:evidence-malformed"), answers.Count(answer => answer.Problem == "urn:assay:challenge-spent")));
    }

    [Fact]
    public async Task Processes_sign_with_one_set_of_keys_and_a_policy_that_one_activates_decides_in_the_other()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var one = await ServiceWorld.StartAsync(machine, server.Connection);
        await using var two = await ServiceWorld.StartAsync(machine, server.Connection, kek: Path.Combine(one.Folder, "kek"));
        Assert.Equal((await one.GetAsync("/.well-known/jwks.json", "")).Body.ToString(), (await two.GetAsync("/.well-known/jwks.json", "")).Body.ToString());
        var refusing = machine.Policy(ServiceWorld.PolicyId, ServiceWorld.Audience, await machine.TrialAsync(), policy =>
        {
            policy["expect"]!["gpus"] = 3;
            policy["tests"]![0]!["expect"] = "fail";
        });

        var version = (await one.PostAsync("/v1/policies", refusing.ToJsonString())).Body.GetProperty("version").GetInt64();
        Assert.Equal(204, (await one.PostAsync($"/v1/policies/{ServiceWorld.PolicyId}/versions/{version}/activate", "")).Status);

        Assert.Equal("urn:assay:evidence-refused", (await one.AttestAsync()).Problem);
        // The other one looks every two seconds.
        ServiceAnswer answer;
        do
        {
            answer = await two.AttestAsync();
        }
        while (answer.Status == 200);
        Assert.Equal("urn:assay:evidence-refused", answer.Problem);
    }

    [Fact]
    public async Task A_database_that_is_killed_under_load_loses_nothing_that_was_acknowledged_and_the_service_comes_back()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var world = await ServiceWorld.StartAsync(machine, server.Connection);
        var (acknowledged, unavailable) = (new ConcurrentBag<string>(), 0);
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var answer = await world.PostAsync("/v1/api-keys", """{"name":"load","scopes":["attest"]}""");
                if (answer.Status == 201)
                {
                    acknowledged.Add(answer.Body.GetProperty("description").GetProperty("id").GetString()!);
                }
                else
                {
                    Assert.Equal((503, "urn:assay:unavailable"), (answer.Status, answer.Problem));
                    Assert.NotNull(answer.Response.Headers.RetryAfter);
                    Interlocked.Increment(ref unavailable);
                }
            }
        })).ToArray();
        await UntilAsync(() => acknowledged.Count > 50);

        await server.KillAsync();
        await UntilAsync(() => Volatile.Read(ref unavailable) > 0);
        Assert.Equal(503, (await world.GetAsync("/readyz", "")).Status);
        await server.RunAsync();
        var before = acknowledged.Count;
        await UntilAsync(() => acknowledged.Count > before + 50);
        await stop.CancelAsync();
        await Task.WhenAll(load);

        var kept = (await world.GetAsync("/v1/api-keys")).Body.EnumerateArray().Select(key => key.GetProperty("id").GetString()).ToHashSet(StringComparer.Ordinal);
        Assert.All(acknowledged, id => Assert.Contains(id, kept));
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
        Assert.Equal(200, (await world.AttestAsync()).Status);
    }

    [Fact]
    public async Task A_key_that_one_process_revoked_is_refused_by_the_other()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var one = await ServiceWorld.StartAsync(machine, server.Connection);
        await using var two = await ServiceWorld.StartAsync(machine, server.Connection, kek: Path.Combine(one.Folder, "kek"));
        var key = await one.KeyOfAsync("demo", Scopes.Attest);
        Assert.Equal(201, (await two.PostAsync("/v1/challenges", "{}", key)).Status);

        Assert.Equal(204, (await one.SendAsync(HttpMethod.Delete, $"/v1/api-keys/{key.Split('_')[1]}", null)).Status);

        // It was remembered for five seconds.
        while ((await two.PostAsync("/v1/challenges", "{}", key)).Status == 201)
        {
            await Task.Delay(100, Cancellation);
        }
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience.Long);
        while (!holds())
        {
            await Task.Delay(20, patience.Token);
        }
    }
}
