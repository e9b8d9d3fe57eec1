using Assay.Inspection;
using Assay.Simulator;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>50: anchors of processors alone, which may stand without roots of devices, were taken for evidence by <c>assay inspect</c>.</summary>
public class Bug0050_AnchorsOfProcessorsTests
{
    [Fact]
    public void Anchors_without_roots_of_devices_are_shown_as_anchors()
    {
        var faults = new FaultLog();
        var shown = Inspector.Inspect(CpuAnchors.ToJson("simulated processors", SimulatedCpu.Intel, SimulatedCpu.Amd), "anchors.json", faults);

        Assert.Empty(faults.Faults);
        Assert.Equal("anchors", shown?.Name);
        Assert.Equal(["intel_roots", "amd_roots"], shown!.Children.Select(child => child.Name).Where(name => name.EndsWith("_roots", StringComparison.Ordinal)));
    }
}
