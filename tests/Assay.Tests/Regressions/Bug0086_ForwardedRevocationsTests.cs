using Assay.Simulator;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A revocation that was passed on to one client, and not kept, was forgotten: others went on getting the <c>good</c> from before it.</summary>
public sealed class Bug0086_ForwardedRevocationsTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public async Task After_a_revocation_was_passed_on_no_good_from_before_it_is_served()
    {
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now));
        var key = CacheWorld.OcspKey(cache, world.Brom);
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(-2))));
        Assert.NotNull((await cache.GetAsync(key, TestContext.Current.CancellationToken)).Item);

        Assert.True(cache.TrySee(world.Answered(cache, CacheWorld.Revoked(world.Brom))));

        upstream.IsDown();
        Assert.Null((await cache.GetAsync(key, TestContext.Current.CancellationToken)).Item);
        Assert.False(cache.TrySee(world.Answered(cache, CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(-2)))));
    }
}
