using System.Text;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A key set, which no key signs, was of the type of items that are signed and checked, and left a high-water mark on the disk.</summary>
public sealed class Bug0152_KeySetsThatCountAsVerifiedTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public async Task A_key_set_is_served_as_what_it_is()
    {
        var key = new CollateralKey(CollateralKind.KeySet, "issuer");
        var point = ForgeKey.New().Key.ExportParameters(false).Q;
        var keys = Encoding.ASCII.GetBytes($$"""{"keys":[{"kty":"EC","crv":"P-384","x":"{{System.Buffers.Text.Base64Url.EncodeToString(point.X)}}","y":"{{System.Buffers.Text.Base64Url.EncodeToString(point.Y)}}","kid":"a"}]}""");
        var folder = world.NewFolder();
        await using var cache = world.Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Item("test", keys))), new ManualTime(CacheWorld.Now), folder);

        var answer = await cache.GetAsync(key, TestContext.Current.CancellationToken);

        Assert.IsType<KeySetItem>(answer.Item);
        Assert.Null(answer.Verified);
        Assert.Equal(keys, answer.Item.Body.ToArray());
        Assert.DoesNotContain(cache.Marks(1000), mark => mark.Name.StartsWith("jwks", StringComparison.Ordinal));
    }
}
