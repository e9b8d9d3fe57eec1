using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tdx;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Composite;

/// <summary>
/// A confidential VM on simulated TDX with two GPUs and two switches, whose parts a test can mix with another VM's. What a relying party
/// says is the same for all of them.
/// </summary>
internal sealed class SimulatedCvm : IDisposable
{
    public const string Challenge = "Y2hhbGxlbmdlIG9mIHRoaXMgc2Vzc2lvbg==";

    private static readonly SimulatedAuthority s_authority = SimulatedAuthority.Create(SimulatedCpu.Now);
    private static readonly byte[] s_policy = SHA384.HashData("two GPUs and two switches"u8);

    private static readonly ProcessorEvidence s_quote = ProcessorEvidence.TryParse(SimulatedCpu.Tdx(5, true).Quote, "quote", out var quote, out var fault) ? quote : throw new InvalidOperationException($"{fault}");

    private readonly SimulatedMachine _machine = SimulatedMachine.Create(s_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, gpus: 2, switches: 2);

    public static TrustSet Trust { get; } =
        TrustSet.TryParse(CpuAnchors.ToJson("simulated machines", SimulatedCpu.Intel, SimulatedCpu.Amd, s_authority), out var trust, out var fault) ? trust : throw new InvalidOperationException(fault.ToString());

    public static TrustBasis Basis { get; } = new(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), Trust, RevocationChecking.Required);

    /// <summary>A quote that was judged, as a processor's answers.</summary>
    public static ProcessorResult Cpu(TdxResult quote) => new() { Evidence = s_quote, Tee = quote };

    /// <summary>The guest's own key for this session.</summary>
    public byte[] Key { get; } = NewKey();

    public KeyBinding Binding => BindingOf(Key);

    public static KeyBinding BindingOf(byte[] key) =>
        KeyBinding.TryCreate(Challenge, key, out var binding, out var fault) ? binding : throw new InvalidOperationException(fault.ToString());

    public void Dispose() => _machine.Dispose();

    /// <summary>What the devices of this machine answer to a key, whosever it is: the host can ask them anything.</summary>
    public ImmutableArray<DeviceEvidence> Evidence(KeyBinding key)
    {
        var json = SimulatedEvidence.ToJson(SimulatedSet.Of(s_authority, _machine, key.DeviceNonce().Bytes, SimulatedCpu.Now).Evidence);
        return EvidenceFile.TryParse(json, "machine", out var devices, out var fault) ? devices : throw new InvalidOperationException($"{fault}");
    }

    public static DevicesResult Judge(ImmutableArray<DeviceEvidence> evidence, KeyBinding key)
    {
        var expected = new DeviceExpectations
        {
            Nonce = key.DeviceNonce(),
            Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), Trust, RevocationChecking.DangerouslySkipped),
        };
        var cache = new VerifierCache();
        var rims = new[] { DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10 }
            .SelectMany(profile => RimDraft.For(profile).Select(draft => SimulatedRim.Sign(draft, s_authority.IssueRimSigner(profile.Family))))
            .ToImmutableDictionary(rim => rim.Id, rim => rim.Xml);
        return DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(evidence, expected, cache), new MachineCollateral { Rims = rims }, expected, cache);
    }

    /// <summary>What this machine's gate measured when it booted.</summary>
    public SimulatedBoot Boot(BootFault fault = BootFault.None, string cc = "ppcie") => SimulatedBoot.Create(Plan(fault, cc));

    public SimulatedBootPlan Plan(BootFault fault = BootFault.None, string cc = "ppcie") => new()
    {
        Devices = [.. Judge(Evidence(Binding), Binding).Devices.Select(device => new SimulatedBootDevice(
            device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, SHA384.HashData("evidence at boot"u8)))],
        Policy = s_policy,
        Cc = cc,
        Fault = fault,
    };

    /// <summary>A quote of a TD with these registers over a key and devices.</summary>
    public static TdxResult Quote(SimulatedBoot boot, KeyBinding key, string additionalEvidence)
    {
        var data = key.ReportData(additionalEvidence);
        var made = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, data, rtmr: boot.Rtmrs);
        return new JudgedTdx
        {
            Quote = made.Quote,
            At = SimulatedCpu.Now,
            Trust = Trust,
            Collateral = TdxCollateral.TryParse(made.Collateral, out var collateral, out var why) ? collateral : throw new InvalidOperationException(why.ToString()),
            With = expected => expected with
            {
                ReportData = ReportData.TryCreate(data, out var bound) ? bound : null,
                Basis = Basis,
                References = [new TdxReference { Name = "the image", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. boot.Rtmrs.Take(3).Select(register => (Digest?)new Digest(register.Span)), null] }],
            },
        }.Result();
    }

    public static BootResult JudgeBoot(byte[] log, TdxResult quote, DevicesResult? devices, GateOutcome outcome = GateOutcome.Attested) =>
        BootAppraisal.Appraise(log, QuotedRegisters.OfRtmrs(quote.Quote!.Quote.Body.Rtmr.AsSpan()), new BootExpectations
        {
            RequireSecureBoot = true,
            Gate = Gate(3, devices, outcome),
        });

    public static GateRequirement Gate(int register, DevicesResult? devices, GateOutcome outcome = GateOutcome.Attested) => new()
    {
        Phase = BootPhase.Run,
        Register = register,
        Policies = [new Digest(s_policy)],
        Outcome = outcome,
        Devices = devices is null ? null : [.. devices.Devices.Select(device => device.Device!.Identity.Id)],
    };

    /// <summary>Everything of this machine, honest.</summary>
    public MachineParts Parts(BootFault fault = BootFault.None, string cc = "ppcie")
    {
        var evidence = Evidence(Binding);
        var additional = AdditionalEvidence.Of(evidence);
        var devices = Judge(evidence, Binding);
        var boot = Boot(fault, cc);
        var quote = Quote(boot, Binding, additional);
        return new MachineParts { Basis = Basis, Devices = devices, Cpu = Cpu(quote), Boot = JudgeBoot(boot.JsonLog(), quote, devices), Key = Binding, AdditionalEvidence = additional };
    }

    public static MachineDemands Expected { get; } = new() { Gpus = 2, Switches = 2, DangerouslyAcceptedBinding = GpuBinding.BootEvent, Challenged = true };

    private static byte[] NewKey()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $$"""{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"{{System.Buffers.Text.Base64Url.EncodeToString(point.X)}}","y":"{{System.Buffers.Text.Base64Url.EncodeToString(point.Y)}}"}"""));
    }
}
