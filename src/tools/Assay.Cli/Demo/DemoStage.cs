using System.Security.Cryptography;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>One verification of the demonstration: evidence, and what it is judged with.</summary>
internal sealed record DemoScene(byte[] Evidence, MachineExpectations Expected, ICollateralSource Rims, ICollateralSource? Ocsp);

/// <summary>The simulated world of the demonstration: an authority, a machine under it, a challenge, and a token issuer.</summary>
internal sealed class DemoStage : IDisposable
{
    public const string Issuer = "http://127.0.0.1";
    public const int Gpus = 8;
    public const int Switches = 4;

    private readonly SimulatedAuthority _authority;
    private readonly SimulatedWorld _world;
    private readonly SimulatedIntel _intel;
    private readonly TrustSet _trust;
    private readonly SigningKey _key;
    private readonly VerifierCache _cache = new();
    private DemoMachine? _cvm;

    private DemoStage(SimulatedAuthority authority, SimulatedWorld world, SimulatedIntel intel, TrustSet trust, Nonce nonce, SigningKey key)
    {
        (_authority, _world, _intel, _trust, _key, Nonce) = (authority, world, intel, trust, key, nonce);
        Honest = Scene(world);
    }

    public Nonce Nonce { get; }

    public DemoScene Honest { get; }

    /// <summary>What a relying party has of the token's issuer: the public key set, and nothing else.</summary>
    public JsonWebKeySet Keys => JsonWebKeySet.Of(_key.PublicKey);

    public SigningKey SigningKey => _key;

    public SimulatedWorld World => _world;

    public static DemoStage Create(DateTimeOffset now)
    {
        var authority = SimulatedAuthority.Create(now);
        var world = Machine(authority, SimulatedFault.None, now);
        var intel = SimulatedIntel.Create(now);
        return new DemoStage(authority, world, intel, DemoMachine.TrustOf(authority, intel, "demonstration"), FreshNonce(), NewKey());
    }

    public static MachineExpectations Expect(Nonce nonce, EvaluationTime time, TrustSet trust) => new()
    {
        Nonce = nonce,
        Basis = new TrustBasis(time, trust, RevocationChecking.Required),
    };

    public static Nonce FreshNonce() =>
        Nonce.TryCreate(RandomNumberGenerator.GetBytes(Nonce.Size), out var nonce) ? nonce : throw new InvalidOperationException("32 bytes are a nonce");

    /// <summary>A machine under the same authority, with a fault of the simulator.</summary>
    public DemoScene WithFault(string name)
    {
        var fault = SimulatedFaults.Find(name) ?? throw new InvalidOperationException($"the simulator has no fault {name}");
        using var world = _world.TryWith(fault, new FaultTarget(), out var same, out _) ? same : Machine(_authority, fault, _world.Now);
        return Scene(world);
    }

    /// <summary>With what earlier verifications proved, as a service would keep it: the attacks must not profit from it.</summary>
    public Task<Verdict> VerifyAsync(DemoScene scene, CancellationToken cancellation) => VerifyAsync(scene, _cache, cancellation);

    public static async Task<Verdict> VerifyAsync(DemoScene scene, VerifierCache cache, CancellationToken cancellation)
    {
        if (!EvidenceFile.TryParse(scene.Evidence, "evidence.json", out var devices, out var fault))
        {
            throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");
        }

        var appraiser = new MachineAppraiser(new CollateralSources { Rims = scene.Rims, Ocsp = scene.Ocsp }, cache);
        return await appraiser.AppraiseAsync(new MachineEvidence { Devices = [.. devices] }, scene.Expected, cancellation: cancellation).ConfigureAwait(false);
    }

    /// <summary>The confidential VM that owns the machine's devices, which answer its key; they are verified once.</summary>
    public async Task<DemoMachine> CvmAsync(CancellationToken cancellation)
    {
        if (_cvm is not null)
        {
            return _cvm;
        }

        var key = DemoMachine.NewKey();
        var json = SimulatedEvidence.ToJson(_world.Evidence(key.DeviceNonce().Bytes.ToArray()));
        if (!EvidenceFile.TryParse(json, "evidence.json", out var evidence, out var fault))
        {
            throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");
        }

        var expected = Expect(key.DeviceNonce(), new EvaluationTime(_world.Now, TimeSource.System), _trust);
        var source = new CollateralSources { Rims = new WorldRims(_world), Ocsp = new WorldOcsp(_world) };
        var verdict = await new MachineAppraiser(source, _cache).AppraiseAsync(new MachineEvidence { Devices = [.. evidence] }, expected, cancellation: cancellation).ConfigureAwait(false);
        return _cvm = new DemoMachine(_intel, verdict.Appraisal, evidence, key, source, _cache);
    }

    /// <summary>The verdict as a detached EAT bundle.</summary>
    public byte[] Token(Verdict verdict)
    {
        var fault = TokenIssuer.TryParse(Issuer, out var issuer, out var wrong) ? null : wrong;
        return fault is null && EatBundleWriter.TryWrite(verdict, new TokenTerms { Issuer = issuer!, IssuedAt = _world.Now }, _key, RandomNumberGenerator.Fill, out var token, out fault)
            ? token
            : throw new InvalidOperationException($"the token cannot be written: {fault}");
    }

    public EatExpectations ExpectToken(Nonce nonce) => new()
    {
        Nonce = nonce,
        Issuer = Issuer,
        Audience = null,
        Time = new EvaluationTime(_world.Now, TimeSource.System),
        OtherAnchors = [TrustSetKind.Simulated],
        // What devices alone leave open: to accept a token about them is to accept it by name.
        DangerouslyAcceptedWeakenings = Weakening.OfDevicesAlone,
    };

    public async Task WriteAsync(string folder, CancellationToken cancellation)
    {
        SimulatedSet.Of(_world, Nonce.Bytes).Write(folder);
        DemoMachineFiles.Write(folder, await CvmAsync(cancellation).ConfigureAwait(false), CpuAnchors.ToJson("demonstration", _intel, null, _authority));
    }

    public void Dispose()
    {
        _key.Dispose();
        _world.Dispose();
        _authority.Dispose();
    }

    private DemoScene Scene(SimulatedWorld world) => new(
        SimulatedEvidence.ToJson(world.Evidence(Nonce.Bytes.ToArray())), Expect(Nonce, new EvaluationTime(world.Now, TimeSource.System), _trust), new WorldRims(world), new WorldOcsp(world));

    private static SimulatedWorld Machine(SimulatedAuthority authority, SimulatedFault fault, DateTimeOffset now) =>
        SimulatedWorld.TryCreateMachine(
            authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, fault, new FaultTarget(), now, out var world, out var whyNot)
            ? world
            : throw new InvalidOperationException(whyNot);

    private static SigningKey NewKey()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var der = ecdsa.ExportPkcs8PrivateKey();
        var pem = PemEncoding.WriteUtf8("PRIVATE KEY"u8, der);
        try
        {
            return SigningKey.TryParse(pem, out var key, out var fault) ? key : throw new InvalidOperationException($"a fresh key cannot be read: {fault}");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
            CryptographicOperations.ZeroMemory(pem);
        }
    }
}
