using System.Collections.Concurrent;
using System.Text;
using Assay.Broker.Keys;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Sealing.Keys;
using Assay.Service;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Broker.Release;

/// <summary>Judges evidence under release policies, with the broker's own clock, anchors and collateral (S-13). It decides about no release.</summary>
internal sealed class ReleaseJudge(BrokerTerms terms, SigningKeys signing, VerifierCache cache, TimeProvider clock)
{
    private const int MostCompiled = 1000;

    private static readonly ConditionKey s_image = ConditionKey.Find("assay:image:name")!;

    private readonly MachineJudge _judge = new(terms.Trust, terms.Patience, cache, clock);

    // By digest of the text: policies are compiled, and their reference values verified, once and not for each request.
    private readonly ConcurrentDictionary<Digest, CompiledRelease> _compiled = new();

    /// <summary>Now, by the broker's clock.</summary>
    public EvaluationTime Now() => _judge.Now();

    /// <summary>The policy of a key, ready to judge.</summary>
    /// <exception cref="ServiceException">A policy that was stored no longer compiles.</exception>
    public CompiledRelease Compile(string tenant, string id, string policy)
    {
        var json = Encoding.UTF8.GetBytes(policy);
        var digest = ReleasePolicy.DigestOf(json);
        if (_compiled.TryGetValue(digest, out var known))
        {
            return known;
        }

        if (!ReleasePolicy.TryCompile(json, out var compiled, out var wrong))
        {
            throw new ServiceException("service.broker.policy", $"the release policy of the key {id} of {tenant} no longer compiles: {wrong}");
        }

        if (_compiled.Count >= MostCompiled)
        {
            _compiled.Clear();
        }

        _compiled[digest] = compiled;
        return compiled;
    }

    /// <summary>The verdict; null with a fault where evidence and challenge cannot be put together.</summary>
    public Task<(Verdict? Verdict, string? Fault)> JudgeAsync(string id, CompiledRelease policy, MachineEvidence evidence, string? challenge, EvaluationTime time, CancellationToken cancellation)
    {
        var decides = new VerdictTerms { Policy = policy.Expectations.Policy(id), Issuer = terms.Issuer.ToString() };
        return _judge.JudgeAsync(evidence, policy.Expectations, decides, challenge, time, terms.Collateral, cancellation);
    }

    /// <summary>What a machine's evidence is worth under a policy.</summary>
    public async Task<Judgement> JudgeAsync(string id, CompiledRelease policy, MachineEvidence evidence, string challenge, bool isDerived, CancellationToken cancellation)
    {
        var now = Now();
        var (verdict, fault) = await JudgeAsync(id, policy, evidence, challenge, now, cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            return new Judgement { Fault = fault };
        }

        var unmet = policy.Unmet(verdict);
        return new Judgement
        {
            Passed = verdict.Passed,
            Word = verdict.Word,
            Binding = verdict.Binding,
            Tier = ReleaseTier.Of(verdict),
            Anchors = verdict.Anchors,
            Weakened = [.. verdict.Weakened],
            Unaccepted = policy.Expectations.Unaccepted(verdict),
            Unmet = unmet,
            Failed = [.. VerdictFindings.FailedOrMissing(verdict), .. unmet],
            Tee = verdict.Machine?.Parts.Cpu?.Tee?.Word,
            Devices = verdict.Appraisal.Devices.Count(device => device.Device is not null),
            Certificates = [.. verdict.Appraisal.Devices.Where(device => device.Device is not null).SelectMany(device => device.Device!.CertificateFingerprints).Select(digest => digest.ToString()).Distinct(StringComparer.Ordinal)],
            Recipient = RecipientOf(verdict),
            Image = isDerived ? ImageOf(verdict, policy, now) : null,
            Boot = policy.IsBootPhase ? BootOf(verdict) : null,
        };
    }

    /// <summary>What a token of NVIDIA's service is worth under a policy.</summary>
    public Judgement Judge(NrasAnswer answer, CompiledRelease policy, string challenge) =>
        terms.Nras is { } nras ? NrasJudge.Judge(answer, nras, policy, challenge, Now()) : new Judgement { Fault = "nrasToken: this broker pins no keys of NVIDIA's service (broker.nras), so it takes no token" };

    /// <summary>What a token of an attestation service is worth under a policy.</summary>
    public Judgement Judge(TokenAnswer answer, string id, CompiledRelease policy, string challenge) => TokenJudge.Judge(answer, terms.Issuers, signing.Published, terms.Trust.Kind, id, policy, challenge, Now());

    /// <summary>The name of the policy's image, without its version, if that is the one that the machine runs; null if no reference value is the machine's.</summary>
    public static string? ImageOf(Verdict verdict, CompiledRelease policy, EvaluationTime time) => s_image.Of(verdict).IsEmpty ? null : policy.Expectations.ImageName(time);

    /// <summary>Which boot the machine is in: the nonce that its gate chose, in the gate's measured event. Null where no gate named devices.</summary>
    public static string? BootOf(Verdict verdict) =>
        verdict is { Binding: "boot-event", Machine.Parts.Boot.GateNonce: { } nonce } ? nonce : null;

    /// <summary>The key to which a secret would be sealed: the one that the verified evidence names; null where it names none that can.</summary>
    public static SealingPublicKey? RecipientOf(Verdict verdict) =>
        verdict.Machine?.Parts.Key is { } bound && SealingPublicKey.TryParse(Encoding.UTF8.GetBytes(bound.Jwk), out var key, out _) ? key : null;
}
