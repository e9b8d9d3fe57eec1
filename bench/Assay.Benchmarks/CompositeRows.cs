using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Benchmarks;

/// <summary>
/// A whole machine, from bytes to one verdict: TDX quote with its collateral, boot log, 8 GPUs, 4 switches and the key that all of them
/// signed. Raw cost is that of as many bare verifications: P-256 for the processor, P-384 for the devices.
/// </summary>
internal sealed class CompositeRows
{
    private readonly KeyBinding _key = NewKey();
    private readonly SimulatedIntel _intel = SimulatedIntel.Create(EvaluationTime.ReleaseDate.AddDays(1));
    private readonly World _world;
    private readonly TrustSet _trust;
    private readonly DeviceEvidence[] _devices;
    private readonly SimulatedBoot _boot;
    private readonly SimulatedTdx _tdx;
    private readonly byte[] _log;
    private readonly Digest _policy = new(SHA384.HashData("a policy"u8));

    private CompositeRows()
    {
        _world = World.OfMachines(1, _key.DeviceNonce().Bytes.ToArray());
        _devices = _world.Evidence;
        _ = TrustSet.TryParse(CpuAnchors.ToJson("bench", _intel, null, _world.Authority), out var trust, out _);
        _trust = trust!;
        var known = _world.Verify(_devices, Expected(RevocationChecking.DangerouslySkipped), new VerifierCache());
        _boot = SimulatedBoot.Create(new SimulatedBootPlan
        {
            Devices = [.. known.Devices.Select(device => new SimulatedBootDevice(
                device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, SHA384.HashData("at boot"u8)))],
            Policy = _policy.Bytes.ToArray(),
            Cc = "ppcie",
        });
        _log = _boot.JsonLog();
        _tdx = SimulatedTdx.Create(_intel, 5, is15: true, _key.ReportData(AdditionalEvidence.Of(_devices)), rtmr: _boot.Rtmrs);
    }

    public static IEnumerable<Row> Rows()
    {
        var machine = new CompositeRows();
        VerifierCache Warm()
        {
            var cache = new VerifierCache();
            machine.Verify(cache, RevocationChecking.DangerouslySkipped);
            return cache;
        }

        return
        [
            machine.Measure("cold: TDX, 8 GPUs, 4 switches, key and boot log", null, RevocationChecking.DangerouslySkipped, () => new VerifierCache()),
            machine.Measure("cold with OCSP: the same", null, RevocationChecking.Required, () => new VerifierCache()),
            machine.Measure("warm: the same machine again", null, RevocationChecking.DangerouslySkipped, Warm),
        ];
    }

    private Row Measure(string name, double? target, RevocationChecking revocation, Func<VerifierCache> prepare)
    {
        var counted = prepare();
        var (verified, imported) = (counted.Meter.SignatureVerifications, counted.Meter.KeyImports);
        var devices = _world.Verify(_devices, Expected(revocation), counted);
        var ofDevices = counted.Meter.SignatureVerifications - verified;
        Join(devices, counted);
        var ofProcessor = counted.Meter.SignatureVerifications - verified - ofDevices;
        var imports = counted.Meter.KeyImports - imported;
        var (p384, p256) = (new RawVerification(), new RawVerification(ECCurve.NamedCurves.nistP256, HashAlgorithmName.SHA256));
        var pairs = Suite.Pair(
            () =>
            {
                p384.Verify(ofDevices, _devices.Length);
                p256.Verify(ofProcessor, 1);
            },
            prepare,
            cache => Verify(cache, revocation));
        return new Row(
            name, ofDevices + ofProcessor, imports,
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.WallMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds / pair.Bare.CpuMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.AllocatedKilobytes)),
            target);
    }

    private void Verify(VerifierCache cache, RevocationChecking revocation) => Join(_world.Verify(_devices, Expected(revocation), cache), cache);

    // From the bytes on, as for a relying party: quote, collateral and log are read anew each time.
    private void Join(DevicesResult devices, VerifierCache cache)
    {
        _ = ProcessorEvidence.TryParse(_tdx.Quote, "bench", out var cpu, out _);
        _ = TdxCollateral.TryParse(_tdx.Collateral, out var collateral, out _);
        var processor = new ProcessorExpectations
        {
            Key = _key,
            AdditionalEvidence = AdditionalEvidence.Of(_devices),
            ReportData = null,
            TdxReferences = [new TdxReference { Name = "bench", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [Register(0), Register(1), Register(2), null] }],
            SnpReferences = null,
            SnpMinimumTcb = null,
            Basis = new TrustBasis(devices.Basis.Time, _trust, RevocationChecking.Required),
        };
        var gate = new BootExpectations
        {
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = 3, Policies = [_policy], Outcome = GateOutcome.Attested, Devices = null },
        };
        var parts = MachineAppraisal.Join(devices, cpu, [_log], new ProcessorCollateral { Tdx = collateral! }, processor, gate, cache);
        var whole = new MachineDemands { Gpus = 8, Switches = 4, DangerouslyAcceptedBinding = GpuBinding.BootEvent, Challenged = true };
        var verdict = Verdict.Of(parts, whole, RelyingPartyPolicy.Default, ClaimsVersion.V3);
        if (verdict.Kind is not VerdictKind.Pass)
        {
            throw new InvalidOperationException("the benchmark's own machine was refused");
        }
    }

    private Digest Register(int index) => new(_boot.Rtmrs[index].Span);

    private DeviceExpectations Expected(RevocationChecking revocation) => _world.Skipping with { Basis = _world.Skipping.Basis with { Trust = _trust, Revocation = revocation } };

    private static KeyBinding NewKey()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var jwk = string.Create(CultureInfo.InvariantCulture,
            $$"""{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""");
        return KeyBinding.TryCreate("Y2hhbGxlbmdl", Encoding.ASCII.GetBytes(jwk), out var binding, out var fault) ? binding : throw new InvalidOperationException($"{fault}");
    }
}
