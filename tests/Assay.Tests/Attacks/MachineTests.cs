using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tests.Appraisal;
using Assay.Trust;

namespace Assay.Tests.Attacks;

/// <summary>The operator of a host wants a verdict about a machine that is none.</summary>
public sealed class MachineTests(TopologyTests.Machines machines) : IClassFixture<TopologyTests.Machines>
{
    private const string NoMachine = "That these devices are one complete machine";

    [Fact]
    public void GPUs_of_two_machines_without_their_switches_are_told_to_be_no_machine()
    {
        var mixed = Judge([.. machines.One.Take(4), .. machines.Other.Take(4)]);
        var whole = Judge(machines.One);

        Assert.Contains(mixed.NotProven, sentence => sentence.StartsWith(NoMachine, StringComparison.Ordinal));
        Assert.DoesNotContain(whole.NotProven, sentence => sentence.StartsWith(NoMachine, StringComparison.Ordinal));
    }

    [Fact]
    public void Two_whole_machines_are_not_one() =>
        Fails([.. machines.One, .. machines.Other], "topology.gpus.match", "topology.switches.match");

    [Fact]
    public void A_machine_with_a_GPU_of_another_in_the_place_of_its_own_fails_both_ways() =>
        Fails([machines.Other[0], .. machines.One.Skip(1)], "topology.gpus.match", "topology.switches.match");

    [Fact]
    public void One_GPU_in_64_places_is_one_GPU() =>
        Fails([.. Enumerable.Repeat(machines.One[0], 64)], "set.devices.distinct");

    [Fact]
    public void The_report_of_a_GPU_under_the_chain_of_another_is_nobodys()
    {
        var result = Appraise([machines.One[0] with { Chain = machines.One[1].Chain }, .. machines.One.Skip(1)]);

        Assert.Null(result.Devices[0].Device);
        Assert.Contains(result.AllFindings, finding => finding is { Id: "report.signature.valid", State: CheckState.Failed });
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(result).Kind);
    }

    [Fact]
    public void A_switch_in_the_list_of_GPUs_is_refused() =>
        Fails([machines.One[8] with { DeclaredArchitecture = null, DeclaredKind = DeviceKind.Gpu }], "device.type.declared");

    private void Fails(DeviceEvidence[] evidence, params string[] expected)
    {
        var result = Appraise(evidence);

        Assert.Equal(expected, result.AllFindings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id).Distinct());
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(result).Kind);
    }

    private Verdict Judge(DeviceEvidence[] evidence) => DefaultPolicy.Decide(Appraise(evidence));

    private DevicesResult Appraise(DeviceEvidence[] evidence)
    {
        var cache = new VerifierCache();
        return DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(evidence, machines.Expected, cache), MachineCollateral.Empty, machines.Expected, cache);
    }
}
