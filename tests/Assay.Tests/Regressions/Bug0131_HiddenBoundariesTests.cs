using Assay.Appraisal.Boot;
using Assay.Binding;
using Assay.Simulator;
using Assay.Tests.Boot;

namespace Assay.Tests.Regressions;

/// <summary>
/// 131: a log that calls `system-ready` something else kept the grammar of the boot phase (`boot.boundary.match` held), so that only one
/// other check stood between a machine that runs and the keys of the boot phase.
/// </summary>
public class Bug0131_HiddenBoundariesTests
{
    private static readonly BootExpectations s_bootPhase = BootWorld.Expected with { Gate = BootWorld.Gate with { Phase = BootPhase.Boot } };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_hidden_boundary_does_not_look_like_the_boot_phase(int version)
    {
        var result = BootWorld.Judge(BootWorld.Plan with { EventVersion = version, Fault = BootFault.HiddenBoundary }, s_bootPhase);

        var failed = BootWorld.Failed(result).Split(' ');
        Assert.Contains("boot.events.explained", failed);
        Assert.Contains("boot.boundary.match", failed);
        Assert.Contains("boot.gpu.attested", failed);
        Assert.False(result.CarriesBootEvent);
        Bug0130_ForgedEventNamesTests.SaysNothing(result.Record!);
    }

    [Fact]
    public void A_machine_that_is_booting_passes() =>
        Assert.Equal("", BootWorld.Failed(BootWorld.Judge(BootWorld.Plan with { Booted = false }, s_bootPhase)));
}
