using Assay.Collateral.Staging;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A pool's file that could not be read counted as none, and without one the default pool has no rule at all.</summary>
public sealed class Bug0087_UnreadablePoolsTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Theory]
    [InlineData("folder")]
    [InlineData("link")]
    public async Task A_pool_whose_file_is_there_and_cannot_be_read_is_served_nothing(string what)
    {
        var folder = world.NewFolder();
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "pools")).FullName, "default.json");
        _ = what == "folder" ? Directory.CreateDirectory(path) : File.CreateSymbolicLink(path, "/nowhere/at-all");
        await using var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), folder);

        Assert.False(cache.Pools.Serves(PoolView.Default, world.Rim.Id));
        Assert.Contains("damaged", cache.Pools.WhyNot(PoolView.Default, world.Rim.Id)!, StringComparison.Ordinal);
    }
}
