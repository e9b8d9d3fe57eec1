using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using SimulatedStatus = Assay.Simulator.CertificateStatus;

namespace Assay.Tests.Policy;

/// <summary>One simulated authority for a class of tests, with a GPU and a switch that pass every check, nonces of OCSP answers included.</summary>
public sealed class PolicyWorld : IDisposable
{
    public PolicyWorld()
    {
        Gpu = SimulatedDevice.Create(Authority, DeviceProfile.Hopper580);
        Switch = SimulatedDevice.Create(Authority, DeviceProfile.Ls10);
        GpuScene = PolicyScene.Of(Authority, Gpu);
        SwitchScene = PolicyScene.Of(Authority, Switch);
        HonestGpu = GpuScene.Appraise();
        HonestSwitch = SwitchScene.Appraise();
    }

    public static DateTimeOffset Now { get; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    public static byte[] Challenge { get; } = SHA256.HashData("policies"u8);

    public SimulatedAuthority Authority { get; } = SimulatedAuthority.Create(Now);

    internal SimulatedDevice Gpu { get; }

    internal SimulatedDevice Switch { get; }

    internal PolicyScene GpuScene { get; }

    internal PolicyScene SwitchScene { get; }

    internal DevicesResult HonestGpu { get; }

    internal DevicesResult HonestSwitch { get; }

    public void Dispose()
    {
        Gpu.Dispose();
        Switch.Dispose();
        Authority.Dispose();
    }
}

/// <summary>A verification to be, honest until a test changes it with a <c>with</c> expression.</summary>
internal sealed record PolicyScene
{
    public required SimulatedAuthority Authority { get; init; }

    public required ImmutableArray<SimulatedEvidence> Evidence { get; init; }

    public required ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims { get; init; }

    public required ImmutableArray<SimulatedCertificate> Known { get; init; }

    public byte[]? Nonce { get; init; } = PolicyWorld.Challenge;

    public RevocationChecking Revocation { get; init; } = RevocationChecking.Required;

    public Func<SimulatedCertificate, OcspAnswer> Answer { get; init; } = Good;

    public bool EchoNonce { get; init; } = true;

    public bool NoAnswers { get; init; }

    public static PolicyScene Of(SimulatedAuthority authority, params SimulatedDevice[] devices)
    {
        var sets = devices.Select(device => SimulatedSet.Of(authority, device, PolicyWorld.Challenge, PolicyWorld.Now)).ToArray();
        return new PolicyScene
        {
            Authority = authority,
            Evidence = [.. sets.SelectMany(set => set.Evidence)],
            Rims = sets.SelectMany(set => set.Rims).DistinctBy(rim => rim.Id).ToImmutableDictionary(rim => rim.Id, rim => rim.Xml),
            Known = [.. sets.SelectMany(set => set.Ocsp.Keys)],
        };
    }

    public static OcspAnswer Good(SimulatedCertificate certificate) => new()
    {
        Certificate = certificate,
        Status = SimulatedStatus.Good,
        ThisUpdate = PolicyWorld.Now.AddHours(-1),
        NextUpdate = PolicyWorld.Now.AddDays(1),
    };

    public static OcspAnswer Revoked(SimulatedCertificate certificate) => Good(certificate) with { Status = SimulatedStatus.Revoked, Reason = Assay.Simulator.RevocationReason.KeyCompromise };

    /// <summary>The RIM whose id contains a word, replaced.</summary>
    public PolicyScene WithRim(string word, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> change)
    {
        var id = Rims.Keys.Single(id => id.Contains(word, StringComparison.Ordinal));
        return this with { Rims = Rims.SetItem(id, change(Rims[id])) };
    }

    public PolicyScene WithoutRim(string word) => this with { Rims = Rims.RemoveRange(Rims.Keys.Where(id => id.Contains(word, StringComparison.Ordinal))) };

    /// <summary>A newly signed RIM with its signer, whose certificates the responder knows too.</summary>
    public PolicyScene WithSigned(RimDraft draft, SimulatedAuthority? authority = null)
    {
        var signer = (authority ?? Authority).IssueRimSigner(DeviceFamily.Hopper);
        return this with { Rims = Rims.SetItem(draft.Id, SimulatedRim.Sign(draft, signer).Xml), Known = [.. Known, .. signer.Chain[..^1]] };
    }

    public DevicesResult Appraise()
    {
        Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(Authority, "policies"), out var trust, out var fault), fault?.ToString());
        var devices = ImmutableArray<DeviceEvidence>.Empty;
        if (!Evidence.IsEmpty)
        {
            Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(Evidence), "evidence.json", out devices, out fault), fault?.ToString());
        }

        var expected = new DeviceExpectations
        {
            Nonce = Nonce is not null && Assay.Wire.Nonce.TryCreate(Nonce, out var nonce) ? nonce : null,
            Basis = new TrustBasis(new EvaluationTime(PolicyWorld.Now, TimeSource.System), trust, Revocation),
        };
        var cache = new VerifierCache();
        var authenticated = DevicesAppraisal.Authenticate(devices, expected, cache);
        var collateral = new MachineCollateral { Rims = Rims };
        if (!NoAnswers)
        {
            var answers = DevicesAppraisal.RequiredCollateral(authenticated, collateral, expected, cache).Revocation.ToImmutableDictionary(query => query.Subject, AnswersTo);
            collateral = collateral with { Ocsp = answers };
        }

        return DevicesAppraisal.Appraise(authenticated, collateral, expected, cache);
    }

    private ImmutableArray<CollateralItem> AnswersTo(RevocationQuery query)
    {
        var nonce = SHA256.HashData("a nonce of ours"u8);
        var request = Assay.Trust.Revocation.OcspRequest.Encode(query.Certificate, query.Issuer, nonce);
        return [new CollateralItem(SimulatedOcsp.Answer(request, Known, Answer, EchoNonce), NonceSent: nonce)];
    }
}

/// <summary>Policies written in a line, and what came of them.</summary>
internal static class Policies
{
    public static JsonPolicy Read(string json)
    {
        Assert.True(JsonPolicy.TryParse(Encoding.UTF8.GetBytes(json), out var policy, out var fault), fault?.ToString());
        return policy;
    }

    /// <summary>The flat form.</summary>
    public static JsonPolicy Flat(string rules) => Read("{\"version\":\"1.0\",\"authorization-rules\":{" + rules + "}}");

    /// <summary>The form for detached bundles.</summary>
    public static JsonPolicy Detached(string overall, string detached) =>
        Read("{\"version\":\"4.0\",\"authorization-rules\":{\"type\":\"JWT\",\"overall-claims\":{" + overall + "},\"detached-claims\":{" + detached + "}}}");

    public static PolicyDecision Decide(JsonPolicy policy, DevicesResult appraisal, ClaimsVersion claims = ClaimsVersion.V4, string? issuer = null) =>
        policy.Decide(new ClaimsView(DefaultPolicy.Decide(appraisal), claims, issuer));

    public static string[] Paths(PolicyDecision decision) => [.. decision.Differences.Select(difference => difference.Path)];

    public static Verdict Verdict(DevicesResult appraisal, JsonPolicy policy) => Assay.Policy.Verdict.Of(appraisal, policy.Named("test.json"), ClaimsVersion.V4);

    public static JsonElement Claims(DeviceResult device, ClaimsVersion version) => Appraisal.Judged.Claims(device, version);

    public static SortedSet<string> FalseClaims(DeviceResult device, ClaimsVersion version) =>
        new(Claims(device, version).EnumerateObject().Where(claim => claim.Value.ValueKind is JsonValueKind.False).Select(claim => claim.Name), StringComparer.Ordinal);
}
