using Assay.Reference;
using Assay.Wire;

namespace Assay.Tests.Reference;

public class RimIdTests
{
    [Fact]
    public void Ids_are_those_that_the_RIM_service_knows()
    {
        Assert.True(RimIds.TryHopperDriver("550.144.03", out var hopper, out _));
        Assert.True(RimIds.TryBlackwellDriver("GB110", "580.10", out var blackwell, out _));
        Assert.True(RimIds.TryBlackwellDriver(null, "575.32", out var withoutChip, out _));
        Assert.True(RimIds.TryVbios("G520", "0200", "885", "96.00.a5.00.01", out var vbios, out _));
        Assert.True(RimIds.TrySwitch("96.10.55.00.01", out var switchBios, out _));
        Assert.Equal(
            [
                "NV_GPU_DRIVER_GH100_550.144.03", "NV_GPU_CC_DRIVER_GB110_580.10", "NV_GPU_CC_DRIVER_GB100_575.32",
                "NV_GPU_VBIOS_G520_0200_885_9600A50001", "NV_SWITCH_BIOS_5612_0002_890_9610550001",
            ],
            [hopper, blackwell, withoutChip, vbios, switchBios]);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("550..03")]
    [InlineData(".550")]
    [InlineData("550.")]
    [InlineData("../550")]
    [InlineData("550/144")]
    [InlineData("550\\144")]
    [InlineData("550 144")]
    [InlineData("550_144")]
    [InlineData("550%2e")]
    [InlineData("550\0")]
    [InlineData("５５０")]
    public void A_version_that_could_lead_elsewhere_is_refused(string version)
    {
        Assert.False(RimIds.TryHopperDriver(version, out var id, out var fault));
        Assert.Null(id);
        Assert.Equal("driverVersion", fault.Field);
        Assert.False(RimIds.TryBlackwellDriver("GB100", version, out _, out _));
        Assert.False(RimIds.TryVbios("G520", "0200", "885", version, out _, out _));
        Assert.False(RimIds.TrySwitch(version, out _, out _));
    }

    [Theory]
    [InlineData("", "0200", "885", "PROJECT")]
    [InlineData("G520_0200", "0200", "885", "PROJECT")]
    [InlineData("G520", "..", "885", "PROJECT_SKU")]
    [InlineData("G520", "0200", "8/5", "CHIP_SKU")]
    public void A_part_that_is_not_letters_and_digits_is_refused(string project, string projectSku, string chipSku, string field)
    {
        Assert.False(RimIds.TryVbios(project, projectSku, chipSku, "96.00.A5.00.01", out _, out var fault));
        Assert.Equal(field, fault.Field);
    }

    [Fact]
    public void An_id_is_never_longer_than_its_limit()
    {
        Assert.False(RimIds.TryHopperDriver(new string('1', Limits.RimIdCharacters), out _, out var fault));
        Assert.Equal("RIM id", fault.Field);
        Assert.True(RimIds.IsSafe(new string('A', Limits.RimIdCharacters)));
        Assert.All(["", ".A", "A..B", "A/B", new string('A', Limits.RimIdCharacters + 1)], id => Assert.False(RimIds.IsSafe(id)));
    }
}
