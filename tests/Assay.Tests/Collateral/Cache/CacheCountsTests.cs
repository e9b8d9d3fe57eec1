using System.Net;
using System.Text;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;

namespace Assay.Tests.Collateral;

/// <summary>What a cache must not do more often than said, by counting: nothing here is timed.</summary>
public sealed class CacheCountsTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_starts_with_ten_thousand_items_and_has_read_none_of_them()
    {
        const int many = 10_000;
        var (folder, time) = (world.NewFolder(), new ManualTime(CacheWorld.Now));
        await using (var cache = world.Cache(world.Honest(), time, folder))
        {
            await cache.GetAsync(world.RimKey, Cancellation);
        }

        // The others are junk behind sound headers: whoever reads one sets it aside.
        var layout = new ItemFolder(folder);
        var header = layout.Scan().Single(item => item.Header.Key == world.RimKey).Header;
        for (var index = 0; index < many; index++)
        {
            var key = new CollateralKey(CollateralKind.Rim, $"NV_GPU_DRIVER_GH100_600.{index}");
            await File.WriteAllBytesAsync(layout.PathOf(key), [.. (header with { Key = key }).ToLine(), .. "junk"u8], Cancellation);
        }

        var verifier = new VerifierCache();
        var upstream = world.Honest();
        await using var next = new CollateralCache(new ItemVerification(world.Trust, verifier), folder, upstream, new CachePolicy(), time, refreshes: false);

        Assert.True(next.Count > many);
        Assert.Equal(0, verifier.Meter.SignatureVerifications);
        Assert.Empty(next.Meters.All());
        Assert.Equal(many + 1, next.Held().Count(item => item.Key.Kind is CollateralKind.Rim));
        Assert.Equal(CacheState.Hit, (await next.GetAsync(world.RimKey, Cancellation)).State);
        Assert.Equal(1, next.Meters.Read("loads", CollateralKind.Rim));
        Assert.Empty(Directory.EnumerateFiles(folder, "*.damaged", SearchOption.AllDirectories));
        Assert.Empty(upstream.Asked);
    }

    [Fact]
    public async Task A_thousand_clients_that_miss_at_one_time_are_one_request_upstream()
    {
        const int many = 1000;
        var gate = new TaskCompletionSource();
        await using var upstream = await Loopback.StartAsync(async context =>
        {
            await gate.Task;
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(NvidiaServices.RimJson(world.Rim.Id, world.Rim.Xml.Span)));
        });
        await using var proxy = await ServedProxy.StartAsync(world.Trust, new ManualTime(CacheWorld.Now), new UpstreamOptions { Rim = upstream.Address });

        var asked = Enumerable.Range(0, many).Select(_ => proxy.Http.GetAsync($"/v1/rim/{world.Rim.Id}", Cancellation)).ToArray();
        while (proxy.Cache.Meters.Read("misses", CollateralKind.Rim) < many)
        {
            await Task.Delay(10, Cancellation);
        }

        gate.SetResult();
        foreach (var answer in await Task.WhenAll(asked))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            answer.Dispose();
        }

        Assert.Single(upstream.Requests);
    }
}
