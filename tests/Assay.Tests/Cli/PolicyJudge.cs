using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policies;
using Assay.Policy;
using Assay.Rego.Values;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Cli;

/// <summary>How the verifier of a test learns about revocation.</summary>
public enum Answers
{
    None,

    /// <summary>A responder that repeats the nonce.</summary>
    Fresh,

    /// <summary>A folder: the same answers without a nonce.</summary>
    Cached,

    /// <summary>Nobody is asked.</summary>
    Skipped,
}

/// <summary>Asks a policy in Rego about simulated devices, as <c>assay verify --policy</c> does, and counts how often it is asked.</summary>
internal sealed class PolicyJudge(string name, byte[] source, string? data, string? query = null)
{
    private readonly RegoPolicy _policy = Parse(name, source, data, query);

    public int Asked { get; private set; }

    /// <summary>The devices as the policy sees them, of the last question.</summary>
    public RegoValue? Input { get; private set; }

    /// <summary>A policy that ships.</summary>
    public static PolicyJudge ReadyMade(string name, string? data) => new(name, File.ReadAllBytes(Path.Combine(Repository.Root, "policies", name)), data);

    public static PolicyJudge Of(string source) => new("test.rego", Encoding.UTF8.GetBytes(source), null);

    public async Task<Verdict> JudgeAsync(SimulatedWorld world, Answers answers)
    {
        var bytes = RandomNumberGenerator.GetBytes(Nonce.Size);
        Assert.True(Nonce.TryCreate(bytes, out var nonce));
        Assert.True(TrustSet.TryParse(world.Anchors, out var trust, out var fault), fault?.ToString());
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(world.Evidence(bytes)), "evidence.json", out var devices, out fault), fault?.ToString());
        var appraiser = new Appraiser(new Rims(world), answers is Answers.Skipped ? null : new Responder(world, answers is Answers.Fresh), new VerifierCache());
        var expected = new DeviceExpectations
        {
            Nonce = nonce,
            Basis = new TrustBasis(new EvaluationTime(world.Now, TimeSource.System), trust, answers is Answers.Skipped ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required),
        };
        var appraisal = await appraiser.AppraiseAsync(devices, expected, progress: null, TestContext.Current.CancellationToken);
        var named = _policy.Named("test.rego");
        return Verdict.Of(appraisal, named with { Decide = Counted(named.Decide) }, ClaimsVersion.V4);
    }

    private Decide Counted(Decide decide) => input =>
    {
        Asked++;
        Input = _policy.InputOf(input);
        return decide(input);
    };

    private static RegoPolicy Parse(string name, byte[] source, string? data, string? query)
    {
        PolicyDocument? documents = null;
        Assert.True(data is null || PolicyDocument.TryParse(Encoding.UTF8.GetBytes(data), out documents, out _), data);
        Assert.True(RegoPolicy.TryParse(name, source, documents, query, out var policy, out var fault), fault?.ToString());
        return policy;
    }

    private sealed class Rims(SimulatedWorld world) : ICollateralSource
    {
        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation) =>
            Task.FromResult(world.Rims.FirstOrDefault(rim => rim.Id == question.Key.Id) is { } rim ? Fetched.Item("test", rim.Xml) : Fetched.Absent("test", "not there"));
    }

    private sealed class Responder(SimulatedWorld world, bool echoes) : ICollateralSource
    {
        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            var query = question.Status!;
            var nonce = RandomNumberGenerator.GetBytes(Assay.Trust.Revocation.OcspRequest.LargestNonce);
            var request = Assay.Trust.Revocation.OcspRequest.Encode(query.Certificate, query.Issuer, nonce);
            var known = world.AskedAbout.Where(certificate => world.AnswerAbout(certificate) is not null).ToArray();
            return Task.FromResult(Fetched.Of("test", new CollateralItem(SimulatedOcsp.Answer(request, known, certificate => world.AnswerAbout(certificate)!, echoes), NonceSent: nonce)));
        }
    }
}
