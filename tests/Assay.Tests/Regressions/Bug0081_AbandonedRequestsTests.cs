using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>Requests whose askers had left waited for places all the same, without bound: one address stopped all fetching for minutes.</summary>
public sealed class Bug0081_AbandonedRequestsTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public async Task Requests_that_nobody_waits_for_any_more_are_not_made()
    {
        var (release, asked) = (new TaskCompletionSource(), TestContext.Current.CancellationToken);
        var upstream = new ScriptedUpstream(async question =>
        {
            await release.Task;
            return question.Key == world.RimKey ? Fetched.Item("test", world.Rim.Xml) : Fetched.Absent("test", "404");
        });
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), policy: CacheWorld.Patient with { Concurrency = 1 });
        var first = cache.GetAsync(Key("first"), asked);
        while (upstream.Asked.IsEmpty)
        {
            await Task.Delay(5, asked);
        }

        using (var leaving = new CancellationTokenSource())
        {
            var abandoned = Enumerable.Range(0, 200).Select(index => cache.GetAsync(Key($"{index}"), leaving.Token)).ToArray();
            await leaving.CancelAsync();
            await ((Task)Task.WhenAll(abandoned)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        var honest = cache.GetAsync(world.RimKey, asked);
        release.SetResult();
        await first;

        Assert.NotNull((await honest).Item);
        Assert.Equal([Key("first"), world.RimKey], upstream.Asked);
    }

    [Fact]
    public async Task More_than_can_be_fetched_is_refused_at_once()
    {
        var release = new TaskCompletionSource();
        var upstream = new ScriptedUpstream(async question =>
        {
            await release.Task;
            return Fetched.Absent("test", "404");
        });
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), policy: CacheWorld.Patient with { Concurrency = 1, MostFlights = 3 });
        var waiting = Enumerable.Range(0, 3).Select(index => cache.GetAsync(Key($"{index}"), TestContext.Current.CancellationToken)).ToArray();

        var refused = await cache.GetAsync(Key("another"), TestContext.Current.CancellationToken);

        Assert.Equal(CacheFailure.Unreachable, refused.Failure);
        Assert.NotNull(refused.RetryAfter);
        release.SetResult();
        await Task.WhenAll(waiting);
        Assert.Equal(CacheFailure.Absent, (await cache.GetAsync(Key("another"), TestContext.Current.CancellationToken)).Failure);
    }

    private static CollateralKey Key(string name) => new(CollateralKind.Rim, $"NV_GPU_DRIVER_GH100_{name}");
}
