using Assay.Cli.Collateral;
using Assay.Tests.Collateral;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>collateral.in-use was said of a folder that another process has, of one that cannot be written, and of one made under other anchors.</summary>
public sealed class Bug0232_FoldersInUseTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public void Each_cause_has_an_id_of_its_own()
    {
        var folder = Path.Combine(world.NewFolder(), "cache");
        Assert.True(CacheFolder.TryHold(folder, world.Trust, out var held, out var whyNot), whyNot?.Message);
        using (held)
        {
            Assert.Equal("collateral.in-use", WhyNot(folder, world.Trust));
        }

        Assert.Equal("collateral.anchors", WhyNot(folder, TrustSet.BuiltIn));
        Assert.Equal("collateral.store", WhyNot(Path.Combine(folder, "anchors", "below-a-file"), world.Trust));
        Assert.True(CacheFolder.TryHold(folder, world.Trust, out var again, out whyNot), whyNot?.Message);
        again!.Dispose();
    }

    private static string WhyNot(string folder, TrustSet trust)
    {
        Assert.False(CacheFolder.TryHold(folder, trust, out _, out var whyNot));
        return whyNot!.Value.Id;
    }
}
