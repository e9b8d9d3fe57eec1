using Assay.Checks;
using Assay.Tests.Cpu;
using Assay.Trust;

namespace Assay.Tests.Appraisal;

/// <summary>One rule for the times of certificates, whoever's they are: five minutes before notBefore, none after notAfter.</summary>
public class PathValidityTests
{
    [Theory]
    [InlineData(-301, false)]
    [InlineData(-300, true)]
    [InlineData(0, true)]
    public void A_clock_may_be_five_minutes_behind_notBefore(int seconds, bool held)
    {
        var path = Path();

        Assert.Equal(held, PathValidity.Judge(path, path.LatestNotBefore.AddSeconds(seconds), "cure").State is CheckState.Held);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void Nothing_counts_past_notAfter(int seconds, bool held)
    {
        var path = Path();

        Assert.Equal(held, PathValidity.Judge(path, path.EarliestNotAfter.AddSeconds(seconds), "cure").State is CheckState.Held);
    }

    // Intel's: certificates of devices end with the year 9999.
    private static CertificationPath Path() => SimulatedCpu.Tdx(5, is15: true).Result().Quote!.Path;
}
