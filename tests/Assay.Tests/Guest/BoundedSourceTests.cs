using Assay.Collateral;
using Assay.Endorsements;
using Assay.Guest.Gate;
using Assay.Tests.Collateral;

namespace Assay.Tests.Guest;

/// <summary>A bundle with a cache beside it: what the bundle's high-water marks name is not asked of the cache, which the host may hold (S-17).</summary>
public sealed class BoundedSourceTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    [Fact]
    public async Task The_cache_is_asked_only_for_what_no_mark_of_the_bundle_names()
    {
        var mark = $"ocsp:{string.Join('/', world.BromKey.Id.Split('/').Take(2))}";
        var without = BundleForge.Of(world.Items.Where(item => item.Key != world.BromKey && item.Key != world.World.RimKey), BundleWorld.Now) with
        {
            Marks = [(mark, $"{new ItemRank(null, BundleWorld.Now.AddMinutes(-1), Revokes: true)}")],
        };
        var bundle = world.Accepted(without.Write(world.Site));
        var (asked, honest) = (new List<CollateralKey>(), world.Services());
        var answer = honest.Answer;
        honest.Answer = question =>
        {
            asked.Add(question.Key);
            return answer(question);
        };
        using var source = new RecordingSource(bundle, honest);

        var revoked = await source.FetchAsync(new CollateralQuestion(world.BromKey), TestContext.Current.CancellationToken);
        var rim = await source.FetchAsync(new CollateralQuestion(world.World.RimKey), TestContext.Current.CancellationToken);

        Assert.Null(revoked.Item);
        Assert.Contains("older", revoked.WhyNot, StringComparison.Ordinal);
        Assert.NotNull(rim.Item);
        Assert.Equal([world.World.RimKey], asked);
    }
}
