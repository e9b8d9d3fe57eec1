using System.Collections.Immutable;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Composite;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Tests.Attacks;

/// <summary>
/// An ordinary guest that poses as one behind a paravisor: any root process in it chooses REPORTDATA, so it can name a vTPM of its own
/// making, and quote PCRs of its choice (S-9a). Beside each attack stands the honest machine that it imitates.
/// </summary>
public sealed class ParavisorTests : IDisposable
{
    private readonly AzureWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(true, "tdx.measurements.match", "sept-ve")]
    [InlineData(false, "snp.measurement.match", null)]
    public void A_guest_of_a_known_bare_metal_image_that_poses_as_a_clouds_guest_is_refused_and_the_clouds_guest_passes(bool isTdx, string check, string? weakening)
    {
        var honest = _world.Judge(isTdx, poses: false);
        Assert.True(honest.Kind is VerdictKind.Pass, string.Join(' ', AzureWorld.Failed(honest)));
        Assert.Equal("boot-event", honest.Binding);
        Assert.Equal(weakening is not null, honest.Weakened.Contains("sept-ve"));
        Assert.DoesNotContain("paravisor-not-named", honest.Weakened);

        var forged = _world.Judge(isTdx, poses: true);

        Assert.Equal(VerdictKind.Fail, forged.Kind);
        Assert.Equal("none", forged.Binding);
        Assert.Equal("not-proven", forged.Freshness);
        Assert.Contains(check, AzureWorld.Failed(forged));
        Assert.Contains("binding.cpu.devices", AzureWorld.Failed(forged));
        Assert.Null(forged.Machine!.Parts.Cpu!.Tpm!.Quote);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Marks_are_not_mixed_with_the_entries_that_bear_none(bool isTdx)
    {
        // Evidence with a vTPM matches no unmarked entry, though it is the very measurement.
        var unmarked = _world.Judge(isTdx, poses: false, expected => expected with
        {
            TdxReferences = [AzureWorld.TdParavisor with { IsParavisor = false }],
            SnpReferences = [AzureWorld.SnpParavisor with { IsParavisor = false }],
        });

        Assert.Contains(isTdx ? "tdx.measurements.match" : "snp.measurement.match", AzureWorld.Failed(unmarked));

        // A poser that is marked by mistake is what the relying party named; its registers are still those of the entry's own paravisor.
        var other = _world.Judge(isTdx, poses: false, expected => expected with { TpmReferences = [_world.Pcrs("another paravisor")] });
        Assert.Contains("tpm.measurements.match", AzureWorld.Failed(other));
        Assert.NotEqual("boot-event", other.Binding);

        // A manifest of version 1 names no paravisor for its PCRs.
        Assert.Contains("tpm.measurements.match", AzureWorld.Failed(_world.Judge(isTdx, poses: false, expected => expected with { TpmReferences = [_world.Pcrs(paravisor: null)] })));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_reference_values_nothing_that_the_vtpm_says_is_believed(bool isTdx)
    {
        static ProcessorExpectations Nothing(ProcessorExpectations expected) => expected with { TdxReferences = null, SnpReferences = null, TpmReferences = null, DangerouslyAcceptSeptVe = true };

        var gate = _world.Judge(isTdx, poses: false, Nothing);
        Assert.Contains("boot.log.replayed", AzureWorld.Failed(gate));
        Assert.Equal("none", gate.Binding);

        // A key that the vTPM should vouch for is not vouched for: honest machine and poser look the same here.
        foreach (var poses in new[] { false, true })
        {
            var verdict = _world.Judge(isTdx, poses, Nothing, withGate: false);
            Assert.Equal(["binding.cpu.devices"], AzureWorld.Failed(verdict));
            Assert.Contains("paravisor-not-named", verdict.Weakened);
            Assert.Equal("not-proven", verdict.Freshness);
        }
    }

    [Fact]
    public void Registers_that_do_not_name_kernel_and_loader_make_no_gate_known()
    {
        var verdict = _world.Judge(isTdx: true, poses: false, expected => expected with { TpmReferences = [_world.Pcrs(AzureWorld.Paravisor, 7)] });

        Assert.Equal(["binding.boot.event", "binding.level.met"], AzureWorld.Failed(verdict));
        Assert.Equal("evidence-hash", verdict.Binding);
    }

    [Theory]
    [InlineData(new[] { 4, 9 }, true)]
    [InlineData(new[] { 4, 11, 12 }, false)]
    [InlineData(new[] { 4, 7 }, false)]
    [InlineData(new[] { 7, 9 }, false)]
    public void Registers_that_nothing_extended_name_no_kernel(int[] registers, bool known)
    {
        // The machine measures its kernel into PCR 9; 11 and 12 are zeros.
        var verdict = _world.Judge(isTdx: true, poses: false, expected => expected with { TpmReferences = [_world.Pcrs(AzureWorld.Paravisor, registers)] });

        Assert.Equal(known, verdict.Kind is VerdictKind.Pass);
        Assert.Equal(known, verdict.Binding == "boot-event");
    }

    [Fact]
    public void An_entry_without_a_measurement_needs_its_keys_and_SVN_whoever_made_it()
    {
        var zeros = new SnpReference { Name = AzureWorld.Paravisor, Measurement = null, IdKeyDigest = new Digest(new byte[48]), MinimumGuestSvn = 0, IsParavisor = true };
        foreach (var entry in new[] { zeros, zeros with { IdKeyDigest = new Digest(SimulatedAzure.ParavisorIdKeyDigest), MinimumGuestSvn = null } })
        {
            var verdict = _world.Judge(isTdx: false, poses: true, expected => expected with { SnpReferences = [entry] });

            Assert.Contains("snp.measurement.match", AzureWorld.Failed(verdict));
        }
    }

    [Theory]
    [InlineData(5u, 5u, 0u, true)]
    [InlineData(4u, 5u, 0u, false)]
    [InlineData(5u, 5u, 2u, false)]
    public void A_paravisor_may_be_known_by_its_ID_block_at_VMPL_0_and_a_least_SVN(uint svn, uint least, uint vmpl, bool passes)
    {
        var entry = new SnpReference { Name = AzureWorld.Paravisor, Measurement = null, IdKeyDigest = new Digest(SimulatedAzure.ParavisorIdKeyDigest), MinimumGuestSvn = least, IsParavisor = true };

        var verdict = _world.Judge(isTdx: false, poses: false, expected => expected with { SnpReferences = [entry] }, options => options with { Snp = SnpGuest.Paravisor with { Svn = svn, Vmpl = vmpl } });

        Assert.Equal(passes, verdict.Kind is VerdictKind.Pass);
        Assert.Equal(passes, !AzureWorld.Failed(verdict).Contains("snp.measurement.match"));
    }

    [Fact]
    public void SEPT_VE_DISABLE_is_demanded_of_every_TD_but_a_paravisor_that_was_named()
    {
        var poser = _world.Judge(isTdx: true, poses: true, options: options => options with { Tdx = options.Tdx with { Attributes = 0 } });

        Assert.Contains("tdx.sept-ve.disabled", AzureWorld.Failed(poser));
    }

    [Fact]
    public void A_vtpm_in_another_vms_tee_lends_its_boot_event_to_nobody()
    {
        // The quote, the log and the TEE around them are genuine, and another machine's.
        using var cvm = new SimulatedCvm();
        var (mine, theirs) = (cvm.Parts(), _world.Judge(isTdx: true, poses: false).Machine!.Parts);
        Assert.Equal(TpmRoot.InTee, theirs.Cpu!.Tpm!.Quote!.Key.Root);

        var result = MachineJudgement.Appraise(mine with { Boot = theirs.Boot, Cpu = mine.Cpu! with { Tpm = theirs.Cpu.Tpm } }, SimulatedCvm.Expected);

        Assert.Contains("another VM's TEE", result.Findings.Single(finding => finding.Id == "binding.boot.event").Reason, StringComparison.Ordinal);
        Assert.NotEqual("boot-event", result.BindingWord);
        Assert.False(result.Passed);
    }
}
