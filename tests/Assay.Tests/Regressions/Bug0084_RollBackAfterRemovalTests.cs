using Assay.Collateral.Staging;

namespace Assay.Tests.Regressions;

/// <summary>A roll-back after a removal left the default pool without any rule, and served what had been removed.</summary>
public sealed class Bug0084_RollBackAfterRemovalTests
{
    private static readonly DateTimeOffset s_now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void What_a_removed_set_shared_with_another_is_denied_when_that_one_is_rolled_back()
    {
        var pool = Promoted(Promoted(new RimPool { Name = RimPool.Default }, "580", "a"), "580b", "a", "b");
        Assert.True(pool.TryRemove("580", out var removed, out _));

        Assert.True(removed.TryRollBack(out var back, out _, out _));

        Assert.True(back.IsGoverned);
        Assert.False(back.Serves("a", withStaged: false));
        Assert.False(back.Serves("anything", withStaged: false));
    }

    [Fact]
    public void Of_promotions_in_one_second_the_last_is_undone()
    {
        var pool = Promoted(Promoted(new RimPool { Name = RimPool.Default }, "b", "1"), "a", "2");

        Assert.True(pool.TryRollBack(out _, out var undone, out _));
        Assert.Equal("a", undone);
    }

    private static RimPool Promoted(RimPool before, string set, params string[] rims)
    {
        Assert.True(before.TryStage(set, rims, s_now, out var staged, out _));
        Assert.True(staged.TryPromote(set, s_now, out var promoted, out _));
        return promoted;
    }
}
