using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
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
    private readonly TrustSet _trust;
    private readonly DevicesResult _devices;
    private readonly ImmutableArray<DeviceEvidence> _evidence;
    private readonly VerifierCache _cache;
    private readonly byte[] _policy;

    private DemoMachine(SimulatedIntel intel, TrustSet trust, DevicesResult devices, ImmutableArray<DeviceEvidence> evidence, KeyBinding key, VerifierCache cache)
    {
        (_intel, _trust, _devices, _evidence, Key, _cache) = (intel, trust, devices, evidence, key, cache);
        _policy = new GateExpectation
        {
            Gpus = DemoStage.Gpus,
            Switches = DemoStage.Switches,
            Architectures = ["HOPPER", "LS10"],
            Policy = new Digest(SHA384.HashData("everything holds"u8)),
            BundleSigner = null,
            MinimumBundleSequence = 0,
        }.ToPayload().ToBytes();
        Image = ImageOf(Boot(Plan(BootFault.None)));
    }

    /// <summary>Challenge and key of this session.</summary>
    public KeyBinding Key { get; }

    /// <summary>What its gate expects, as measured.</summary>
    public Digest GatePolicy => new(_policy);

    /// <summary>Its image, known to be good.</summary>
    public TdxReference Image { get; }

    // RTMR3 is the boot's own: its events are judged one by one.
    private static TdxReference ImageOf(SimulatedBoot boot) => new()
    {
        Name = "the demonstration's image",
        MrTd = new Digest(SimulatedTdx.GoodMrTd),
        Rtmr = [new Digest(boot.Rtmrs[0].Span), new Digest(boot.Rtmrs[1].Span), new Digest(boot.Rtmrs[2].Span), null],
    };

    /// <summary>The instant of everything simulated.</summary>
    public DateTimeOffset Now => _intel.Now;

    /// <summary>Its devices' evidence.</summary>
    public IEnumerable<(DeviceKind Kind, DeviceEvidence Bytes)> Evidence => _devices.Devices.Select((device, index) => (device.Kind, _evidence[index]));

    /// <summary>Quote, collateral and log, as a guest and its relying party have them.</summary>
    public (byte[] Quote, byte[] Collateral, byte[] Log) Shown()
    {
        var boot = Boot(Plan(BootFault.None));
        var made = Quote(boot);
        return (made.Quote, made.Collateral, boot.JsonLog());
    }

    /// <summary>The whole machine, honest.</summary>
    public Verdict Honest => Judge(BootFault.None);

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

    public static DemoMachine Create(SimulatedIntel intel, TrustSet trust, DevicesResult devices, ImmutableArray<DeviceEvidence> evidence, KeyBinding key, VerifierCache cache) =>
        new(intel, trust, devices, evidence, key, cache);

    /// <summary>This machine, booted with a fault of the simulator.</summary>
    public Verdict Judge(BootFault fault, int? gpus = DemoStage.Gpus) => Judge(Boot(Plan(fault)), log: null, Key, gpus);

    /// <summary>A VM without a GPU: its own honest boot says so, and the devices answered its key on another machine.</summary>
    public Verdict WithoutGpu() => Judge(Boot(Plan(BootFault.Skipped) with { Devices = [] }), log: null, Key);

    /// <summary>The same VM, which shows the other machine's log instead of its own.</summary>
    public Verdict WithAnothersLog() => Judge(Boot(Plan(BootFault.Skipped) with { Devices = [] }), Boot(Plan(BootFault.None)).JsonLog(), Key);

    /// <summary>An honest machine's evidence, shown for a key that it never saw.</summary>
    public Verdict WithAnothersKey() => Judge(Boot(Plan(BootFault.None)), log: null, NewKey());

    /// <summary>
    /// The VM without a GPU again, now posing as a guest of a cloud's paravisor: any root process in it chooses REPORTDATA, so it names a
    /// "vTPM" of its own making, whose PCRs say what the relying party would like to read.
    /// </summary>
    public Verdict PosingAsParavisor()
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
        var expected = Expectations(Key) with { TdxReferences = [Image, s_paravisor], TpmReferences = [pcrs], Registers = [SimulatedBoot.GatePcr] };
        return Judge(posed.Evidence, posed.Tdx!.Collateral, [boot.TcgLog(), boot.JsonPcrLog()], expected, SimulatedBoot.GatePcr);
    }

    /// <summary>The VM without a GPU, whose log would betray it: it shows neither the log nor any device.</summary>
    public Verdict LeavingOut()
    {
        var made = SimulatedTdx.Create(_intel, 5, is15: true, Key.ReportData(""), rtmr: Boot(Plan(BootFault.Skipped) with { Devices = [] }).Rtmrs);
        return Judge(made.Quote, made.Collateral, [], Expectations(Key) with { AdditionalEvidence = "" }, register: 3, isShown: false);
    }

    private static readonly TdxReference s_paravisor = new() { Name = "the cloud's paravisor", MrTd = new Digest(SimulatedAzure.ParavisorMrTd), Rtmr = [null, null, null, null], IsParavisor = true };

    private static readonly ImmutableArray<int> s_bootRegisters = [4, 7, 9];

    // What is signed is signed for the session's own key, whichever key is then claimed.
    private SimulatedTdx Quote(SimulatedBoot boot) => SimulatedTdx.Create(_intel, 5, is15: true, Key.ReportData(AdditionalEvidence.Of(_evidence)), rtmr: boot.Rtmrs);

    private static SimulatedBoot Boot(SimulatedBootPlan plan) => SimulatedBoot.Create(plan);

    private SimulatedBootPlan Plan(BootFault fault) => new()
    {
        Devices = [.. _devices.Devices.Select(device => new SimulatedBootDevice(
            device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, SHA384.HashData("the evidence at boot"u8)))],
        Policy = _policy,
        Cc = "ppcie",
        Fault = fault,
    };

    private Verdict Judge(SimulatedBoot boot, byte[]? log, KeyBinding claimed, int? gpus = DemoStage.Gpus)
    {
        var made = Quote(boot);
        return Judge(made.Quote, made.Collateral, [log ?? boot.JsonLog()], Expectations(claimed), register: 3, gpus);
    }

    private ProcessorExpectations Expectations(KeyBinding claimed) => new()
    {
        Key = claimed,
        AdditionalEvidence = AdditionalEvidence.Of(_evidence),
        ReportData = null,
        TdxReferences = [Image],
        SnpReferences = null,
        SnpMinimumTcb = null,
        Time = _devices.Time,
        Trust = _trust,
        Revocation = RevocationChecking.Required,
    };

    private Verdict Judge(byte[] shown, byte[] statements, ImmutableArray<ReadOnlyMemory<byte>> logs, ProcessorExpectations processor, int register, int? gpus = DemoStage.Gpus, bool isShown = true)
    {
        var cpu = ProcessorEvidence.TryParse(shown, "the VM's evidence", out var read, out var fault) ? read : throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");
        var collateral = TdxCollateral.TryParse(statements, out var tdx, out fault) ? tdx : throw new InvalidOperationException($"the simulator's own collateral cannot be read: {fault}");
        var gate = new BootExpectations
        {
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = register, Policies = [new Digest(_policy)], Outcome = GateOutcome.Attested, Devices = null },
        };
        var parts = MachineAppraisal.Join(isShown ? _devices : null, cpu, logs, new ProcessorCollateral { Tdx = collateral }, processor, gate, _cache);
        var whole = new MachineDemands { Gpus = gpus, Switches = DemoStage.Switches, DangerouslyAcceptedBinding = GpuBinding.BootEvent, Challenged = true };
        return Verdict.Of(parts, whole, RelyingPartyPolicy.Default, ClaimsVersion.V3);
    }
}
