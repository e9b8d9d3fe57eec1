using Assay.Collateral;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>Serial numbers that an asker thinks up left marks and files for ever, and every refresh of them counted as a use.</summary>
public sealed class Bug0085_AskersChoiceTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_answer_that_knows_nothing_leaves_neither_mark_nor_file()
    {
        var folder = world.NewFolder();
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), folder);
        var files = Directory.GetFiles(folder, "*.item", SearchOption.AllDirectories).Length;
        var marks = cache.Marks(int.MaxValue).Length;
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom) with { Status = Assay.Simulator.CertificateStatus.Unknown }));

        var answer = await cache.GetAsync(CacheWorld.OcspKey(cache, world.Brom), Cancellation);

        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Unknown, answer.Verified!.Status);
        Assert.Equal(marks, cache.Marks(int.MaxValue).Length);
        Assert.Equal(files, Directory.GetFiles(folder, "*.item", SearchOption.AllDirectories).Length);

        // What is known about it afterwards is remembered as ever.
        Assert.True(cache.TryAdd(CacheWorld.OcspKey(cache, world.Brom), SimulatedOcsp.Respond(CacheWorld.Revoked(world.Brom)), default, "test", out _, out _));
        Assert.Equal(marks + 1, cache.Marks(int.MaxValue).Length);
    }

    [Fact]
    public async Task Answers_that_do_not_revoke_leave_room_for_those_that_do()
    {
        await using var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now));
        var (good, revoked) = (world.Answered(cache, CacheWorld.Good(world.Brom)), world.Answered(cache, CacheWorld.Revoked(world.Brom)));
        var marks = new HighWaterMarks(path: null, most: 8);

        var taken = Enumerable.Range(0, 8).Count(serial => marks.TryRaise(About(good, $"issuer/{serial}")));

        Assert.Equal(4, taken);
        Assert.True(marks.TryRaise(About(revoked, "issuer/8")));
        // One that is known turns into a revocation without any room.
        Assert.True(marks.TryRaise(About(revoked, "issuer/0")));
    }

    [Fact]
    public async Task What_nobody_asks_for_any_more_is_not_refreshed_for_ever()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time);
        upstream.Answer = _ => Task.FromResult(Fetched.Item("test", SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, time.Now.AddHours(-1)))));
        await cache.GetAsync(CacheWorld.OcspKey(cache, world.Brom), Cancellation);

        for (var day = 0; day < 20; day++)
        {
            time.Now += TimeSpan.FromDays(1);
            await cache.RefreshAsync();
        }

        // The one that was asked for, and a refresh on each of thirteen or fourteen days.
        Assert.InRange(upstream.Asked.Count, 10, 15);
    }

    // As of another certificate: only the mark's name and rank count here.
    private static VerifiedItem About(VerifiedItem item, string mark) => new()
    {
        Key = item.Key,
        MarkId = mark,
        Body = item.Body,
        Rank = item.Rank,
        ValidFrom = item.ValidFrom,
        ValidUntil = item.ValidUntil,
        SignersUntil = item.SignersUntil,
    };
}
