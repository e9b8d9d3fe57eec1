using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Broker.Kbs;

/// <summary>
/// What a session's evidence is worth before a resource is asked for: whether it is authentic, and answers the session's nonce with the key that it names.
/// More is not decided here: each resource has its own policy, under which the same evidence is judged again. The token says what was found, in Trustee's form, and is for this broker alone.
/// </summary>
internal sealed class KbsAttestation(BrokerTerms terms, SigningKeys keys, VerifierCache cache, TimeProvider clock)
{
    private const string Algorithm = "ES256";
    private const string BindingOfProcessor = "binding.cpu.devices";
    private const string BindingOfKey = "binding.key.devices";

    private static readonly PolicyIdentity s_policy = new("kbs-session", "1", new Digest(SHA384.HashData("evidence is authentic and answers the session; resources have policies of their own\n"u8)));

    private readonly MachineJudge _judge = new(terms.Trust, terms.Patience, cache, clock);

    /// <summary>The audience of the tokens: no other reader takes them.</summary>
    public string Audience => $"{terms.Issuer}/kbs/v0";

    /// <summary>The token; null with the reason why the evidence is no answer.</summary>
    public async Task<(string? Token, string? Fault)> AttestAsync(KbsSession session, MachineEvidence evidence, CancellationToken cancellation)
    {
        var time = _judge.Now();
        var expected = new MachineExpectations
        {
            Basis = new TrustBasis(time, terms.Trust, RevocationChecking.Required),
            Challenge = session.Challenge.Nonce,
            DangerouslyAcceptedBinding = GpuBinding.None,
            AcceptVlek = true,
        };
        var (verdict, fault) = await _judge.JudgeAsync(evidence, expected, VerdictTerms.Default, terms.Collateral, cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            return (null, fault);
        }

        if (!IsBound(verdict, evidence.Cpu is not null))
        {
            return (null, $"the evidence does not answer this session's nonce with this key: {string.Join(", ", VerdictFindings.FailedOrMissing(verdict))}");
        }

        var token = new TokenTerms
        {
            Issuer = terms.Issuer,
            IssuedAt = time.Instant,
            Audience = Audience,
            Lifetime = TimeSpan.FromSeconds(Math.Max(1, Math.Floor((session.ExpiresAt - time.Instant).TotalSeconds))),
            Policy = s_policy,
        };
        // Its id begins with the session's, so that a guest may show the token in place of the cookie.
        return TrusteeEar.TryWrite(verdict, token, keys.Current(Algorithm), id => IdOf(session).CopyTo(id), out var text, out var unwritten) ? (text, null) : (null, unwritten.ToString());
    }

    /// <summary>The session that a token belongs to; null if this broker did not write it, or it has expired.</summary>
    public string? SessionOf(string token)
    {
        if (!CompactJws.TryParse(token, out var jws, out _) || !jws.IsSignedBy(keys.Published()))
        {
            return null;
        }

        var claims = jws.Payload;
        return JsonMember.Text(claims, "aud") == Audience && JsonMember.Text(claims, "iss") == terms.Issuer.ToString()
            && claims.TryGetProperty("exp", out var end) && end.TryGetInt64(out var seconds) && clock.GetUtcNow().ToUnixTimeSeconds() < seconds && JsonMember.Text(claims, "jti") is { Length: >= KbsSession.IdLength } id ? id[..KbsSession.IdLength] : null;
    }

    private static byte[] IdOf(KbsSession session) => [.. Convert.FromHexString(session.Id), .. RandomNumberGenerator.GetBytes(KbsSession.IdLength / 2)];

    // Asked for what holds, not for what fails: evidence that is not authentic has no binding that holds. What it is evidence of, policies decide.
    private static bool IsBound(Verdict verdict, bool hasProcessor) =>
        verdict.Appraisal.Devices.All(device => device.Device is not null)
        && (hasProcessor ? Holds(verdict, BindingOfProcessor) : !verdict.Appraisal.Devices.IsEmpty && Holds(verdict, BindingOfKey));

    private static bool Holds(Verdict verdict, string check) => verdict.Machine?.Findings.Any(finding => finding.Id == check && finding.State is CheckState.Held) is true;
}
