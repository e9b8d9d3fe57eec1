using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Broker.Keys;
using Assay.Checks;
using Assay.Policy;
using Assay.Sealing.Keys;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Broker.Release;

/// <summary>An Assay attestation service whose tokens are believed. Issuer, audience and keys are pinned, and never fetched.</summary>
public sealed record TokenIssuerTerms
{
    /// <summary>The <c>iss</c> of the tokens, in these characters.</summary>
    public required string Issuer { get; init; }

    /// <summary>The <c>aud</c> that they must have: this broker's name with that service.</summary>
    public required string Audience { get; init; }

    /// <summary>The keys that may have signed them; null: this service's own.</summary>
    public JsonWebKeySet? Keys { get; init; }
}

/// <summary>A token of an attestation service, and what only the machine that it names can make.</summary>
/// <param name="Token">The compact JWS, as the service wrote it.</param>
/// <param name="Possession">See <see cref="Possession"/>, in hexadecimal.</param>
internal sealed record TokenAnswer(string Token, string Possession);

/// <summary>
/// Judges a token of an Assay attestation service in place of evidence. That service's clock and collateral decided (S-13 is waived, under the name
/// <c>assay-token</c>), under a policy that the key's own policy names by its digest: who sets policies at the service does not thereby decide who gets the key.
/// </summary>
internal static class TokenJudge
{
    private const string Processor = "CPU-0";

    public static Judgement Judge(TokenAnswer answer, ImmutableArray<TokenIssuerTerms> issuers, Func<JsonWebKeySet> own, TrustSetKind anchors, string key, CompiledRelease policy, string challenge, EvaluationTime time)
    {
        if (issuers.IsEmpty)
        {
            return new Judgement { Fault = "token: this broker pins no attestation service (broker.issuers), so it takes no token" };
        }

        if (!CompactJws.TryParse(answer.Token, out var unverified, out var malformed))
        {
            return new Judgement { Fault = malformed.ToString() };
        }

        // Which of the pinned ones is asked for; everything that is believed is read after the signature was verified.
        if (issuers.FirstOrDefault(item => item.Issuer == JsonMember.Text(unverified.Payload, "iss")) is not { } issuer)
        {
            return Refused(issuer: null, "assay-token.issuer.known");
        }

        if (!EatReader.TryVerify(answer.Token, issuer.Keys ?? own(), Expected(issuer, policy, anchors, time), out var verified, out var findings))
        {
            ImmutableArray<string> refused = [.. findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
            // A check that neither holds nor fails is no pass.
            return Refused(issuer.Issuer, refused.IsEmpty ? ["token.wellformed"] : refused);
        }

        var recipient = SealingPublicKey.TryParse(KeyIn(verified.Claims), out var named, out _) ? named : null;
        ImmutableArray<string> failed = [.. WhyNot(verified, issuer, policy, time)];
        failed = Possession.IsProven(answer.Possession, challenge, recipient, issuer.Audience, key) ? failed : failed.Add("assay-token.possession.proven");
        ImmutableArray<string> unmet = failed.IsEmpty ? policy.Conditions.Unmet(condition => ValuesOf(condition, verified)) : [];
        return new Judgement
        {
            Passed = failed.IsEmpty,
            Word = failed.IsEmpty ? "pass" : "fail",
            Binding = JsonMember.Text(verified.Claims, "x-assay-gpu-binding"),
            Tier = ReleaseTier.AssayToken,
            Anchors = JsonMember.Text(verified.Claims, "x-assay-anchors"),
            Issuer = issuer.Issuer,
            IssuersPolicy = PolicyOf(verified.Claims),
            TokenId = JsonMember.Text(verified.Claims, "jti"),
            Weakened = [.. Texts(verified.Claims, "x-assay-weakened"), ReleaseTier.AssayToken],
            Unaccepted = policy.Token is null ? [ReleaseTier.AssayToken] : [],
            Unmet = unmet,
            Failed = [.. failed, .. unmet],
            Tee = ValueOf(verified, Processor, "x-assay-tee"),
            Devices = Parts(verified, "GPU-").Count() + Parts(verified, "SWITCH-").Count(),
            Recipient = failed.IsEmpty ? recipient : null,
        };
    }

    // Nothing is told of a token that is not verified.
    private static Judgement Refused(string? issuer, params ImmutableArray<string> failed) =>
        new() { Word = "fail", Binding = "none", Tier = ReleaseTier.AssayToken, Issuer = issuer, Weakened = [ReleaseTier.AssayToken], Failed = failed };

    private static EatExpectations Expected(TokenIssuerTerms issuer, CompiledRelease policy, TrustSetKind anchors, EvaluationTime time) => new()
    {
        // The challenge is answered by the proof of possession.
        Nonce = null,
        Issuer = issuer.Issuer,
        Audience = issuer.Audience,
        Time = time,
        DangerouslyAcceptedWeakenings = policy.Expectations.Document.AcceptWeakened,
        RequiredBinding = policy.Expectations.Document.Binding switch { "boot-event" => GpuBinding.BootEvent, "evidence-hash" => GpuBinding.EvidenceHash, _ => GpuBinding.None },
        OtherAnchors = anchors is TrustSetKind.BuiltIn ? [] : [anchors],
    };

    private static IEnumerable<string> WhyNot(VerifiedEat token, TokenIssuerTerms issuer, CompiledRelease policy, EvaluationTime time)
    {
        var claims = token.Claims;
        var expect = policy.Expectations.Document;
        // The policy of the key names both, so that neither another issuer of this broker's nor another policy of that issuer's will do.
        if (policy.Token is { } wanted && (wanted.Issuer != issuer.Issuer || !wanted.Policies.Contains(PolicyOf(claims) ?? "", StringComparer.Ordinal)))
        {
            yield return "assay-token.policy.named";
        }

        if (!TokenAge.IsRecent(token.IssuedAt, time) || !Utc.TryParse(JsonMember.Text(claims, "x-assay-evaluated-at") ?? "", out var judged) || !TokenAge.IsRecent(judged, time))
        {
            yield return "assay-token.issued.recent";
        }

        if (KeyIn(claims).IsEmpty)
        {
            yield return "assay-token.key.named";
        }

        if (Parts(token, "GPU-").Count() != (expect.Gpus ?? 0))
        {
            yield return "assay-token.gpus.count";
        }

        if (expect.Switches is { } switches && Parts(token, "SWITCH-").Count() != switches)
        {
            yield return "assay-token.switches.count";
        }

        if (expect.Processor && ValueOf(token, Processor, "x-assay-tee") is null)
        {
            yield return "assay-token.processor.shown";
        }

        // No weakening tells a VLEK. SNP evidence says which key signed it, and other evidence says nothing of one.
        if (!expect.AcceptVlek && ValueOf(token, Processor, "x-assay-snp-signing-key") != (ValueOf(token, Processor, "x-assay-tee") is "snp" ? "vcek" : null))
        {
            yield return "assay-token.vlek.accepted";
        }
    }

    private static string? PolicyOf(JsonElement claims) => claims.TryGetProperty("x-assay-policy", out var policy) && policy.ValueKind is JsonValueKind.Object ? JsonMember.Text(policy, "digest") : null;

    // The key that the processor's statement covers: a service names no other.
    private static ReadOnlySpan<byte> KeyIn(JsonElement claims) => claims.TryGetProperty("tee-pubkey", out var key) && key.ValueKind is JsonValueKind.Object ? Encoding.UTF8.GetBytes(key.GetRawText()) : [];

    private static IEnumerable<JsonElement> Parts(VerifiedEat token, string prefix) => token.Devices.Where(device => device.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(device => device.Value);

    private static string? ValueOf(VerifiedEat token, string part, string claim) => token.Devices.Where(device => device.Key == part).Select(device => JsonMember.Text(device.Value, claim)).FirstOrDefault();

    // What the gate measured says something of these devices only where it verified them.
    private static string? OfGate(VerifiedEat token, string claim) => JsonMember.Text(token.Claims, "x-assay-gpu-binding") is "boot-event" ? ValueOf(token, "BOOT-0", claim) : null;

    private static string[] Texts(JsonElement claims, string name) => [.. claims.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];

    // The keys of which a token says something; every other has no value, so a condition on it does not hold.
    private static ImmutableArray<string> ValuesOf(ConditionKey key, VerifiedEat token)
    {
        string?[] EachGpu(string claim) => [.. Parts(token, "GPU-").Select(device => JsonMember.Text(device, claim))];
        string?[] values = key.Name switch
        {
            "assay:gpu:count" => [Parts(token, "GPU-").Count().ToString(CultureInfo.InvariantCulture)],
            "assay:gpu:hwmodel" => EachGpu("hwmodel"),
            "assay:gpu:driver-version" => EachGpu("x-nvidia-gpu-driver-version"),
            "assay:gpu:vbios-version" => EachGpu("x-nvidia-gpu-vbios-version"),
            "assay:gpu:measurements" => EachGpu("measres"),
            "assay:binding" => [JsonMember.Text(token.Claims, "x-assay-gpu-binding")],
            "assay:anchors" => [JsonMember.Text(token.Claims, "x-assay-anchors")],
            "assay:platform" => [JsonMember.Text(token.Claims, "x-assay-platform")],
            "assay:cpu:tee" => [ValueOf(token, Processor, "x-assay-tee")],
            "assay:cpu:tcb-status" => [ValueOf(token, Processor, "x-assay-tcb-status")],
            "assay:model" => [OfGate(token, "x-assay-model")],
            "assay:workload" => [OfGate(token, "x-assay-workload")],
            _ => [],
        };
        return values.Any(string.IsNullOrEmpty) ? [] : [.. values.OfType<string>().Distinct(StringComparer.Ordinal)];
    }
}
