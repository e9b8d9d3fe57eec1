using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tdx;
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
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Tokens.Clouds;

/// <summary>A simulated VM on TDX with two GPUs and two switches behind a boot gate, judged for an attestation service on loopback; and that service's keys.</summary>
public sealed class CloudWorld : IDisposable
{
    public const string Policy = "assay-default";
    public const string Issuer = "http://127.0.0.1:8443";

    private static readonly byte[] s_gatePolicy = SHA384.HashData("two GPUs and two switches"u8);

    private readonly SimulatedAuthority _authority = SimulatedAuthority.Create(SimulatedCpu.Now);
    private readonly SimulatedWorld _machine;
    private readonly TrustSet _trust;
    private readonly VerifierCache _cache = new();
    private readonly KeyBinding _key = SimulatedCvm.BindingOf(
        """{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"""u8.ToArray());

    public CloudWorld()
    {
        Assert.True(SimulatedWorld.TryCreateMachine(_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, 2, 2, SimulatedFault.None, new FaultTarget(), SimulatedCpu.Now, out var machine, out var whyNot), whyNot);
        Assert.True(TrustSet.TryParse(CpuAnchors.ToJson("clouds", SimulatedCpu.Intel, SimulatedCpu.Amd, _authority), out var trust, out var fault), fault?.ToString());
        (_machine, _trust) = (machine, trust);
        Pass = Judge();
        Assert.Equal(("pass", "boot-event", 0), (Pass.Word, Pass.Binding, Pass.Weakened.Length));
    }

    /// <summary>Fresh, bound, in its run phase, and not weakened.</summary>
    public Verdict Pass { get; }

    public SigningKey Es384 { get; } = TokenFixture.NewKey(ECCurve.NamedCurves.nistP384);

    public SigningKey Es256 { get; } = TokenFixture.NewKey(ECCurve.NamedCurves.nistP256);

    public SigningKey Rs256 { get; } = NewRsaKey();

    public static TokenTerms Terms => new() { Issuer = TokenFixture.Issuer(Issuer), IssuedAt = SimulatedCpu.Now, Lifetime = TimeSpan.FromSeconds(CloudLimits.LifetimeSeconds) };

    /// <summary>One of an algorithm that the cloud takes.</summary>
    public SigningKey KeyOf(CloudKind cloud) => cloud switch { CloudKind.Gcp => Es256, CloudKind.Entra => Rs256, _ => Es384 };

    internal Verdict Judge(
        BootFault boot = BootFault.None, BootPhase phase = BootPhase.Run, bool withLog = true, bool challenged = true, RevocationChecking revocation = RevocationChecking.Required, TimeSource time = TimeSource.System,
        GpuBinding accepted = GpuBinding.BootEvent, RelyingPartyPolicy? policy = null)
    {
        var basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, time), _trust, revocation);
        var json = SimulatedEvidence.ToJson(_machine.Evidence(_key.DeviceNonce().Bytes.ToArray()));
        Assert.True(EvidenceFile.TryParse(json, "machine", out var evidence, out var fault), fault?.ToString());
        var devices = new Appraiser(new WorldRims(_machine), new WorldOcsp(_machine), _cache)
            .AppraiseAsync(evidence, new DeviceExpectations { Nonce = _key.DeviceNonce(), Basis = basis }, null, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        var plan = new SimulatedBootPlan
        {
            Devices = [.. devices.Devices.Select(device => new SimulatedBootDevice(device.Kind is DeviceKind.Switch ? "switch" : "gpu", device.Device!.Identity.Id.Bytes.ToArray(), device.Device.Identity.Ueid, new byte[48]))],
            Model = SHA384.HashData("a model"u8),
            Policy = s_gatePolicy,
            Cc = "ppcie",
            Fault = boot,
        };
        var booted = SimulatedBoot.Create(plan);
        var additional = AdditionalEvidence.Of(evidence);
        var made = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, _key.ReportData(additional), rtmr: booted.Rtmrs);
        Assert.True(ProcessorEvidence.TryParse(made.Quote, "quote", out var cpu, out fault), fault?.ToString());
        Assert.True(TdxCollateral.TryParse(made.Collateral, out var collateral, out fault), fault?.ToString());
        var expected = new ProcessorExpectations
        {
            Key = _key,
            AdditionalEvidence = additional,
            ReportData = null,
            TdxReferences = [new TdxReference { Name = "llm-host-1.4", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. SimulatedBoot.Create(plan with { Fault = BootFault.None }).Rtmrs.Take(3).Select(register => (Digest?)new Digest(register.Span)), null] }],
            SnpReferences = [],
            SnpMinimumTcb = null,
            Basis = basis,
        };
        var gate = withLog ? new GateRequirement { Phase = phase, Register = 3, Policies = [new Digest(s_gatePolicy)], Outcome = GateOutcome.Attested, Devices = null } : null;
        var parts = MachineAppraisal.Join(devices, cpu, withLog ? [booted.JsonLog()] : [], new ProcessorCollateral { Tdx = collateral }, expected, new BootExpectations { RequireSecureBoot = withLog, Gate = gate }, _cache);
        var whole = new MachineDemands { Gpus = 2, Switches = 2, DangerouslyAcceptedBinding = accepted, RequireProcessor = true, Challenged = challenged };
        return Verdict.Of(parts, whole, policy ?? RelyingPartyPolicy.Default, ClaimsVersion.V4);
    }

    /// <summary>A verdict as a policy of this id would have reached it.</summary>
    internal Verdict Under(string policy) => Pass with { Policy = new RelyingPartyPolicy(policy, null, _ => new PolicyDecision { Allowed = true, Reason = "yes" }) };

    /// <summary>A verdict about an image that the reference values call so.</summary>
    internal Verdict WithImage(string name)
    {
        var machine = Pass.Machine!;
        var tee = (TdxResult)machine.Parts.Cpu!.Tee!;
        return Pass with { Machine = machine with { Parts = machine.Parts with { Cpu = machine.Parts.Cpu with { Tee = tee with { Image = tee.Image! with { Name = name } } } } } };
    }

    /// <summary>A verdict as it would be about hardware: under the roots that are built in.</summary>
    internal Verdict OfHardware() => Pass with { Appraisal = Pass.Appraisal with { Basis = Pass.Appraisal.Basis with { Trust = TrustSet.BuiltIn } } };

    internal static CloudProfile Profile(
        CloudKind cloud, string subject = CloudProfile.DefaultSubject, string? audience = null, ImmutableArray<CloudMapping>? attributes = null, params ImmutableArray<string> weakenings)
    {
        var terms = new CloudProfileTerms
        {
            Cloud = cloud,
            Audience = audience ?? (cloud is CloudKind.Entra ? CloudProfile.EntraAudience : "models"),
            Subject = subject,
            Attributes = attributes ?? [],
            DangerouslyAcceptedWeakenings = weakenings,
        };
        return CloudProfile.TryCreate(terms, out var profile, out var fault) ? profile : throw new InvalidOperationException($"{fault}");
    }

    /// <summary>What the writer says against it; null when it writes.</summary>
    internal ParseFault? Fault(CloudProfile profile, Verdict? verdict = null, TokenTerms? terms = null, SigningKey? key = null)
    {
        var written = CloudTokenWriter.TryWrite(verdict ?? Pass, profile, terms ?? Terms, key ?? KeyOf(profile.Cloud), RandomNumberGenerator.Fill, out var token, out var fault);
        Assert.Equal(written, token is not null);
        Assert.Equal(written, fault is null);
        return fault;
    }

    internal string Token(CloudProfile profile, Verdict? verdict = null, TokenTerms? terms = null, SigningKey? key = null)
    {
        Assert.True(CloudTokenWriter.TryWrite(verdict ?? Pass, profile, terms ?? Terms, key ?? KeyOf(profile.Cloud), RandomNumberGenerator.Fill, out var token, out var fault), fault?.ToString());
        return token;
    }

    internal JsonElement Claims(CloudProfile profile, Verdict? verdict = null, TokenTerms? terms = null)
    {
        Assert.True(CompactJws.TryParse(Token(profile, verdict, terms), out var jws, out var fault), fault?.ToString());
        return jws.Payload;
    }

    public void Dispose()
    {
        Es384.Dispose();
        Es256.Dispose();
        Rs256.Dispose();
        _machine.Dispose();
        _authority.Dispose();
    }

    private static SigningKey NewRsaKey()
    {
        using var rsa = RSA.Create(2048);
        return SigningKey.TryParse(System.Text.Encoding.ASCII.GetBytes(rsa.ExportPkcs8PrivateKeyPem()), out var key, out var fault) ? key : throw new InvalidOperationException($"{fault}");
    }
}
