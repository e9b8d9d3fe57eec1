using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>
/// The confidential VM of the demonstration, on simulated TDX: its key, what devices and processor sign for the key, and the log of a gate
/// that verified the devices when it booted. The relying party's side is the verifier, as for everybody.
/// </summary>
internal sealed class DemoMachine
{
    public const string Challenge = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=";

    private readonly SimulatedIntel _intel;
    private readonly TrustBasis _basis;
    private readonly ImmutableArray<DeviceResult> _devices;
    private readonly ImmutableArray<DeviceEvidence> _evidence;
    private readonly ICollateralSource _source;
    private readonly VerifierCache _cache;
    private readonly byte[] _policy;

    /// <param name="intel">Who signs its quotes.</param>
    /// <param name="devices">Its devices as they answered the key.</param>
    /// <param name="evidence">What they answered.</param>
    /// <param name="key">Challenge and key of this session.</param>
    /// <param name="source">Where the relying party has collateral of devices from.</param>
    /// <param name="cache">What verified before.</param>
    public DemoMachine(SimulatedIntel intel, DevicesResult devices, ImmutableArray<DeviceEvidence> evidence, KeyBinding key, ICollateralSource source, VerifierCache cache)
    {
        (_intel, _basis, _devices, _evidence, Key, _source, _cache) = (intel, devices.Basis, devices.Devices, evidence, key, source, cache);
        _policy = new GateExpectation
        {
            Gpus = DemoStage.Gpus,
            Switches = DemoStage.Switches,
            Architectures = ["HOPPER", "LS10"],
            Policy = new Digest(SHA384.HashData("everything holds"u8)),
            BundleSigner = null,
            MinimumBundleSequence = 0,
        }.ToPayload().ToBytes();
        References = new ReferenceManifest
        {
            ImageName = "demonstration",
            ImageVersion = "1",
            Sequence = 1,
            NotBefore = intel.Now.AddDays(-1),
            NotAfter = intel.Now.AddDays(365),
            Tdx = [ImageOf(Boot(Plan(BootFault.None)))],
            GpuPolicies = [new Digest(_policy)],
        };
    }

    /// <summary>Challenge and key of this session.</summary>
    public KeyBinding Key { get; }

    /// <summary>Its image and its gate's policy, known to be good.</summary>
    public ReferenceManifest References { get; }

    // RTMR3 is the boot's own: its events are judged one by one.
    private static TdxReference ImageOf(SimulatedBoot boot) => new()
    {
        Name = "the demonstration's image",
        MrTd = new Digest(SimulatedTdx.GoodMrTd),
        Rtmr = [new Digest(boot.Rtmrs[0].Span), new Digest(boot.Rtmrs[1].Span), new Digest(boot.Rtmrs[2].Span), null],
    };

    /// <summary>Its devices' evidence.</summary>
    public IEnumerable<(DeviceKind Kind, DeviceEvidence Bytes)> Evidence => _devices.Select((device, index) => (device.Kind, _evidence[index]));

    /// <summary>Quote, collateral and log, as a guest and its relying party have them.</summary>
    public (byte[] Quote, byte[] Collateral, byte[] Log) Shown()
    {
        var boot = Boot(Plan(BootFault.None));
        var made = Quote(boot);
        return (made.Quote, made.Collateral, boot.JsonLog());
    }

    /// <summary>The whole machine, honest.</summary>
    public Task<Verdict> HonestAsync() => JudgeAsync(BootFault.None);

    /// <summary>Anchors of the devices' authority and of a simulated Intel.</summary>
    public static TrustSet TrustOf(SimulatedAuthority authority, SimulatedIntel intel, string name) =>
        TrustSet.TryParse(CpuAnchors.ToJson(name, intel, null, authority), out var trust, out var fault) ? trust : throw new InvalidOperationException($"the simulator's own anchors cannot be read: {fault}");

    /// <summary>A key of its own for the session, as the guest would make it.</summary>
    public static KeyBinding NewKey()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var jwk = string.Create(CultureInfo.InvariantCulture,
            $$"""{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""");
        return KeyBinding.TryCreate(Challenge, Encoding.ASCII.GetBytes(jwk), out var binding, out var fault) ? binding : throw new InvalidOperationException($"{fault}");
    }

    /// <summary>This machine, booted with a fault of the simulator.</summary>
    public Task<Verdict> JudgeAsync(BootFault fault, int? gpus = DemoStage.Gpus) => JudgeAsync(Boot(Plan(fault)), log: null, Key, gpus);

    /// <summary>A VM without a GPU: its own honest boot says so, and the devices answered its key on another machine.</summary>
    public Task<Verdict> WithoutGpuAsync() => JudgeAsync(Boot(Plan(BootFault.Skipped) with { Devices = [] }), log: null, Key);

    /// <summary>The same VM, which shows the other machine's log instead of its own.</summary>
    public Task<Verdict> WithAnothersLogAsync() => JudgeAsync(Boot(Plan(BootFault.Skipped) with { Devices = [] }), Boot(Plan(BootFault.None)).JsonLog(), Key);

    /// <summary>An honest machine's evidence, shown for a key that it never saw.</summary>
    public Task<Verdict> WithAnothersKeyAsync() => JudgeAsync(Boot(Plan(BootFault.None)), log: null, NewKey());

    /// <summary>
    /// The VM without a GPU again, now posing as a guest of a cloud's paravisor: any root process in it chooses REPORTDATA, so it names a
    /// "vTPM" of its own making, whose PCRs say what the relying party would like to read.
    /// </summary>
    public Task<Verdict> PosingAsParavisorAsync()
    {
        var boot = Boot(Plan(BootFault.None));
        var additional = AdditionalEvidence.Of(_evidence);
        var guest = TdxGuest.BareMetal with { Rtmr = boot.Rtmrs };
        var posed = SimulatedAzure.OnTdx(_intel, boot, Key.QualifyingData(additional), SimulatedAzureOptions.Poser with { Tdx = guest });
        var pcrs = new TpmReference
        {
            Name = "the cloud's boot",
            Bank = TcgHash.Sha256,
            Paravisor = "the cloud's paravisor",
            Values = s_bootRegisters.ToImmutableSortedDictionary(register => register, register => new Digest(boot.Pcrs[register].Span)),
        };
        var expected = Expected(Key, SimulatedBoot.GatePcr, References with { Version = 2, Tdx = [.. References.Tdx, s_paravisor], Pcrs = [pcrs] });
        return JudgeAsync(posed.Evidence, posed.Tdx!.Collateral, [boot.TcgLog(), boot.JsonPcrLog()], expected);
    }

    /// <summary>The VM without a GPU, whose log would betray it: it shows neither the log nor any device.</summary>
    public Task<Verdict> LeavingOutAsync()
    {
        var made = SimulatedTdx.Create(_intel, 5, is15: true, Key.ReportData(""), rtmr: Boot(Plan(BootFault.Skipped) with { Devices = [] }).Rtmrs);
        return JudgeAsync(made.Quote, made.Collateral, [], Expected(Key, GateRequirement.Rtmr, References), isShown: false);
    }

    private static readonly TdxReference s_paravisor = new() { Name = "the cloud's paravisor", MrTd = new Digest(SimulatedAzure.ParavisorMrTd), Rtmr = [null, null, null, null], IsParavisor = true };

    private static readonly ImmutableArray<int> s_bootRegisters = [4, 7, 9];

    // What is signed is signed for the session's own key, whichever key is then claimed.
    private SimulatedTdx Quote(SimulatedBoot boot) => SimulatedTdx.Create(_intel, 5, is15: true, Key.ReportData(AdditionalEvidence.Of(_evidence)), rtmr: boot.Rtmrs);

    private static SimulatedBoot Boot(SimulatedBootPlan plan) => SimulatedBoot.Create(plan);

    private SimulatedBootPlan Plan(BootFault fault) => new()
    {
        Devices = [.. _devices.Select(device => new SimulatedBootDevice(
            device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, SHA384.HashData("the evidence at boot"u8)))],
        Policy = _policy,
        Cc = "ppcie",
        Fault = fault,
    };

    private Task<Verdict> JudgeAsync(SimulatedBoot boot, byte[]? log, KeyBinding claimed, int? gpus = DemoStage.Gpus)
    {
        var made = Quote(boot);
        return JudgeAsync(made.Quote, made.Collateral, [log ?? boot.JsonLog()], Expected(claimed, GateRequirement.Rtmr, References, gpus));
    }

    private MachineExpectations Expected(KeyBinding claimed, int register, ReferenceManifest references, int? gpus = DemoStage.Gpus) => new()
    {
        Challenge = Challenge,
        Key = Encoding.UTF8.GetBytes(claimed.Jwk),
        Basis = _basis,
        References = ReferenceValues.TryRead(references.ToCanonicalJson(), keys: null, _basis.Time, minimumSequence: 0, out var values, out _) ? values
            : throw new InvalidOperationException("the demonstration's own reference values cannot be read"),
        Gpus = gpus,
        Switches = DemoStage.Switches,
        RequireSecureBoot = true,
        Gate = new GateRequirement { Phase = BootPhase.Run, Register = register, Policies = [new Digest(_policy)], Outcome = GateOutcome.Attested, Devices = null },
    };

    private Task<Verdict> JudgeAsync(byte[] shown, byte[] statements, ImmutableArray<ReadOnlyMemory<byte>> logs, MachineExpectations expected, bool isShown = true)
    {
        var cpu = ProcessorEvidence.TryParse(shown, "the VM's evidence", out var read, out var fault) ? read : throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");
        var collateral = TdxCollateral.TryParse(statements, out var tdx, out fault) ? tdx : throw new InvalidOperationException($"the simulator's own collateral cannot be read: {fault}");
        var appraiser = new MachineAppraiser(_source, _cache) { Given = new ProcessorCollateral { Tdx = collateral } };
        return appraiser.AppraiseAsync(new MachineEvidence { Devices = isShown ? _evidence : [], Cpu = cpu, EventLogs = logs }, expected);
    }
}
