using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Endorsements;
using Assay.Simulator;

namespace Assay.Tests.Collateral;

/// <summary>Bundles that enter a cache, and what they leave behind there.</summary>
public sealed class BundleImportTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static ScriptedUpstream Nobody() => new(_ => Task.FromResult(Fetched.Failed("test", "down")));

    [Fact]
    public async Task What_was_brought_serves_to_its_own_end_and_no_longer_while_nobody_answers()
    {
        var time = new ManualTime(BundleWorld.Now);
        await using var cache = New(time, world.World.NewFolder());
        Assert.Equal(world.Items.Length, Import(cache, world.Honest).Taken);
        var end = world.Items.Single(item => item.Key == world.BromKey).ValidUntil;

        Assert.Equal(CacheState.Hit, (await cache.GetAsync(world.BromKey, Cancellation)).State);
        time.Now = end;
        Assert.Equal(CacheState.Stale, (await cache.GetAsync(world.BromKey, Cancellation)).State);
        time.Now = end.AddSeconds(1);
        Assert.Equal(CacheFailure.Unreachable, (await cache.GetAsync(world.BromKey, Cancellation)).Failure);
    }

    [Fact]
    public async Task A_site_may_bound_how_long_it_serves()
    {
        var time = new ManualTime(BundleWorld.Now);
        await using var cache = world.World.Cache(Nobody(), time, world.World.NewFolder(), CacheWorld.Patient with { MostStale = TimeSpan.FromHours(1) });
        Import(cache, world.Honest);

        time.Now = BundleWorld.Now.AddHours(26);
        Assert.Equal(CacheFailure.Unreachable, (await cache.GetAsync(world.BromKey, Cancellation)).Failure);
    }

    [Fact]
    public async Task A_lower_sequence_is_refused_and_a_restart_forgets_nothing()
    {
        var folder = world.World.NewFolder();
        await using (var cache = New(new ManualTime(BundleWorld.Now), folder))
        {
            Import(cache, world.Honest with { Sequence = 8 });
            Import(cache, world.Honest with { Sequence = 8 });
        }

        await using var again = New(new ManualTime(BundleWorld.Now), folder);
        Assert.Equal(8, again.BundleSequence);
        Assert.False(again.TryImport(world.Accepted((world.Honest with { Sequence = 7 }).Write(world.Site)), "test", out _, out var fault));
        Assert.Equal("bundle.sequence.met", fault.Id);
    }

    [Fact]
    public async Task An_older_answer_is_refused_after_a_bundle_whose_mark_is_higher()
    {
        var item = world.Items.Single(one => one.Key == world.BromKey);
        // The bundle has no answer about the device any more, but it says that one was seen which revokes.
        var forge = BundleForge.Of(world.Items.Where(one => one.Key != world.BromKey), BundleWorld.Now) with
        {
            Marks = [($"ocsp:{item.MarkId}", $"|{BundleWorld.Now.AddMinutes(-30).ToUnixTimeSeconds()}|revoked")],
        };
        await using var cache = New(new ManualTime(BundleWorld.Now), world.World.NewFolder());
        Import(cache, forge);

        Assert.False(cache.TryAdd(world.BromKey, item.Body, default, "a replay", out _, out var fault));
        Assert.Equal(ItemRefusal.Older, fault.Refusal);
    }

    [Fact]
    public async Task A_good_answer_in_a_bundle_does_not_replace_a_newer_revocation_that_was_seen_here()
    {
        await using var cache = New(new ManualTime(BundleWorld.Now), world.World.NewFolder());
        var revoked = SimulatedOcsp.Respond(CacheWorld.Revoked(world.World.Brom, BundleWorld.Now.AddMinutes(-10)));
        Assert.True(cache.TryAdd(world.BromKey, revoked, default, "test", out _, out var fault), fault?.ToString());

        var import = Import(cache, world.Honest);

        Assert.Equal([world.BromKey], import.Passed.Select(passed => passed.Key));
        Assert.True(cache.TryGetHeld(world.BromKey, out var held));
        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, Assert.IsType<VerifiedItem>(held).Status);
    }

    [Fact]
    public async Task After_a_bundle_a_clock_before_its_making_judges_nothing()
    {
        var time = new ManualTime(BundleWorld.Now);
        await using var cache = New(time, world.World.NewFolder());
        Import(cache, world.Honest);

        time.Now = BundleWorld.Now.AddMinutes(-6);
        Assert.Equal(CacheFailure.Clock, (await cache.GetAsync(world.BromKey, Cancellation)).Failure);
        Assert.False(cache.TryImport(world.Accepted(world.Honest.Write(world.Site)), "test", out _, out var fault));
        Assert.Equal("bundle.time.floor", fault.Id);
    }

    [Fact]
    public async Task Marks_that_cannot_be_remembered_refuse_the_bundle_whole()
    {
        await using var cache = world.World.Cache(Nobody(), new ManualTime(BundleWorld.Now), world.World.NewFolder(), CacheWorld.Patient with { MostMarks = 10 });
        var forge = world.Honest with { Marks = [.. Enumerable.Range(0, 20).Select(number => ($"crl:{number}", "5|0|"))] };

        Assert.False(cache.TryImport(world.Accepted(forge.Write(world.Site)), "test", out _, out var fault));
        Assert.Equal("bundle.room", fault.Id);
        Assert.Equal(0, cache.BundleSequence);
        Assert.False(cache.TryGetHeld(world.World.RimKey, out _));
    }

    [Fact]
    public async Task The_marks_of_a_cache_travel_in_its_bundles_without_those_that_askers_choose()
    {
        var folder = world.World.NewFolder();
        await using (var cache = New(new ManualTime(BundleWorld.Now), folder))
        {
            Import(cache, world.Honest with { Marks = [("ocsp:seen", "|1|revoked"), ("vcek:Milan/x/y", "|1|")] });
        }

        await using var again = New(new ManualTime(BundleWorld.Now), folder);
        var marks = again.Marks(1000);
        Assert.Equal("ocsp:seen", marks[0].Name);
        Assert.DoesNotContain(marks, mark => mark.Name.StartsWith("vcek", StringComparison.Ordinal) || mark.Name is "floor" or "bundle");
        Assert.Equal("ocsp:seen", Assert.Single(again.Marks(1)).Name);
    }

    private CollateralCache New(ManualTime time, string folder) => world.World.Cache(Nobody(), time, folder);

    private BundleImport Import(CollateralCache cache, BundleForge forge)
    {
        Assert.True(cache.TryImport(world.Accepted(forge.Write(world.Site)), "test", out var import, out var fault), fault?.ToString());
        return import;
    }
}
