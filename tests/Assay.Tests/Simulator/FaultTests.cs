using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Simulator;

/// <summary>Each architecture with each fault: the named checks catch it, and nothing else fails by accident.</summary>
public sealed class FaultTests(FaultTests.Authority authority) : IClassFixture<FaultTests.Authority>
{
    private static readonly DateTimeOffset s_now = EvaluationTime.ReleaseDate.AddDays(1);

    private static readonly (string Name, DeviceProfile Profile)[] s_profiles =
    [
        ("hopper-545", DeviceProfile.HopperEarly),
        ("hopper-570", DeviceProfile.Hopper570),
        ("hopper-580", DeviceProfile.Hopper580),
        ("hopper-nvdaod", DeviceProfile.HopperNvdaod),
        ("blackwell", DeviceProfile.Blackwell),
        ("ls10", DeviceProfile.Ls10),
    ];

    public static TheoryData<string, string, RimKind> Devices
    {
        get
        {
            var data = new TheoryData<string, string, RimKind>();
            foreach (var (name, profile) in s_profiles)
            {
                foreach (var fault in SimulatedFaults.All.Where(fault => !fault.NeedsMachine && fault.WhyNot?.Invoke(profile) is null))
                {
                    // Where a fault strikes no RIM, one row is enough.
                    foreach (var draft in RimDraft.For(profile).Take(fault.StrikesRim || fault.Name == "mismatch" ? int.MaxValue : 1))
                    {
                        data.Add(name, fault.Name, draft.Kind);
                    }
                }
            }

            return data;
        }
    }

    public static TheoryData<string> Machines => [.. SimulatedFaults.All.Where(fault => fault.WhyNot?.Invoke(DeviceProfile.HopperProtectedPcie) is null).Select(fault => fault.Name)];

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task A_device_with_a_fault_is_caught_by_the_named_checks_alone(string profile, string fault, RimKind rim)
    {
        Assert.True(
            SimulatedWorld.TryCreate(authority.Value, s_profiles.Single(item => item.Name == profile).Profile, SimulatedFaults.Find(fault)!, new FaultTarget { Rim = rim }, s_now, out var world, out var whyNot),
            whyNot);
        await AssertCaughtAsync(world);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task A_machine_with_a_fault_is_caught_by_the_named_checks_alone(string fault)
    {
        Assert.True(
            SimulatedWorld.TryCreateMachine(
                authority.Value, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, 8, 4, SimulatedFaults.Find(fault)!, new FaultTarget(), s_now, out var world, out var whyNot),
            whyNot);
        await AssertCaughtAsync(world);
    }

    [Theory]
    [InlineData("hopper-545")]
    [InlineData("hopper-570")]
    [InlineData("hopper-580")]
    [InlineData("hopper-nvdaod")]
    [InlineData("blackwell")]
    [InlineData("ls10")]
    public async Task Without_a_fault_every_architecture_passes(string profile)
    {
        Assert.True(
            SimulatedWorld.TryCreate(authority.Value, s_profiles.Single(item => item.Name == profile).Profile, SimulatedFault.None, new FaultTarget(), s_now, out var world, out var whyNot),
            whyNot);
        Assert.Equal(VerdictKind.Pass, (await JudgeAsync(world)).Kind);
    }

    [Fact]
    public async Task Any_measurement_that_counts_can_be_the_one_that_differs()
    {
        foreach (var (index, check) in new[] { (7, "driver"), (9, "vbios"), (40, "driver"), (12, "vbios") })
        {
            Assert.True(
                SimulatedWorld.TryCreate(authority.Value, DeviceProfile.Hopper580, SimulatedFaults.Find("mismatch")!, new FaultTarget { Index = index }, s_now, out var world, out var whyNot), whyNot);

            var verdict = await JudgeAsync(world);

            Assert.Equal([$"measurements.{check}.match"], Failed(verdict));
            Assert.Equal([index], verdict.Appraisal.Devices[0].Measurements!.Mismatches.Select(mismatch => mismatch.Index));
        }
    }

    [Theory]
    [InlineData("ls10", "swapped-fwid", 0, null, null, "reports no FWID")]
    [InlineData("hopper-580", "min-svn", 0, null, null, "reports no security version number")]
    [InlineData("hopper-580", "missing-switch", 0, null, null, "needs GPUs and switches together")]
    [InlineData("hopper-580", "mismatch", 0, null, 13, "names index 13")]
    [InlineData("hopper-580", "mismatch", 1, null, null, "there is no device 1")]
    [InlineData("hopper-580", "missing-rim", 0, RimKind.SwitchBios, null, "has no RIM of kind SwitchBios")]
    public void A_fault_that_a_device_cannot_have_is_refused_with_the_reason(string profile, string fault, int device, RimKind? rim, int? index, string reason)
    {
        var target = new FaultTarget { Device = device, Rim = rim, Index = index };

        Assert.False(SimulatedWorld.TryCreate(authority.Value, s_profiles.Single(item => item.Name == profile).Profile, SimulatedFaults.Find(fault)!, target, s_now, out _, out var whyNot));

        Assert.Contains(reason, whyNot, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_fault_names_checks_that_exist_and_has_a_name_of_its_own()
    {
        var ids = DevicesAppraisal.CheckIds.ToHashSet();
        var words = new[] { RimKind.Driver, RimKind.Vbios, RimKind.SwitchBios };

        Assert.Equal(SimulatedFaults.All.Length, SimulatedFaults.All.DistinctBy(fault => fault.Name).Count());
        Assert.All(SimulatedFaults.All, fault => Assert.All(words.SelectMany(word => fault.FindingsOn(word)), finding => Assert.Contains(finding, ids)));
    }

    [Fact]
    public void The_document_lists_every_fault_with_the_checks_that_catch_it()
    {
        var document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "simulator.md"));

        Assert.All(SimulatedFaults.All, fault => Assert.Contains(
            $"| `{fault.Name}` | {fault.Summary} | {string.Join(", ", fault.Findings.Select(finding => $"`{finding}`"))}{(fault.Outcome is FaultOutcome.Incomplete ? " (incomplete)" : "")} |", document, StringComparison.Ordinal));
    }

    private static async Task AssertCaughtAsync(SimulatedWorld world)
    {
        var verdict = await JudgeAsync(world);

        if (world.Fault.Outcome is FaultOutcome.Incomplete)
        {
            Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
            Assert.Empty(Failed(verdict));
            Assert.Superset(world.Findings.ToHashSet(), Ids(verdict, finding => finding.Cause is NotCheckedCause.Missing).ToHashSet());
        }
        else
        {
            Assert.Equal(VerdictKind.Fail, verdict.Kind);
            Assert.Equal(world.Findings.Order(StringComparer.Ordinal), Failed(verdict));
        }
    }

    // As a user does it: files in a folder, read by the stores.
    private static async Task<Verdict> JudgeAsync(SimulatedWorld world)
    {
        using (world)
        {
            var bytes = RandomNumberGenerator.GetBytes(Nonce.Size);
            var folder = Directory.CreateTempSubdirectory("assay-fault-").FullName;
            try
            {
                var set = SimulatedSet.Of(world, bytes);
                set.Write(folder);
                Assert.True(Nonce.TryCreate(bytes, out var nonce));
                Assert.True(TrustSet.TryParse(world.Anchors, out var trust, out var fault), fault?.ToString());
                Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "evidence.json", out var devices, out fault), fault?.ToString());
                var appraiser = new Appraiser(new DirectoryRimStore(Path.Combine(folder, "rims")), new DirectoryOcspStore(Path.Combine(folder, "ocsp")), new VerifierCache());
                var expected = new DeviceExpectations
                {
                    Nonce = nonce,
                    Basis = new TrustBasis(new EvaluationTime(world.Now, TimeSource.System), trust, RevocationChecking.Required),
                };
                return DefaultPolicy.Decide(await appraiser.AppraiseAsync(devices, expected, progress: null, TestContext.Current.CancellationToken));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static ImmutableArray<string> Failed(Verdict verdict) => Ids(verdict, finding => finding.State is CheckState.Failed);

    private static ImmutableArray<string> Ids(Verdict verdict, Func<Finding, bool> which) =>
        [.. verdict.Appraisal.AllFindings.Where(which).Select(finding => finding.Id).Distinct().Order(StringComparer.Ordinal)];

    public sealed class Authority : IDisposable
    {
        public SimulatedAuthority Value { get; } = SimulatedAuthority.Create(s_now);

        public void Dispose() => Value.Dispose();
    }
}
