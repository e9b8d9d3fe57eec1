using System.Text;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A bundle could bring a token issuer's key set, which nobody but the bundle's key had signed; and so could a file on the disk.</summary>
public sealed class Bug0082_UnsignedKeySetsTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private static readonly CollateralKey s_key = new(CollateralKind.KeySet, "issuer");

    private static byte[] Keys => Encoding.ASCII.GetBytes($$"""{"keys":[{{JsonOf(ForgeKey.New())}}]}""");

    [Fact]
    public void A_bundle_with_a_key_set_is_refused()
    {
        var honest = world.Honest;

        var fault = world.Refused((honest with { Items = [.. honest.Items, (s_key, [], Keys)] }).Write(world.Site));

        Assert.Equal("bundle.items.authentic", fault.Id);
        Assert.Contains("key sets", fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_set_does_not_outlive_the_process_that_fetched_it()
    {
        var (folder, time) = (world.World.NewFolder(), new ManualTime(CacheWorld.Now));
        var upstream = new ScriptedUpstream(_ => Task.FromResult(Fetched.Item("test", Keys)));
        await using (var cache = world.World.Cache(upstream, time, folder))
        {
            Assert.NotNull((await cache.GetAsync(s_key, TestContext.Current.CancellationToken)).Item);
        }

        upstream.IsDown();
        await using var next = world.World.Cache(upstream, time, folder);
        Assert.Null((await next.GetAsync(s_key, TestContext.Current.CancellationToken)).Item);
        Assert.DoesNotContain(Directory.EnumerateFiles(folder, "*.item", SearchOption.AllDirectories), file => File.ReadAllText(file).Contains("\"keys\"", StringComparison.Ordinal));
    }

    private static string JsonOf(ForgeKey key)
    {
        var point = key.Key.ExportParameters(false).Q;
        return $$"""{"kty":"EC","crv":"P-384","x":"{{System.Buffers.Text.Base64Url.EncodeToString(point.X)}}","y":"{{System.Buffers.Text.Base64Url.EncodeToString(point.Y)}}","kid":"{{key.Name}}"}""";
    }
}
