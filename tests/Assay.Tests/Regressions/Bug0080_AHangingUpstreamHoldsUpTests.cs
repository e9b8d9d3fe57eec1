using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>While an upstream hung, each request for an item past its life waited a minute for it before it got what was held.</summary>
public sealed class Bug0080_AHangingUpstreamHoldsUpTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public async Task What_still_serves_is_served_although_the_upstream_hangs()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time, policy: new CachePolicy { Patience = Timeout.InfiniteTimeSpan, StalePatience = TimeSpan.FromMilliseconds(50) });
        await cache.GetAsync(world.RimKey, TestContext.Current.CancellationToken);
        var never = new TaskCompletionSource<Fetched<CollateralItem>>();
        upstream.Answer = _ => never.Task;
        time.Now += TimeSpan.FromDays(8);

        var stale = await cache.GetAsync(world.RimKey, TestContext.Current.CancellationToken);

        Assert.Equal(CacheState.Stale, stale.State);
        never.SetResult(Fetched.Failed("test", "down"));
    }
}
