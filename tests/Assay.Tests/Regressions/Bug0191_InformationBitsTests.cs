using Assay.Evidence.Snp;
using Assay.Simulator;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>Reports of real Turin machines were refused for bit 6 of PLATFORM_INFO, which informs and permits nothing.</summary>
public sealed class Bug0191_InformationBitsTests
{
    [Fact]
    public void Bit_6_has_a_name()
    {
        Assert.True(SnpReport.TryParse(Cases.Bytes("turin-platform-bit6/genoa-platform-bit6.bin"), out var report, out var fault), fault?.ToString());
        Assert.True(report.PlatformInfo.IommuWriteSafe);
        Assert.Equal(0UL, report.PlatformInfo.Unknown);
    }

    [Fact]
    public void Information_without_a_name_weakens_and_policy_without_a_name_is_refused()
    {
        var informed = SimulatedCpu.Snp(SnpLine.Turin, 5, false, SnpFault.UnknownPlatform).Result();
        Assert.True(informed.Passed);
        Assert.Equal(["snp-platform-bits-unknown"], informed.Weakened);

        Assert.Equal(["snp.policy.known"], JudgedTdx.Failed(SimulatedCpu.Snp(SnpLine.Turin, 5, false, SnpFault.UnknownPolicy).Result().Findings));
    }
}
