using Assay.Collateral.Cache;
using Assay.Simulator;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>How long an item serves was read from its file: a bound that was set later, or with a restart, did not hold.</summary>
public sealed class Bug0083_StalenessOfAnotherDayTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public async Task A_bound_that_is_set_with_a_restart_holds_for_what_was_kept_before()
    {
        var (folder, time) = (world.NewFolder(), new ManualTime(CacheWorld.Now));
        var upstream = world.Honest();
        Assay.Endorsements.CollateralKey key;
        await using (var cache = world.Cache(upstream, time, folder))
        {
            key = CacheWorld.OcspKey(cache, world.Brom);
            upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
            await cache.GetAsync(key, TestContext.Current.CancellationToken);
        }

        upstream.IsDown();
        time.Now += TimeSpan.FromDays(3);
        await using (var lenient = world.Cache(upstream, time, folder))
        {
            Assert.Equal(CacheState.Stale, (await lenient.GetAsync(key, TestContext.Current.CancellationToken)).State);
        }

        await using var strict = world.Cache(upstream, time, folder, CacheWorld.Patient with { MostStale = TimeSpan.FromHours(1) });
        Assert.Null((await strict.GetAsync(key, TestContext.Current.CancellationToken)).Item);
    }
}
