using System.Text;
using Assay.Checks;
using Assay.Collateral.Bundles;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Collateral;

/// <summary>
/// Programs of attackers: those on the bundle's way, and those who hold the site's key. The first can deny; the second can deny too, and
/// leave things out, and still make no bad item good.
/// </summary>
public sealed class BundleAttackTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    [Fact]
    public void The_honest_bundle_is_accepted() => Assert.Equal(world.Items.Length, world.Accepted(world.Honest.Write(world.Site)).Items.Count());

    [Fact]
    public void A_forged_manifest_in_a_properly_signed_bundle_is_refused()
    {
        var fault = world.Refused(world.Honest.With(world.World.RimKey, world.World.Rim.WithSpoiledSignature().Xml.ToArray()).Write(world.Site));

        Assert.Equal("bundle.items.authentic", fault.Id);
        Assert.Contains(world.World.RimKey.Id, fault.Reason, StringComparison.Ordinal);
        Assert.Contains("signature", fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_its_responder_did_not_sign_in_a_properly_signed_bundle_is_refused()
    {
        var forged = SimulatedOcsp.Respond(CacheWorld.Good(world.World.Brom) with { SpoilSignature = true });

        Assert.Equal("bundle.items.authentic", world.Refused(world.Honest.With(world.BromKey, forged).Write(world.Site)).Id);
    }

    [Fact]
    public void An_answer_about_another_certificate_is_refused()
    {
        var other = world.Items.First(item => item.Key.Kind is CollateralKind.Ocsp && item.Key != world.BromKey);

        Assert.Equal("bundle.items.authentic", world.Refused(world.Honest.With(world.BromKey, other.Body.ToArray()).Write(world.Site)).Id);
    }

    [Fact]
    public void A_manifest_under_another_id_is_refused() =>
        Assert.Equal("bundle.items.authentic", world.Refused(world.Honest.With(world.World.RimKey, world.World.OtherRim.Xml.ToArray()).Write(world.Site)).Id);

    [Fact]
    public void A_bundle_of_another_key_is_refused()
    {
        var fault = world.Refused(world.Honest.Write(ForgeKey.New("stranger")));

        Assert.Equal("bundle.signed", fault.Id);
        Assert.Contains("stranger", fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_key_under_the_sites_name_is_refused() => Assert.Equal("bundle.signed", world.Refused(world.Honest.Write(ForgeKey.New(world.Site.Name))).Id);

    [Fact]
    public void A_signature_that_the_site_made_for_something_else_is_refused() =>
        Assert.Equal("bundle.signed", world.Refused((world.Honest with { Purpose = "" }).Write(world.Site)).Id);

    [Fact]
    public void A_key_on_a_smaller_curve_does_not_count()
    {
        var small = ForgeKey.New("small", System.Security.Cryptography.ECCurve.NamedCurves.nistP256);

        Assert.Equal("bundle.signed", world.Refused(world.Honest.Write(small), world.Expected() with { Keys = ForgeKey.SetOf(small) }).Id);
    }

    [Fact]
    public void Two_of_three_keys_are_two_different_ones()
    {
        var (second, third) = (ForgeKey.New("second"), ForgeKey.New("third"));
        var alias = world.Site.As("site-again");
        var expected = world.Expected() with { Keys = ForgeKey.SetOf(world.Site, second, third), Threshold = 2 };
        var withAlias = world.Expected() with { Keys = ForgeKey.SetOf(world.Site, alias, second), Threshold = 2 };

        Assert.Equal(["second", "site"], world.Accepted(world.Honest.Write(world.Site, second), expected).Authentic.Signers);
        Assert.Equal("bundle.signed", world.Refused(world.Honest.Write(world.Site), expected).Id);
        Assert.Equal("bundle.signed", world.Refused(world.Honest.Write(world.Site, alias), withAlias).Id);
        Assert.Equal("bundle.wellformed", world.Refused(world.Honest.Write(world.Site, world.Site), expected).Id);
    }

    [Fact]
    public void Content_that_the_manifest_does_not_name_is_refused()
    {
        var file = world.Honest.Write(world.Site);
        var swapped = (byte[])file.Clone();
        var place = file.AsSpan().IndexOf(world.World.Rim.Xml.Span);
        swapped[place + 500] ^= 1;

        var fault = world.Refused(swapped);

        Assert.Equal("bundle.wellformed", fault.Id);
        Assert.Contains("SHA-256 differs", fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_prefix_and_every_longer_file_is_refused()
    {
        var file = BundleForge.Of(world.Items.Where(item => item.Key.Kind is CollateralKind.Authority), BundleWorld.Now).Write(world.Site);

        world.Accepted(file);
        for (var length = 0; length < file.Length; length += length < 4000 ? 1 : 97)
        {
            Assert.False(CollateralBundle.TryParse(file.AsMemory(0, length), out _, out var fault));
            Assert.NotNull(fault);
        }

        Assert.Equal("bundle.wellformed", world.Refused([.. file, 0]).Id);
    }

    [Fact]
    public void Every_flipped_bit_is_refused()
    {
        var file = BundleForge.Of(world.Items.Where(item => item.Key.Kind is CollateralKind.Authority).Take(1), BundleWorld.Now).Write(world.Site);

        world.Accepted(file);
        for (var place = 0; place < file.Length; place++)
        {
            var flipped = (byte[])file.Clone();
            flipped[place] ^= (byte)(1 << (place % 8));
            world.Refused(flipped);
        }
    }

    [Theory]
    [InlineData("\"sequence\":7", "\"sequence\":7,\"sequence\":8")]
    [InlineData("\"version\":1", "\"version\":1,\"xtra\":1")]
    [InlineData("\"version\":1", "\"version\":2")]
    [InlineData("\"sequence\":7", "\"sequence\": 7")]
    [InlineData("\"sequence\":7", "\"sequence\":07")]
    [InlineData("\"sequence\":7", "\"sequence\":-7")]
    [InlineData("\"sequence\":7", "\"sequence\":9007199254740993")]
    [InlineData("\"kind\":\"rim\"", "\"kind\":\"rom\"")]
    [InlineData("\"bodyLength\":", "\"bodyLength\":1")]
    [InlineData("\"chainLength\":0", "\"chainLength\":4294967297")]
    public void A_manifest_that_can_be_read_in_two_ways_or_lies_about_lengths_is_refused(string from, string to)
    {
        var forge = world.Honest with { Manifest = manifest => manifest.Contains(from, StringComparison.Ordinal) ? manifest.Replace(from, to, StringComparison.Ordinal) : throw new InvalidOperationException(from) };

        Assert.Equal("bundle.wellformed", world.Refused(forge.Write(world.Site)).Id);
    }

    [Fact]
    public void An_item_that_stands_twice_is_refused()
    {
        var forge = world.Honest;
        forge.Items.Add(forge.Items[0]);

        Assert.Equal("bundle.wellformed", world.Refused(forge.Write(world.Site)).Id);
    }

    [Fact]
    public void A_bundle_of_nothing_is_refused() =>
        Assert.Equal("bundle.wellformed", world.Refused((world.Honest with { Items = [] }).Write(world.Site)).Id);

    [Fact]
    public void A_file_beyond_the_bound_is_refused_by_its_length_alone()
    {
        var huge = GC.AllocateUninitializedArray<byte>(Limits.BundleBytes + 1);

        Assert.False(CollateralBundle.TryParse(huge, out _, out var fault));
        Assert.Contains("larger than", fault.Problem, StringComparison.Ordinal);
        Assert.False(CollateralBundle.TryParse(Encoding.ASCII.GetBytes("ASSAYBUNDLE1\n\xff\xff\xff\xff{}"), out _, out fault));
        Assert.Equal("truncated", fault.Problem);
    }

    [Fact]
    public void A_second_past_its_date_it_is_refused_by_name_and_says_what_to_do()
    {
        var file = world.Honest.Write(world.Site);
        var end = new DateTimeOffset(world.GoodUntil.Ticks - world.GoodUntil.Ticks % TimeSpan.TicksPerSecond, TimeSpan.Zero);

        world.Accepted(file, world.Expected(end));
        var fault = world.Refused(file, world.Expected(end.AddSeconds(1)));

        Assert.Equal("bundle.current", fault.Id);
        Assert.Contains("assay bundle create", fault.Reason, StringComparison.Ordinal);
        Assert.Contains(end.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture), fault.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void A_date_that_its_items_do_not_have_is_refused(int days)
    {
        var fault = world.Refused((world.Honest with { GoodUntil = world.GoodUntil.AddDays(days) }).Write(world.Site));

        Assert.Equal("bundle.good-until.match", fault.Id);
    }

    [Fact]
    public void An_item_that_ended_is_not_made_current_by_a_later_date()
    {
        var file = (world.Honest with { GoodUntil = world.GoodUntil.AddDays(10) }).Write(world.Site);

        Assert.Equal("bundle.items.current", world.Refused(file, world.Expected(world.GoodUntil.AddDays(1))).Id);
    }

    [Fact]
    public void A_clock_set_back_before_its_making_is_refused_and_a_stated_instant_is_judged_by_the_items()
    {
        var file = world.Honest.Write(world.Site);
        var before = BundleWorld.Now.AddMinutes(-6);

        Assert.Equal("bundle.time.floor", world.Refused(file, world.Expected(before)).Id);
        world.Accepted(file, world.Expected(before, TimeSource.Stated));
        Assert.Equal("bundle.items.current", world.Refused(file, world.Expected(BundleWorld.Now.AddHours(-3), TimeSource.Stated)).Id);
        Assert.Equal("bundle.time.floor", world.Refused(file, world.Expected(BundleWorld.Now, TimeSource.None)).Id);
    }

    [Fact]
    public void A_lower_sequence_than_demanded_is_refused()
    {
        var file = world.Honest.Write(world.Site);

        world.Accepted(file, world.Expected() with { MinimumSequence = 7 });
        var fault = world.Refused(file, world.Expected() with { MinimumSequence = 8 });
        Assert.Equal("bundle.sequence.met", fault.Id);
        Assert.Contains("7", fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_item_older_than_the_bundles_own_mark_is_refused()
    {
        var item = world.Items.Single(one => one.Key == world.BromKey);
        var forge = world.Honest with { Marks = [($"ocsp:{item.MarkId}", $"|{item.Rank.Date.ToUnixTimeSeconds()}|revoked")] };

        var fault = world.Refused(forge.Write(world.Site));

        Assert.Equal("bundle.items.current", fault.Id);
        Assert.Contains("revokes", fault.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("floor")]
    [InlineData("bundle")]
    [InlineData("nothing:x")]
    [InlineData("ocsp:x")]
    public void A_mark_of_no_kind_or_of_the_future_is_refused(string name)
    {
        var forge = world.Honest with { Marks = [(name, $"|{BundleWorld.Now.AddDays(1).ToUnixTimeSeconds()}|")] };

        Assert.Equal("bundle.marks.plausible", world.Refused(forge.Write(world.Site)).Id);
    }

    [Fact]
    public void Simulated_items_are_nothing_under_the_manufacturers_roots()
    {
        Assert.False(VerifiedBundle.TryVerify(world.Honest.Write(world.Site), world.Expected(), new ItemVerification(TrustSet.BuiltIn, new VerifierCache()), out _, out var fault));
        Assert.Equal("bundle.items.authentic", fault.Id);
    }
}
