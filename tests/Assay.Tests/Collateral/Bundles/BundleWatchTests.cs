using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Diagnostics;
using Assay.Endorsements;
using Assay.Simulator;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Collateral;

/// <summary>Bundles that are replaced while a server runs: verified first, and the old one stays where the new one is refused.</summary>
public sealed class BundleWatchTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    [Fact]
    public async Task A_bundle_that_was_replaced_is_taken_once_it_has_settled()
    {
        await using var site = await SiteAsync(sequence: 7);
        site.Put((world.Honest with { Sequence = 8 }).Write(world.Site), minutes: 1);

        site.Watch.Look();
        Assert.Equal(7, site.Cache.BundleSequence);
        site.Watch.Look();
        Assert.Equal(8, site.Cache.BundleSequence);
        site.Watch.Look();

        Assert.Contains("sequence 8", Assert.Single(site.Logs.Of(EventIds.BundleTaken)), StringComparison.Ordinal);
        Assert.Empty(site.Logs.Of(EventIds.BundleRefused));
    }

    [Fact]
    public async Task An_operator_who_asks_for_it_has_it_read_at_once()
    {
        await using var site = await SiteAsync(sequence: 7);
        site.Put((world.Honest with { Sequence = 8 }).Write(world.Site), minutes: 0);

        site.Watch.Reload();
        site.Watch.Reload();

        Assert.Equal(8, site.Cache.BundleSequence);
        Assert.Single(site.Logs.Of(EventIds.BundleTaken));
    }

    [Fact]
    public async Task Lower_sequences_other_signers_damaged_and_missing_files_are_logged_and_change_nothing()
    {
        await using var site = await SiteAsync(sequence: 7);
        var held = site.Cache.Held().Length;
        var honest = (world.Honest with { Sequence = 9 }).Write(world.Site);
        foreach (var (file, reason) in new[]
        {
            ((world.Honest with { Sequence = 6 }).Write(world.Site), "bundle.sequence.met"),
            ((world.Honest with { Sequence = 9 }).Write(ForgeKey.New("else")), "bundle.signed"),
            (honest[..^1], "bundle."),
            (honest[..(honest.Length / 2)], "bundle.wellformed"),
        })
        {
            site.Put(file, minutes: 0);
            site.Watch.Reload();
            Assert.Contains(reason, site.Logs.Of(EventIds.BundleRefused)[^1], StringComparison.Ordinal);
        }

        File.Delete(site.Path);
        site.Watch.Reload();

        Assert.Equal(5, site.Logs.Of(EventIds.BundleRefused).Length);
        Assert.All(site.Logs.All, line => Assert.Equal(LogLevel.Error, line.Level));
        Assert.Equal((7, held), (site.Cache.BundleSequence, site.Cache.Held().Length));
        Assert.True(site.Cache.TryGetHeld(world.BromKey, out _));

        // What is sound after all of that is taken.
        site.Put(honest, minutes: 0);
        site.Watch.Reload();
        Assert.Equal(9, site.Cache.BundleSequence);
    }

    [Fact]
    public async Task One_that_has_ended_by_the_time_it_is_brought_is_refused()
    {
        await using var site = await SiteAsync(sequence: 7);
        site.Time.Now = world.GoodUntil.AddSeconds(1);
        site.Put((world.Honest with { Sequence = 8 }).Write(world.Site), minutes: 0);

        site.Watch.Reload();

        Assert.Contains("bundle.current", Assert.Single(site.Logs.Of(EventIds.BundleRefused)), StringComparison.Ordinal);
        Assert.Equal(7, site.Cache.BundleSequence);
    }

    [Fact]
    public async Task Keys_are_read_again_with_the_bundle_and_unreadable_ones_accept_nobody()
    {
        var (other, keys) = (ForgeKey.New("next"), Path.Combine(world.World.NewFolder(), "site.jwks"));
        Directory.CreateDirectory(Path.GetDirectoryName(keys)!);
        await File.WriteAllTextAsync(keys, "first", TestContext.Current.CancellationToken);
        var expected = world.Expected();
        (BundleExpectations? Expected, string? WhyNot) Read() => File.ReadAllText(keys) switch
        {
            "first" => (expected, null),
            "second" => (expected with { Keys = ForgeKey.SetOf(other) }, null),
            _ => (null, "not a key set"),
        };
        await using var site = await SiteAsync(sequence: 7, new BundleSigners([keys], Read));
        site.Put((world.Honest with { Sequence = 8 }).Write(other), minutes: 1);
        site.Watch.Look();
        site.Watch.Look();
        Assert.Contains("bundle.signed", Assert.Single(site.Logs.Of(EventIds.BundleRefused)), StringComparison.Ordinal);

        // The keys alone change: what was refused under the old ones is judged again, once they have settled.
        await File.WriteAllTextAsync(keys, "half", TestContext.Current.CancellationToken);
        site.Watch.Look();
        site.Watch.Look();
        Assert.Contains("cannot be read: not a key set", site.Logs.Of(EventIds.BundleRefused)[^1], StringComparison.Ordinal);
        Assert.Equal(7, site.Cache.BundleSequence);
        await File.WriteAllTextAsync(keys, "second", TestContext.Current.CancellationToken);
        site.Watch.Look();
        site.Watch.Look();
        Assert.Equal(8, site.Cache.BundleSequence);

        // And the key that was taken away signs nothing any more.
        site.Put((world.Honest with { Sequence = 9 }).Write(world.Site), minutes: 2);
        site.Watch.Reload();
        Assert.Contains("bundle.signed", site.Logs.Of(EventIds.BundleRefused)[^1], StringComparison.Ordinal);
        Assert.Equal(8, site.Cache.BundleSequence);
    }

    [Fact]
    public void What_ends_first_is_told_by_the_subject_of_its_certificate()
    {
        var authority = world.Items.First(item => item.Key.Kind is CollateralKind.Authority);
        var rim = world.Items.First(item => item.Key.Kind is CollateralKind.Rim);

        Assert.Matches("^the OCSP answer about (the certificate .+|serial number [0-9a-f]+ of .+)$", BundleEnd.FirstOf(world.Items));
        Assert.StartsWith("the certificate ", BundleEnd.NameOf(authority, world.Items), StringComparison.Ordinal);
        Assert.DoesNotContain(authority.Key.Id, BundleEnd.NameOf(authority, world.Items), StringComparison.Ordinal);
        Assert.EndsWith($" under {rim.Key}", BundleEnd.NameOf(rim, world.Items), StringComparison.Ordinal);
        Assert.Null(BundleEnd.FirstOf([]));
    }

    private async Task<Site> SiteAsync(long sequence, BundleSigners? signers = null)
    {
        var (time, logs, folder) = (new ManualTime(BundleWorld.Now), new LogLines(), world.World.NewFolder());
        Directory.CreateDirectory(folder);
        var cache = world.World.Cache(new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("test", "down"))), time, world.World.NewFolder());
        var file = (world.Honest with { Sequence = sequence }).Write(world.Site);
        var path = Path.Combine(folder, "site.bundle");
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);
        Assert.True(cache.TryImport(world.Accepted(file), "test", out _, out var fault), fault?.ToString());
        return new Site(cache, new BundleWatch([(path, file)], cache, world.Verification(), signers ?? BundleSigners.Fixed(world.Expected()), time, logs.CreateLogger<BundleWatch>(), looks: false), time, logs, path);
    }

    private sealed record Site(CollateralCache Cache, BundleWatch Watch, ManualTime Time, LogLines Logs, string Path) : IAsyncDisposable
    {
        public void Put(byte[] file, int minutes)
        {
            var beside = Path + ".new";
            File.WriteAllBytes(beside, file);
            File.SetLastWriteTimeUtc(beside, BundleWorld.Now.UtcDateTime.AddMinutes(minutes));
            File.Move(beside, Path, overwrite: true);
        }

        public async ValueTask DisposeAsync()
        {
            await Watch.DisposeAsync();
            await Cache.DisposeAsync();
        }
    }
}
