using Assay.Appraisal.Machine;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Tests.Composite;

namespace Assay.Tests.Regressions;

/// <summary>
/// 60: a boot event counted although nothing told that the image which wrote it was a known one. A VM without a GPU, with a kernel of its
/// own, writes whatever devices it likes into its registers: its log, its registers and its quote are all genuine.
/// </summary>
public sealed class Bug0060_BootEventsOfUnknownImagesTests : IDisposable
{
    private readonly SimulatedCvm _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void An_image_that_was_compared_with_nothing_carries_no_boot_event()
    {
        var parts = WithImage(Outcome.Waived("no reference values were given"));

        var result = MachineJudgement.Appraise(parts, SimulatedCvm.Expected);

        Assert.False(result.Passed);
        Assert.Equal("evidence-hash", result.BindingWord);
        Assert.Equal(["binding.boot.event", "binding.level.met"], Failed(result));
    }

    [Fact]
    public void Nor_does_an_image_that_is_none_of_the_known_ones()
    {
        var result = MachineJudgement.Appraise(WithImage(Outcome.Failed("another image")), SimulatedCvm.Expected);

        Assert.Equal("evidence-hash", result.BindingWord);
        Assert.Contains("composite.parts.passed", Failed(result));
    }

    private MachineParts WithImage(Outcome outcome)
    {
        var parts = _machine.Parts();
        var quote = (TdxResult)parts.Cpu!.Tee!;
        var findings = quote.Findings.Select(finding => finding.Id == "tdx.measurements.match" ? outcome.Named(finding.Id) : finding);
        return parts with { Cpu = SimulatedCvm.Cpu(quote with { Findings = [.. findings] }) };
    }

    private static string[] Failed(MachineResult result) => [.. result.Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
}
