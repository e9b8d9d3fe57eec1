using System.Buffers.Binary;
using System.Text;
using Assay.Collateral.Bundles;
using Assay.Tests.Collateral;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>A bundle was read whole before its signatures were asked for: 254 MB that nobody had signed took 1.7 GB.</summary>
public sealed class Bug0113_UnsignedBundlesTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private BundleForge Large => world.Honest with { Marks = [.. Enumerable.Range(0, 20_000).Select(number => ($"ocsp:{number:x40}", "|1700000000|"))] };

    [Fact]
    public void A_bundle_that_no_known_key_signed_costs_its_signatures_alone()
    {
        var file = Large.Write(ForgeKey.New("stranger"));

        var (fault, allocated) = Refused(file);

        Assert.Equal("bundle.signed", fault.Id);
        Assert.InRange(allocated, 0, 64 * 1024);
        Assert.InRange(file.Length, 1_000_000, int.MaxValue);
    }

    [Fact]
    public void A_bundle_with_a_false_signature_under_a_known_name_costs_its_signed_bytes_once()
    {
        var file = Large.Write(ForgeKey.New(world.Site.Name));

        var (fault, allocated) = Refused(file);

        Assert.Equal("bundle.signed", fault.Id);
        Assert.InRange(allocated, 0, file.Length + (64 * 1024));
    }

    [Fact]
    public void What_a_stranger_signed_is_not_even_looked_at_and_what_the_site_signed_is()
    {
        var broken = world.Honest with { Manifest = _ => "{\"items\":[" };

        Assert.Equal("bundle.signed", world.Refused(broken.Write(ForgeKey.New("stranger"))).Id);
        Assert.Equal("bundle.wellformed", world.Refused(broken.Write(world.Site)).Id);
    }

    [Theory]
    [InlineData("manifest", Limits.BundleManifestBytes)]
    [InlineData("signatures", Limits.KeySetBytes)]
    public void A_part_beyond_its_bound_is_refused_by_its_length(string part, int most)
    {
        var file = new byte[most + 64];
        Encoding.ASCII.GetBytes("ASSAYBUNDLE1\n").CopyTo(file, 0);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(part == "manifest" ? 13 : 17), most + 1);

        var (fault, allocated) = Refused(file);

        Assert.Equal("bundle.wellformed", fault.Id);
        Assert.Contains($"{part}: larger than {most} bytes", fault.Reason, StringComparison.Ordinal);
        Assert.InRange(allocated, 0, 64 * 1024);
    }

    [Fact]
    public void A_file_is_held_once_while_it_is_read()
    {
        var path = Path.Combine(world.World.NewFolder(), "rack.bundle");
        File.WriteAllBytes(path, new byte[8 * 1024 * 1024]);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(Assay.Cli.InputFile.TryRead(path, Limits.BundleBytes, out var bytes, out _));

        Assert.Equal(8 * 1024 * 1024, bytes.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, bytes.Length + (256 * 1024));
    }

    private (BundleFault Fault, long Allocated) Refused(byte[] file)
    {
        var (expected, verification) = (world.Expected(), world.Verification());
        // Once for what is made at the first use of anything.
        Assert.False(VerifiedBundle.TryVerify(file, expected, verification, out _, out var fault));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(VerifiedBundle.TryVerify(file, expected, verification, out _, out fault));
        return (fault, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
