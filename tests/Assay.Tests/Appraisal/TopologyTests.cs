using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Appraisal;

/// <summary>A simulated machine of 8 GPUs and 4 switches, whole, and in each way in which it can fail to be one.</summary>
public sealed class TopologyTests : IClassFixture<TopologyTests.Machines>
{
    private const string Gpus = "topology.gpus.match";
    private const string Switches = "topology.switches.match";
    private readonly Machines _machines;

    public TopologyTests(Machines machines) => _machines = machines;

    [Fact]
    public async Task A_whole_machine_passes_with_revocation_asked()
    {
        var appraiser = new Appraiser(new DirectoryRimStore(Path.Combine(_machines.Folder, "rims")), new DirectoryOcspStore(Path.Combine(_machines.Folder, "ocsp")), new VerifierCache());

        var result = await appraiser.AppraiseAsync(_machines.One, _machines.Expected with { Basis = _machines.Expected.Basis with { Revocation = RevocationChecking.Required } }, null, TestContext.Current.CancellationToken);

        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(result).Kind);
        Assert.Equal(CheckState.Held, State(result, Gpus));
        Assert.Equal(CheckState.Held, State(result, Switches));
    }

    [Fact]
    public void A_missing_switch_is_noticed_by_the_gpus_that_name_it_even_without_any_rim() =>
        AssertFails([.. _machines.One.Take(11)], Switches);

    [Fact]
    public void A_missing_gpu_is_noticed_by_the_switches_that_name_it() =>
        AssertFails([.. _machines.One.Skip(1)], Gpus);

    [Fact]
    public void One_switch_four_times_is_a_repeated_device_and_three_switches_are_missing() =>
        AssertFails([.. _machines.One.Take(9), .. Enumerable.Repeat(_machines.One[8], 3)], "set.devices.distinct", Switches);

    [Fact]
    public void A_switch_of_another_machine_fails_both_ways() =>
        AssertFails([.. _machines.One.Take(11), _machines.Other[11]], Gpus, Switches);

    [Fact]
    public void Gpus_of_one_machine_with_the_switches_of_another_fail_both_ways() =>
        AssertFails([.. _machines.One.Take(8), .. _machines.Other.Skip(8)], Gpus, Switches);

    [Fact]
    public void Gpus_alone_and_switches_alone_are_not_asked()
    {
        foreach (var alone in new[] { _machines.One[..8], _machines.One[8..] })
        {
            var result = Appraise(alone);
            Assert.Equal(CheckState.NotApplicable, State(result, Gpus));
            Assert.Equal(CheckState.NotApplicable, State(result, Switches));
        }
    }

    [Fact]
    public void Every_device_that_lacks_an_answer_is_missing_by_a_name_of_its_own()
    {
        var expected = _machines.Expected with { Basis = _machines.Expected.Basis with { Revocation = RevocationChecking.Required } };
        var cache = new VerifierCache();

        var result = DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(_machines.One, expected, cache), MachineCollateral.Empty, expected, cache);

        Assert.Equal(Enumerable.Range(0, 12), result.Missing.Where(item => item.Kind == "ocsp").Select(item => item.DeviceIndex));
    }

    private static CheckState State(DevicesResult result, string id) => result.Findings.Single(finding => finding.Id == id).State;

    private void AssertFails(DeviceEvidence[] evidence, params string[] expected)
    {
        var result = Appraise(evidence);

        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(result).Kind);
        Assert.Equal(expected, result.AllFindings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    // No collateral at all: topology needs none.
    private DevicesResult Appraise(DeviceEvidence[] evidence)
    {
        var cache = new VerifierCache();
        return DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(evidence, _machines.Expected, cache), MachineCollateral.Empty, _machines.Expected, cache);
    }

    public sealed class Machines : IDisposable
    {
        private readonly SimulatedAuthority _authority;

        public Machines()
        {
            var now = EvaluationTime.ReleaseDate.AddDays(1);
            _authority = SimulatedAuthority.Create(now);
            var nonce = RandomNumberGenerator.GetBytes(Nonce.Size);
            One = Make(nonce, now, Folder);
            Other = Make(nonce, now, null);
            Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(_authority, "machines"), out var trust, out _));
            Assert.True(Nonce.TryCreate(nonce, out var parsed));
            Expected = new DeviceExpectations
            {
                Nonce = parsed,
                Basis = new TrustBasis(new EvaluationTime(now, TimeSource.System), trust, RevocationChecking.DangerouslySkipped),
            };
        }

        public string Folder { get; } = Directory.CreateTempSubdirectory("assay-machine-").FullName;

        /// <summary>Eight GPUs, then four switches.</summary>
        public DeviceEvidence[] One { get; }

        public DeviceEvidence[] Other { get; }

        public DeviceExpectations Expected { get; }

        public void Dispose()
        {
            _authority.Dispose();
            Directory.Delete(Folder, recursive: true);
        }

        private DeviceEvidence[] Make(byte[] nonce, DateTimeOffset now, string? folder)
        {
            using var machine = SimulatedMachine.Create(_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10);
            var set = SimulatedSet.Of(_authority, machine, nonce, now);
            if (folder is not null)
            {
                set.Write(folder);
            }

            Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "machine", out var devices, out _));
            return [.. devices];
        }
    }
}
