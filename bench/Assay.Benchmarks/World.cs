using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Benchmarks;

/// <summary>Simulated devices of one machine type, with all their collateral in memory.</summary>
internal sealed class World : ICollateralSource
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _rims = [];
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _ocsp = [];

    private World(Func<SimulatedAuthority, byte[], DateTimeOffset, IEnumerable<SimulatedSet>> make, byte[]? asked = null)
    {
        var now = EvaluationTime.ReleaseDate.AddDays(1);
        var authority = Authority = SimulatedAuthority.Create(now);
        var nonce = asked ?? RandomNumberGenerator.GetBytes(Nonce.Size);
        var evidence = new List<SimulatedEvidence>();
        foreach (var (index, set) in make(authority, nonce, now).Index())
        {
            evidence.AddRange(set.Evidence);
            foreach (var (certificate, response) in set.Ocsp)
            {
                _ocsp[certificate.SerialNumber.ToUpperInvariant().TrimStart('0')] = response;
            }

            // The first device's RIMs serve all: one firmware, signed once.
            foreach (var rim in index == 0 ? set.Rims : [])
            {
                _rims[rim.Id] = rim.Xml;
            }
        }

        _ = TrustSet.TryParse(SimulatedAnchors.ToJson(authority, "bench"), out var trust, out _);
        _ = Nonce.TryCreate(nonce, out var parsed);
        _ = EvidenceFile.TryParse(SimulatedEvidence.ToJson(evidence), "bench", out var devices, out _);
        Evidence = [.. devices];
        Skipping = new DeviceExpectations
        {
            Nonce = parsed,
            Basis = new TrustBasis(new EvaluationTime(now, TimeSource.System), trust!, RevocationChecking.DangerouslySkipped),
        };
    }

    /// <summary>GPUs that know nothing of each other.</summary>
    public static World OfGpus(int gpus) => new((authority, nonce, now) =>
        Enumerable.Range(0, gpus).Select(_ => SimulatedSet.Of(authority, SimulatedDevice.Create(authority, DeviceProfile.Hopper580), nonce, now)));

    /// <summary>
    /// Whole machines of eight GPUs and four switches, one after the other in <see cref="Evidence"/>. Drivers and VBIOSes are the same, so
    /// the RIMs of the first serve all.
    /// </summary>
    /// <param name="machines">How many.</param>
    /// <param name="asked">What the devices sign; random by default.</param>
    public static World OfMachines(int machines, byte[]? asked = null) => new((authority, nonce, now) => Enumerable.Range(0, machines).Select(_ =>
        SimulatedSet.Of(authority, SimulatedMachine.Create(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10), nonce, now)), asked);

    /// <summary>Who certified the devices.</summary>
    public SimulatedAuthority Authority { get; }

    public DeviceEvidence[] Evidence { get; }

    /// <summary>Expectations without revocation; the product's default asks for it.</summary>
    public DeviceExpectations Skipping { get; }

    public DeviceExpectations WithOcsp => Skipping with { Basis = Skipping.Basis with { Revocation = RevocationChecking.Required } };

    public DevicesResult Verify(DeviceEvidence[] evidence, DeviceExpectations expected, VerifierCache cache)
    {
        var appraiser = new MachineAppraiser(new CollateralSources { Rims = this, Ocsp = this }, cache);
        var asked = new MachineExpectations { Nonce = expected.Nonce, Basis = expected.Basis };
        var result = appraiser.AppraiseAsync(new MachineEvidence { Devices = [.. evidence] }, asked).GetAwaiter().GetResult().Appraisal;
        return Policy.Verdict.Of(result, Policy.RelyingPartyPolicy.Default, Assay.Appraisal.Devices.ClaimsVersion.V4).Kind is Policy.VerdictKind.Pass
            ? result
            : throw new InvalidOperationException("the benchmark's own evidence was refused: " + string.Join("; ", result.AllFindings.Where(finding => finding.State is CheckState.Failed || finding.Cause is NotCheckedCause.Missing).Select(finding => $"{finding.Id}: {finding.Reason}")));
    }

    Task<Fetched<CollateralItem>> ICollateralSource.FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        var (from, id) = question.Status is { } query ? (_ocsp, query.Subject.SerialNumber.ToUpperInvariant().TrimStart('0')) : (_rims, question.Key.Id);
        return Task.FromResult(from.TryGetValue(id, out var bytes) ? Fetched.Item("bench", bytes) : Fetched.Absent("bench", "not in the benchmark's world"));
    }
}
