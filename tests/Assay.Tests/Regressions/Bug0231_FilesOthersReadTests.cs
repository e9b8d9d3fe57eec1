using Assay.Collateral;
using Assay.Collateral.Staging;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>The cache's files were readable by everybody on the machine, and ids in them name chips and platforms.</summary>
public sealed class Bug0231_FilesOthersReadTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private const UnixFileMode Forbidden = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    [Fact]
    public async Task Files_are_0640_and_folders_0750_at_most()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no such modes");
            return;
        }

        var folder = Path.Combine(world.World.NewFolder(), "cache");
        await using (var cache = world.World.Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("test", "down"))), new ManualTime(BundleWorld.Now), folder))
        {
            Assert.True(cache.TryImport(world.Accepted(world.Honest.Write(world.Site)), "test", out _, out var fault), fault?.ToString());
        }

        var pools = new PoolFolder(folder);
        var rim = world.Items.First(item => item.Key.Kind is CollateralKind.Rim);
        pools.Add(rim, "test", BundleWorld.Now);
        pools.Change("canary", pool => pool.TryStage("one", [rim.Key.Id], BundleWorld.Now, out var after, out _) ? after : null);

        var written = Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Append(folder).ToArray();
        Assert.True(written.Length > 10);
        Assert.All(written, path => Assert.Equal(UnixFileMode.None, ModeOf(path) & Forbidden));
        Assert.All(written.Where(File.Exists), path => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, ModeOf(path) & ~UnixFileMode.GroupRead));
    }

    private static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? UnixFileMode.None : File.GetUnixFileMode(path);
}
