using Assay.Evidence.Devices;
using Assay.Evidence.Spdm;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Tests.Reference;

public class RimIdTests
{
    private static readonly DeviceFields s_board = new() { Project = "G520", ProjectSku = "0200", ChipSku = "885", VbiosVersion = "96.00.a5.00.01" };

    [Theory]
    [InlineData("NV_GPU_DRIVER_GH100_550.144.03", nameof(RimRole.Driver), "NV_GPU_DRIVER_GH100", "550.144.03", "550.144.03")]
    [InlineData("NV_GPU_CC_DRIVER_GB110_580.10", nameof(RimRole.Driver), "NV_GPU_CC_DRIVER_GB110", "580.10", "580.10")]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_9600A50001", nameof(RimRole.Vbios), "NV_GPU_VBIOS_G520_0200_885", "9600A50001", "96.00.A5.00.01")]
    [InlineData("NV_SWITCH_BIOS_5612_0002_890_9610550001", nameof(RimRole.SwitchBios), "NV_SWITCH_BIOS_5612_0002_890", "9610550001", "96.10.55.00.01")]
    public void An_id_is_read_into_its_parts(string text, string role, string before, string version, string manifestVersion)
    {
        Assert.True(RimIds.TryParse(text, out var id));
        Assert.Equal((Enum.Parse<RimRole>(role), before, version, text), (id.Role, id.Before, id.Version, id.ToString()));
        Assert.True(id.IsOfVersion(manifestVersion));
        Assert.False(id.IsOfVersion(manifestVersion + "1"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("NV_GPU_DRIVER_GH100")]
    [InlineData("NV_GPU_DRIVER_GH100_")]
    [InlineData("NV_GPU_DRIVER_GH100_550.144.03_1")]
    [InlineData("NV_GPU_DRIVER_GB100_550.144.03")]
    [InlineData("NV_GPU_DRIVER_GH100X_550.144.03")]
    [InlineData("nv_gpu_driver_gh100_550.144.03")]
    [InlineData("NV_GPU_DRIVER_GH100_.550")]
    [InlineData("NV_GPU_CC_DRIVER__580.10")]
    [InlineData("NV_GPU_CC_DRIVER_GB-110_580.10")]
    [InlineData("NV_GPU_VBIOS_G520_0200_9600A50001")]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_96.00.A5.00.01")]
    [InlineData("NV_SWITCH_BIOS_5612_0002_891_9610550001")]
    [InlineData("NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement")]
    [InlineData("NV_NIC_FIRMWARE_CX7_28.39.4082")]
    [InlineData("NV_GPU_X")]
    [InlineData("NV_GPU_DRIVER_GH100_550/144")]
    public void A_text_of_another_form_is_no_id(string text) => Assert.False(RimIds.TryParse(text, out _));

    [Theory]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_9600A50002", true)]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_9600A50001", false)]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_9600A50000", false)]
    [InlineData("NV_GPU_VBIOS_G520_0200_885_9600A5000200", false)]
    [InlineData("NV_GPU_VBIOS_G520_0200_886_9600A50002", false)]
    [InlineData("NV_SWITCH_BIOS_5612_0002_890_9610550001", false)]
    public void Only_a_later_version_for_the_same_board_is_newer(string other, bool newer)
    {
        Assert.True(RimIds.TryParse("NV_GPU_VBIOS_G520_0200_885_9600A50001", out var ours));
        Assert.True(RimIds.TryParse(other, out var theirs));
        Assert.Equal(newer, theirs.IsNewerThan(ours));
    }

    [Fact]
    public void Ids_are_those_that_the_RIM_service_knows() => Assert.Equal(
        [
            "NV_GPU_DRIVER_GH100_550.144.03", "NV_GPU_CC_DRIVER_GB110_580.10", "NV_GPU_CC_DRIVER_GB100_575.32",
            "NV_GPU_VBIOS_G520_0200_885_9600A50001", "NV_SWITCH_BIOS_5612_0002_890_9610550001",
        ],
        [
            Make("Hopper", RimRole.Driver, new() { DriverVersion = "550.144.03" }),
            Make("Blackwell GSP", RimRole.Driver, new() { ChipInfo = "GB110", DriverVersion = "580.10" }),
            Make("Blackwell GSP", RimRole.Driver, new() { DriverVersion = "575.32" }),
            Make("Hopper", RimRole.Vbios, s_board),
            Make("LS10", RimRole.SwitchBios, new() { VbiosVersion = "96.10.55.00.01" }),
        ]);

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
        Assert.Equal("driverVersion", Fault("Hopper", RimRole.Driver, new() { DriverVersion = version }));
        Assert.Equal("driverVersion", Fault("Blackwell GSP", RimRole.Driver, new() { ChipInfo = "GB100", DriverVersion = version }));
        Assert.Equal("VBIOS version", Fault("Blackwell GSP", RimRole.Vbios, s_board with { VbiosVersion = version }));
        Assert.Equal("switch BIOS version", Fault("LS10", RimRole.SwitchBios, new() { VbiosVersion = version }));
    }

    [Theory]
    [InlineData("", "0200", "885", "PROJECT")]
    [InlineData("G520_0200", "0200", "885", "PROJECT")]
    [InlineData("G520", "..", "885", "PROJECT_SKU")]
    [InlineData("G520", "0200", "8/5", "CHIP_SKU")]
    public void A_part_that_is_not_letters_and_digits_is_refused(string project, string projectSku, string chipSku, string field) =>
        Assert.Equal(field, Fault("Hopper", RimRole.Vbios, s_board with { Project = project, ProjectSku = projectSku, ChipSku = chipSku }));

    [Fact]
    public void A_field_that_the_report_lacks_gives_no_id() => Assert.Equal("PROJECT_SKU", Fault("Hopper", RimRole.Vbios, s_board with { ProjectSku = null }));

    [Fact]
    public void An_id_is_never_longer_than_its_limit()
    {
        Assert.Equal("RIM id", Fault("Hopper", RimRole.Driver, new() { DriverVersion = new string('1', Limits.RimIdCharacters) }));
        Assert.True(RimIds.IsSafe(new string('A', Limits.RimIdCharacters)));
        Assert.All(["", ".A", "A..B", "A/B", new string('A', Limits.RimIdCharacters + 1)], id => Assert.False(RimIds.IsSafe(id)));
    }

    private static RimIdPattern Pattern(string model, RimRole role) => DeviceModels.All.Single(row => row.Name == model).Rims.Single(rim => rim.Role == role).Id!;

    private static string Make(string model, RimRole role, DeviceFields fields)
    {
        Assert.True(RimIds.TryMake(Pattern(model, role), fields, out var id, out var fault), fault?.ToString());
        Assert.True(RimIds.TryParse(id.ToString(), out var read));
        Assert.Equal(id, read);
        return id.ToString();
    }

    private static string Fault(string model, RimRole role, DeviceFields fields)
    {
        Assert.False(RimIds.TryMake(Pattern(model, role), fields, out var id, out var fault));
        Assert.Null(id);
        return fault.Field;
    }
}
