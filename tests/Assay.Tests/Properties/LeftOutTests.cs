using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Demo;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Properties;

/// <summary>
/// What is stated and not shown is missing (S-10a): under expectations that state counts, processor, log, gate, image and key, removing any
/// part of a machine's evidence never turns fail or incomplete into pass, never raises the binding, and never shortens what is weakened.
/// Whoever leaves something out owns the VM: its quote is made anew over what is left.
/// </summary>
public sealed class LeftOutTests(LeftOutTests.Honest honest) : IClassFixture<LeftOutTests.Honest>
{
    private const int Gpus = 2;
    private const int Switches = 2;
    private static readonly byte[] s_policy = SHA384.HashData("two GPUs and two switches"u8);
    private static readonly KeyBinding s_key = SimulatedCvm.BindingOf(
        """{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"""u8.ToArray());

    /// <summary>One machine, whose devices each fault strikes anew.</summary>
    public sealed class Honest : IDisposable
    {
        private readonly SimulatedAuthority _authority = SimulatedAuthority.Create(SimulatedCpu.Now);

        public Honest()
        {
            Assert.True(SimulatedWorld.TryCreateMachine(_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, SimulatedFault.None, new FaultTarget(), SimulatedCpu.Now, out var world, out var whyNot), whyNot);
            Assert.True(TrustSet.TryParse(CpuAnchors.ToJson("left out", SimulatedCpu.Intel, SimulatedCpu.Amd, _authority), out var trust, out var fault), fault?.ToString());
            (World, Trust) = (world, trust);
        }

        internal SimulatedWorld World { get; }

        /// <summary>What verified stays verified, whatever is shown beside it.</summary>
        internal VerifierCache Cache { get; } = new();

        internal ImmutableArray<SimulatedBootDevice>? Named { get; set; }

        /// <summary>The same devices with a fault, or others where the fault is in the devices themselves.</summary>
        internal SimulatedWorld With(SimulatedFault fault)
        {
            var made = World.TryWith(fault, new FaultTarget(), out var world, out _)
                || SimulatedWorld.TryCreateMachine(_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, fault, new FaultTarget(), SimulatedCpu.Now, out world, out _);
            return made ? world! : throw new InvalidOperationException(fault.Name);
        }

        internal TrustSet Trust { get; }

        public void Dispose()
        {
            World.Dispose();
            _authority.Dispose();
        }
    }

    public static TheoryData<string> DeviceFaults => [SimulatedFault.None.Name, .. SimulatedFaults.All.Where(fault => fault.WhyNot?.Invoke(DeviceProfile.HopperProtectedPcie) is null).Select(fault => fault.Name)];

    public static TheoryData<BootFault> BootFaults => [.. Enum.GetValues<BootFault>()];

    public static TheoryData<TdxFault> TdxFaults => [.. Enum.GetValues<TdxFault>()];

    [Theory]
    [MemberData(nameof(DeviceFaults))]
    public async Task Nothing_that_is_left_out_helps_a_machine_whose_devices_have_a_fault(string name)
    {
        var fault = SimulatedFaults.Find(name) ?? SimulatedFault.None;
        await AssertNothingHelpsAsync(honest.With(fault), BootFault.None, TdxFault.None);
    }

    [Theory]
    [MemberData(nameof(BootFaults))]
    public async Task Nothing_that_is_left_out_helps_a_machine_whose_boot_has_a_fault(BootFault fault) => await AssertNothingHelpsAsync(honest.World, fault, TdxFault.None);

    [Theory]
    [MemberData(nameof(TdxFaults))]
    public async Task Nothing_that_is_left_out_helps_a_machine_whose_processor_has_a_fault(TdxFault fault) => await AssertNothingHelpsAsync(honest.World, BootFault.None, fault);

    [Fact]
    public async Task The_honest_machine_passes_unweakened_so_that_there_is_something_to_lose()
    {
        var verdict = await JudgeAsync(honest.World, Evidence(honest.World), BootFault.None, TdxFault.None);

        Assert.True(verdict.Kind is VerdictKind.Pass, string.Join(' ', AzureWorld.Failed(verdict)));
        Assert.Equal(("boot-event", 0), (verdict.Binding, verdict.Weakened.Length));
    }

    private async Task AssertNothingHelpsAsync(SimulatedWorld world, BootFault boot, TdxFault tdx)
    {
        var all = Evidence(world);
        var whole = await JudgeAsync(world, all, boot, tdx);
        // A report that was added is no part of the machine: without it the machine is whole, and may pass.
        var added = all.Length > Gpus + Switches;

        foreach (var left in all.Select((_, index) => all.RemoveAt(index)).Append([]).Append(all[..Gpus]).Append(all[^Switches..]).Where(left => !added || left.Length != Gpus + Switches))
        {
            AssertNoBetter(whole, await JudgeAsync(world, left, boot, tdx), $"{left.Length} of {all.Length} devices");
        }

        AssertNoBetter(whole, await JudgeAsync(world, all, boot, tdx, withLog: false), "no log");
        AssertNoBetter(whole, await JudgeAsync(world, all, boot, tdx, withCpu: false), "no processor, and a log");
        AssertNoBetter(whole, await JudgeAsync(world, all, boot, tdx, withCpu: false, withLog: false), "devices alone");
        AssertNoBetter(whole, await JudgeAsync(world, [], boot, tdx, withLog: false), "a processor alone");
        AssertNoBetter(whole, await JudgeAsync(world, all, boot, tdx, withKey: false), "no key in the report data");
    }

    private static void AssertNoBetter(Verdict whole, Verdict left, string what)
    {
        Assert.True(whole.Kind is VerdictKind.Pass || left.Kind is not VerdictKind.Pass, $"{what}: {whole.Word} becomes {left.Word}");
        Assert.True(left.Kind is not VerdictKind.Pass, $"{what} passes");
        Assert.True(left.Machine!.Binding <= whole.Machine!.Binding, $"{what}: {whole.Binding} becomes {left.Binding}");
        // A binding that got worse has another name, and what a processor that is gone was waived stands under its absence.
        var gone = whole.Weakened.Except(left.Weakened).Where(name => !name.StartsWith("gpu-binding-", StringComparison.Ordinal)).ToArray();
        Assert.True(gone.Length == 0 || left.Weakened.Contains("no-cpu-tee"), $"{what}: {string.Join(", ", gone)} no longer said");
    }

    private static ImmutableArray<DeviceEvidence> Evidence(SimulatedWorld world)
    {
        var json = SimulatedEvidence.ToJson(world.Evidence(s_key.DeviceNonce().Bytes.ToArray()));
        Assert.True(EvidenceFile.TryParse(json, "machine", out var devices, out var fault), fault?.ToString());
        return devices;
    }

    private async Task<DevicesResult?> DevicesAsync(SimulatedWorld world, ImmutableArray<DeviceEvidence> evidence)
    {
        var expected = new DeviceExpectations { Nonce = s_key.DeviceNonce(), Basis = new TrustBasis(new EvaluationTime(world.Now, TimeSource.System), honest.Trust, RevocationChecking.Required) };
        return evidence.IsEmpty ? null : await new Appraiser(new WorldRims(world), new WorldOcsp(world), honest.Cache).AppraiseAsync(evidence, expected, null, TestContext.Current.CancellationToken);
    }

    private async Task<Verdict> JudgeAsync(SimulatedWorld world, ImmutableArray<DeviceEvidence> evidence, BootFault bootFault, TdxFault tdxFault, bool withCpu = true, bool withLog = true, bool withKey = true)
    {
        honest.Named ??= [.. (await DevicesAsync(honest.World, Evidence(honest.World)))!.Devices.Select(device => new SimulatedBootDevice(
            device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, new byte[48]))];
        var plan = new SimulatedBootPlan
        {
            Devices = honest.Named.Value,
            Model = SHA384.HashData("a model"u8),
            Policy = s_policy,
            Cc = "ppcie",
            Fault = bootFault,
        };
        var (boot, good) = (SimulatedBoot.Create(plan), SimulatedBoot.Create(plan with { Fault = BootFault.None }));
        var additional = AdditionalEvidence.Of(evidence);
        var made = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, withKey ? s_key.ReportData(additional) : new byte[64], tdxFault, rtmr: boot.Rtmrs);
        var cpu = ProcessorEvidence.TryParse(made.Quote, "quote", out var read, out _) ? read : null;
        Assert.True(TdxCollateral.TryParse(made.Collateral, out var collateral, out var fault), fault?.ToString());
        var expected = new ProcessorExpectations
        {
            Key = s_key,
            AdditionalEvidence = additional,
            ReportData = null,
            TdxReferences = [new TdxReference { Name = "image", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. good.Rtmrs.Take(3).Select(register => (Digest?)new Digest(register.Span)), null] }],
            SnpReferences = [],
            SnpMinimumTcb = null,
            Basis = new TrustBasis(new EvaluationTime(world.Now, TimeSource.System), honest.Trust, RevocationChecking.Required),
        };
        var gate = new BootExpectations
        {
            RequireSecureBoot = true,
            RequireLog = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = 3, Policies = [new Digest(s_policy)], Outcome = GateOutcome.Attested, Devices = null },
        };
        var parts = MachineAppraisal.Join(await DevicesAsync(world, evidence), withCpu ? cpu : null, withLog ? [boot.JsonLog()] : [], new ProcessorCollateral { Tdx = collateral }, expected, gate, honest.Cache);
        var whole = new MachineDemands { Gpus = Gpus, Switches = Switches, DangerouslyAcceptedBinding = GpuBinding.BootEvent, DangerouslyAcceptNoCpuTee = true, RequireProcessor = true, Challenged = true };
        return Verdict.Of(parts, whole, RelyingPartyPolicy.Default, ClaimsVersion.V4);
    }
}
