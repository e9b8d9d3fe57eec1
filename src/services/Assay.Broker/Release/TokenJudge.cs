using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
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

/// <summary>An Assay attestation service whose tokens are believed. Issuer, audience and keys are pinned: none of them is fetched.</summary>
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
/// <c>assay-token</c>), under a policy that the key's own policy names by its digest: other tenants of the service have policies of their own.
/// </summary>
internal static class TokenJudge
{
    private static readonly TimeSpan s_oldest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(1);

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
            return new Judgement { Word = "fail", Binding = "none", Tier = ReleaseTier.AssayToken, Anchors = "issuer unknown", Weakened = [ReleaseTier.AssayToken], Failed = ["assay-token.issuer.known"] };
        }

        var expect = policy.Expectations.Document;
        var expected = new EatExpectations
        {
            Nonce = null,
            Issuer = issuer.Issuer,
            Audience = issuer.Audience,
            Time = time,
            DangerouslyAcceptedWeakenings = expect.AcceptWeakened,
            RequiredBinding = expect.Binding switch { "boot-event" => GpuBinding.BootEvent, "evidence-hash" => GpuBinding.EvidenceHash, _ => GpuBinding.None },
            OtherAnchors = anchors is TrustSetKind.BuiltIn ? [] : [anchors],
        };
        var isVerified = EatReader.TryVerify(answer.Token, issuer.Keys ?? own(), expected, out var verified, out var findings);
        var recipient = isVerified && SealingPublicKey.TryParse(Named(verified!.Claims), out var named, out _) ? named : null;
        ImmutableArray<string> failed = isVerified
            ? [.. WhyNot(verified!.Claims, verified, issuer, policy, time), .. Possession.IsProven(answer.Possession, challenge, recipient, issuer.Audience, key) ? (string[])[] : ["assay-token.possession.proven"]]
            : [.. findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
        // A check that neither holds nor fails is no pass.
        failed = failed.IsEmpty && !isVerified ? ["token.wellformed"] : failed;
        var passed = isVerified && failed.IsEmpty;
        ImmutableArray<string> unmet = passed ? policy.Conditions.Unmet(condition => ValuesOf(condition, verified!)) : [];
        return new Judgement
        {
            Passed = passed,
            Word = passed ? "pass" : "fail",
            Binding = isVerified ? JsonMember.Text(verified!.Claims, "x-assay-gpu-binding") : "none",
            Tier = ReleaseTier.AssayToken,
            Anchors = isVerified ? $"{JsonMember.Text(verified!.Claims, "x-assay-anchors")}, by {issuer.Issuer}" : $"issuer {issuer.Issuer}",
            Weakened = [.. isVerified ? Texts(verified!.Claims, "x-assay-weakened") : [], ReleaseTier.AssayToken],
            Unaccepted = policy.Token is null ? [ReleaseTier.AssayToken] : [],
            Unmet = unmet,
            Failed = [.. failed, .. unmet],
            Tee = isVerified ? ValueOf(verified!, "CPU-0", "x-assay-tee") : null,
            Devices = isVerified ? Named(verified!, "GPU-").Count() + Named(verified!, "SWITCH-").Count() : 0,
            Recipient = passed ? recipient : null,
        };
    }

    private static IEnumerable<string> WhyNot(JsonElement claims, VerifiedEat token, TokenIssuerTerms issuer, CompiledRelease policy, EvaluationTime time)
    {
        var expect = policy.Expectations.Document;
        // The policy of the key names both, so that neither another issuer of this broker's nor another policy of that issuer's will do.
        if (policy.Token is { } wanted && (wanted.Issuer != issuer.Issuer || !wanted.Policies.Contains(JsonMember.Text(claims.GetProperty("x-assay-policy"), "digest") ?? "", StringComparer.Ordinal)))
        {
            yield return "assay-token.policy.named";
        }

        if (!IsRecent(token.IssuedAt, time) || !Utc.TryParse(JsonMember.Text(claims, "x-assay-evaluated-at") ?? "", out var judged) || !IsRecent(judged, time))
        {
            yield return "assay-token.issued.recent";
        }

        if (Named(claims).IsEmpty)
        {
            yield return "assay-token.key.named";
        }

        if (Named(token, "GPU-").Count() != (expect.Gpus ?? 0))
        {
            yield return "assay-token.gpus.count";
        }

        if (expect.Switches is { } switches && Named(token, "SWITCH-").Count() != switches)
        {
            yield return "assay-token.switches.count";
        }

        if (expect.Processor && !Named(token, "CPU-0").Any())
        {
            yield return "assay-token.processor.shown";
        }
    }

    private static bool IsRecent(DateTimeOffset instant, EvaluationTime time) => time.Instant - instant is var age && age <= s_oldest && age >= -s_skew;

    // The key that the processor's statement covers: a service names no other.
    private static ReadOnlySpan<byte> Named(JsonElement claims) => claims.TryGetProperty("tee-pubkey", out var key) && key.ValueKind is JsonValueKind.Object ? Encoding.UTF8.GetBytes(key.GetRawText()) : [];

    private static IEnumerable<JsonElement> Named(VerifiedEat token, string prefix) => token.Devices.Where(device => device.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(device => device.Value);

    private static string? ValueOf(VerifiedEat token, string submodule, string claim) => Named(token, submodule).Select(claims => JsonMember.Text(claims, claim)).FirstOrDefault();

    private static string[] Texts(JsonElement claims, string name) => [.. claims.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];

    // The keys of which a token says something; every other has no value, so a condition on it does not hold.
    private static ImmutableArray<string> ValuesOf(ConditionKey key, VerifiedEat token)
    {
        string?[] EachGpu(string claim) => [.. Named(token, "GPU-").Select(device => JsonMember.Text(device, claim))];
        string?[] values = key.Name switch
        {
            "assay:gpu:count" => [Named(token, "GPU-").Count().ToString(CultureInfo.InvariantCulture)],
            "assay:gpu:hwmodel" => EachGpu("hwmodel"),
            "assay:gpu:driver-version" => EachGpu("x-nvidia-gpu-driver-version"),
            "assay:gpu:vbios-version" => EachGpu("x-nvidia-gpu-vbios-version"),
            "assay:gpu:measurements" => EachGpu("measres"),
            "assay:binding" => [JsonMember.Text(token.Claims, "x-assay-gpu-binding")],
            "assay:anchors" => [JsonMember.Text(token.Claims, "x-assay-anchors")],
            "assay:platform" => [JsonMember.Text(token.Claims, "x-assay-platform")],
            "assay:cpu:tee" => [ValueOf(token, "CPU-0", "x-assay-tee")],
            "assay:cpu:tcb-status" => [ValueOf(token, "CPU-0", "x-assay-tcb-status")],
            "assay:model" => [ValueOf(token, "BOOT-0", "x-assay-model")],
            "assay:workload" => [ValueOf(token, "BOOT-0", "x-assay-workload")],
            _ => [],
        };
        return values.Any(string.IsNullOrEmpty) ? [] : [.. values.OfType<string>().Distinct(StringComparer.Ordinal)];
    }
}
