using System.Text;
using Assay.Collateral.Staging;
using Assay.Tests.Cli;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>
/// Files of a cache, and an option, could name a sequence beyond 64 bits or an instant at either end of the calendar: arithmetic with it threw.
/// </summary>
public sealed class Bug0111_TimesAndSequencesAtTheEndTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sequence_beyond_every_bundle_refuses_them_all()
    {
        var folder = world.World.NewFolder();
        await File.WriteAllTextAsync(Path.Combine(folder, "marks"), $"bundle {new string('9', 60)}|1700000000| .\n", Cancellation);
        await using var cache = world.World.Cache(world.Services(), new ManualTime(BundleWorld.Now), folder);

        Assert.Equal(long.MaxValue, cache.BundleSequence);
        Assert.False(cache.TryImport(world.Accepted(world.Honest.Write(world.Site)), "test", out _, out var fault));
        Assert.Equal("bundle.sequence.met", fault.Id);
    }

    [Theory]
    [InlineData("0001-01-01T00:00:00.0000000Z")]
    [InlineData("9999-12-31T23:59:59.9999999Z")]
    public async Task An_item_whose_file_says_that_it_was_fetched_at_an_end_of_the_calendar_is_served(string time)
    {
        var (folder, clock) = (world.World.NewFolder(), new ManualTime(BundleWorld.Now));
        await using (var cache = world.World.Cache(world.World.Honest(), clock, folder))
        {
            Assert.NotNull((await cache.GetAsync(world.World.RimKey, Cancellation)).Item);
        }

        foreach (var member in (string[])["fetched", "refresh", "fresh", "servable", "validUntil", "signersUntil"])
        {
            Rewrite(Directory.EnumerateFiles(Path.Combine(folder, "rim"), "*.item").Single(), member, time);
            await using var next = world.World.Cache(world.World.Honest(), clock, folder);
            Assert.NotNull((await next.GetAsync(world.World.RimKey, Cancellation)).Item);
            await next.RefreshAsync();
        }
    }

    [Fact]
    public void A_pool_whose_last_promotion_has_no_later_second_is_damaged()
    {
        Assert.True(new RimPool { Name = "a" }.TryStage("s", ["x"], BundleWorld.Now, out var staged, out _));
        Assert.True(staged.TryPromote("s", new DateTimeOffset(9998, 12, 31, 23, 59, 59, TimeSpan.Zero), out var pool, out _));
        var json = Encoding.UTF8.GetString(pool.ToJson());

        Assert.True(RimPool.TryParse(Encoding.UTF8.GetBytes(json), out var read, out _));
        Assert.True(read.TryStage("t", ["y"], BundleWorld.Now, out staged, out _));
        Assert.True(staged.TryPromote("t", BundleWorld.Now, out _, out _));
        Assert.False(RimPool.TryParse(Encoding.UTF8.GetBytes(json.Replace("9998-12-31", "9999-12-31", StringComparison.Ordinal)), out _, out var fault));
        Assert.Contains("pool", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Reference_values_that_would_count_beyond_the_calendar_are_refused()
    {
        var answer = new AssayCommand().Says(2, "measure", "--from", "/dev/null", "--name", "a", "--image-version", "1", "--sequence", "1", "--not-before", "9999-06-01T00:00:00Z", "--valid-for", "3650", "--out", "/dev/null/never");

        Assert.Contains("--valid-for: 3650 days after 9999-06-01T00:00:00Z is beyond the year 9999", answer, StringComparison.Ordinal);
    }

    private static void Rewrite(string file, string member, string time)
    {
        var bytes = File.ReadAllBytes(file);
        var end = Array.IndexOf(bytes, (byte)'\n');
        var header = System.Text.RegularExpressions.Regex.Replace(Encoding.UTF8.GetString(bytes, 0, end), $"\"{member}\":\"[^\"]*\"", $"\"{member}\":\"{time}\"");
        File.WriteAllBytes(file, [.. Encoding.UTF8.GetBytes(header), .. bytes.AsSpan(end)]);
    }
}
