using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>A report that was altered and one beside another device's chain had one message, also where the FWIDs of both tell them apart.</summary>
public sealed class Bug0235_AlteredOrAnotherDevicesTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    [Fact]
    public void A_chain_of_other_firmware_is_told_by_its_FWID()
    {
        var (report, _) = Evidence(DeviceProfile.Hopper580);
        var (_, chain) = Evidence(DeviceProfile.HopperEarly);

        Assert.Contains("the chain belongs to another device, or to other firmware on this one (the report names FWID", WhyNot(report, chain), StringComparison.Ordinal);
    }

    [Fact]
    public void A_report_that_names_the_FWID_of_its_chain_was_altered_or_is_of_a_device_with_the_same_firmware()
    {
        var (report, chain) = Evidence(DeviceProfile.Hopper580);
        var altered = report.ToArray();
        altered[^1] ^= 1;

        Assert.Contains("the report was altered, or the chain belongs to another device with the same firmware (both name FWID", WhyNot(altered, chain), StringComparison.Ordinal);
    }

    private string WhyNot(ReadOnlyMemory<byte> report, ReadOnlyMemory<byte> chain)
    {
        var (device, findings, _) = AuthenticDevice.Authenticate(new DeviceEvidence { Source = "test", Report = report, Chain = chain }, new DeviceQuestion(null, world.Trust, RequireFwid: false), new VerifierCache());
        Assert.Null(device);
        var finding = findings.Single(finding => finding.Id == "report.signature.valid");
        Assert.Equal(CheckState.Failed, finding.State);
        return finding.Reason!;
    }

    private (ReadOnlyMemory<byte> Report, ReadOnlyMemory<byte> Chain) Evidence(DeviceProfile profile)
    {
        var set = SimulatedSet.Of(world.Authority, SimulatedDevice.Create(world.Authority, profile), new byte[32], CacheWorld.Now);
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "evidence.json", out var devices, out var fault), fault?.ToString());
        return (devices[0].Report, devices[0].Chain);
    }
}
