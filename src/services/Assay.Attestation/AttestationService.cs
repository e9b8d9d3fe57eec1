using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Attestation.Policies;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Attestation;

/// <summary>A token, with what is kept of it.</summary>
/// <param name="Text">As it is handed over.</param>
/// <param name="Form">Its form, as in the policy.</param>
/// <param name="Id">Its <c>jti</c>; of a bundle, the overall token's.</param>
/// <param name="ExpiresAt">When it ends.</param>
public sealed record WrittenToken(string Text, string Form, string Id, DateTimeOffset ExpiresAt);

/// <summary>The one road from evidence to a verdict and a token, for every endpoint.</summary>
public sealed class AttestationService(AttestationTerms terms, SigningKeys keys, VerifierCache cache, TimeProvider clock)
{
    /// <summary>The audience of tokens from NVIDIA's paths: no relying party that asks for its own name takes them (S-20).</summary>
    public const string NrasAudience = "urn:assay:nras";

    private readonly MachineJudge _judge = new(terms.Trust, terms.Patience, cache, clock);

    // S-21.
    private const int LongestCloudSeconds = 300;

    /// <summary>The service's own settings.</summary>
    public AttestationTerms Terms => terms;

    /// <summary>The version of claims that a word names; null: none of ours.</summary>
    public static ClaimsVersion? ClaimsOf(string? word) => word switch
    {
        "4.0" => ClaimsVersion.V4,
        "3.0" => ClaimsVersion.V3,
        "2.0" => ClaimsVersion.V2,
        _ => null,
    };

    /// <summary>Now, by the service's clock and no other (S-13).</summary>
    public EvaluationTime Now() => _judge.Now();

    /// <summary>Judges evidence under a policy.</summary>
    /// <param name="evidence">What a machine shows.</param>
    /// <param name="policy">The audience's.</param>
    /// <param name="challenge">The challenge's own characters, from the service's table.</param>
    /// <param name="time">Now; of a policy's test, the instant that it states.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    /// <returns>The verdict; null with a fault where evidence and challenge cannot be put together, or the policy's reference values ended.</returns>
    public Task<(Verdict? Verdict, string? Fault)> JudgeAsync(MachineEvidence evidence, CompiledPolicy policy, string? challenge, EvaluationTime time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return _judge.JudgeAsync(evidence, policy.Expectations, policy.Terms(terms.Issuer.ToString()), challenge, time, terms.Collateral, cancellation);
    }

    /// <summary>Judges devices as NVIDIA's service does: everything must hold, and nothing is expected but a nonce.</summary>
    public Task<(Verdict? Verdict, string? Fault)> JudgeNrasAsync(ImmutableArray<DeviceEvidence> devices, Nonce nonce, CancellationToken cancellation) => _judge.JudgeAsync(
        new MachineEvidence { Devices = devices },
        new MachineExpectations { Basis = new TrustBasis(Now(), terms.Trust, RevocationChecking.Required), Nonce = nonce },
        VerdictTerms.Default, terms.NrasCollateral, cancellation);

    /// <summary>Writes the token that the audience's policy prescribes.</summary>
    public (WrittenToken? Token, string? Fault) Write(Verdict verdict, CompiledPolicy policy, string audience)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var prescribed = policy.Document.Token;
        var id = new TokenId();
        var issued = clock.GetUtcNow();
        var token = new TokenTerms
        {
            Issuer = terms.Issuer,
            IssuedAt = issued,
            Audience = audience,
            Lifetime = TimeSpan.FromSeconds(prescribed.LifetimeSeconds),
            Policy = policy.Identity,
            Claims = ClaimsOf(prescribed.Claims)!.Value,
        };
        var key = keys.Current(prescribed.Algorithm);
        ParseFault? fault;
        string? text;
        switch (prescribed.Form)
        {
            case "ear-nvidia":
                NvidiaEar.TryWrite(verdict, token, key, id.Fill, out text, out fault);
                break;
            case "ear-trustee":
                TrusteeEar.TryWrite(verdict, token, key, id.Fill, out text, out fault);
                break;
            case "bundle":
                text = EatBundleWriter.TryWrite(verdict, token, key, id.Fill, out var bundle, out fault) ? Encoding.UTF8.GetString(bundle) : null;
                break;
            case "cloud":
                // Its audience is the profile's, and it lives as long as such a token may.
                token = token with { Audience = null, Lifetime = TimeSpan.FromSeconds(Math.Min(prescribed.LifetimeSeconds, LongestCloudSeconds)) };
                text = CloudTokenWriter.TryWrite(verdict, policy.Cloud!, token, key, id.Fill, out var bearer, out fault) ? Sealed(bearer, verdict, out fault) : null;
                break;
            default:
                EatWriter.TryWrite(verdict, token, key, id.Fill, out text, out fault);
                break;
        }

        return text is null ? (null, fault!.ToString()) : (new WrittenToken(text, prescribed.Form, id.Last, issued + token.Lifetime), null);
    }

    // For the machine alone: who sees the answer on its way gets nothing that a cloud takes.
    private static string? Sealed(string bearer, Verdict verdict, out ParseFault? fault)
    {
        if (verdict.Machine?.Parts.Key is not { } bound || !SealingPublicKey.TryParse(Encoding.UTF8.GetBytes(bound.Jwk), out var recipient, out var unusable))
        {
            fault = new ParseFault("tee-pubkey", 0, "a key for encryption is expected: a token for a cloud is handed over encrypted to it");
            return null;
        }

        fault = null;
        return Jwe.SealCompact(recipient, Encoding.ASCII.GetBytes(bearer), new JweTerms { Type = "JWT" });
    }

    /// <summary>Random numbers for a token's ids, of which the last is the whole token's: a bundle's writer names the devices first.</summary>
    internal sealed class TokenId
    {
        public string Last { get; private set; } = "";

        public void Fill(Span<byte> destination)
        {
            RandomNumberGenerator.Fill(destination);
            Last = Convert.ToHexStringLower(destination);
        }
    }
}
