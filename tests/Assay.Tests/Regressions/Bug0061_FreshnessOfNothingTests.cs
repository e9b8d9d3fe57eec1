using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Regressions;

/// <summary>
/// 61: freshness was proven where a challenge was given and nothing answered it: no part at all, or a processor's container that could not
/// be read. The latter also passed as a machine without a CPU TEE, where that tier is accepted.
/// </summary>
public sealed class Bug0061_FreshnessOfNothingTests : IDisposable
{
    private static readonly MachineDemands s_lenient =
        new() { Gpus = null, Switches = null, DangerouslyAcceptedBinding = GpuBinding.None, DangerouslyAcceptNoCpuTee = true, Challenged = true };

    private readonly SimulatedCvm _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Nothing_answers_no_challenge() =>
        Assert.False(MachineJudgement.Appraise(new MachineParts { Basis = SimulatedCvm.Basis, Devices = null, Key = null, AdditionalEvidence = "" }, s_lenient).FreshnessProven);

    [Fact]
    public void A_processor_that_cannot_be_read_is_neither_fresh_nor_absent()
    {
        var evidence = _machine.Evidence(_machine.Binding);
        var devices = SimulatedCvm.Judge(evidence, _machine.Binding);
        Assert.True(devices.FreshnessProven);
        Assert.True(ProcessorEvidence.TryParse("""{"hcl_report":"AAAA"}"""u8, "broken", out var cpu, out _));
        var expected = new ProcessorExpectations
        {
            Key = _machine.Binding,
            AdditionalEvidence = AdditionalEvidence.Of(evidence),
            ReportData = null,
            TdxReferences = null,
            SnpReferences = null,
            SnpMinimumTcb = null,
            Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), SimulatedCvm.Trust, RevocationChecking.DangerouslySkipped),
        };
        var parts = MachineAppraisal.Join(devices, cpu, [], ProcessorCollateral.Empty, expected, new BootExpectations { RequireSecureBoot = false, Gate = null }, new VerifierCache());

        var verdict = Verdict.Of(parts, s_lenient, RelyingPartyPolicy.Default, ClaimsVersion.V3);

        Assert.Equal("fail", verdict.Word);
        Assert.Equal("not-proven", verdict.Freshness);
        Assert.Contains(verdict.Machine!.Findings, finding => finding is { Id: "composite.cpu.present", State: CheckState.Failed });
    }

    [Fact]
    public void A_key_bound_to_the_challenge_of_the_bundle_itself_is_a_weakening()
    {
        var quote = SimulatedCvm.Quote(_machine.Boot(), _machine.Binding, "");
        var parts = new MachineParts { Basis = SimulatedCvm.Basis, Devices = null, Cpu = SimulatedCvm.Cpu(quote), Key = _machine.Binding, AdditionalEvidence = "" };
        var expected = SimulatedCvm.Expected with { Gpus = 0, Switches = 0 };

        Assert.Contains("nonce-not-given", MachineJudgement.Appraise(parts, expected with { Challenged = false }).Weakened);
        Assert.DoesNotContain("nonce-not-given", MachineJudgement.Appraise(parts, expected).Weakened);
    }
}
