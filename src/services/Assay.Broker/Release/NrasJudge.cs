using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Assay.Binding;
using Assay.Broker.Keys;
using Assay.Checks;
using Assay.Policy;
using Assay.Sealing.Keys;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Broker.Release;

/// <summary>Whose tokens of NVIDIA's service are believed. Issuer and keys are pinned: neither is fetched.</summary>
public sealed record NrasTerms
{
    /// <summary>The <c>iss</c> of the tokens, in these characters.</summary>
    public required string Issuer { get; init; }

    /// <summary>The keys that may have signed them.</summary>
    public required JsonWebKeySet Keys { get; init; }
}

/// <summary>A token, with the key that its nonce was made of.</summary>
/// <param name="Token">The detached EAT bundle, as NVIDIA's service answered.</param>
/// <param name="Key">The JWK that the answer is to be sealed to.</param>
internal sealed record NrasAnswer(ReadOnlyMemory<byte> Token, ReadOnlyMemory<byte> Key);

/// <summary>
/// Judges a token of NVIDIA's remote service in place of evidence, for GPUs without a CPU TEE. Its <c>eat_nonce</c> must be what GPUs answer to this broker's challenge
/// and to the key that is sealed to (binding 1), so a token that was stolen is sealed to its owner's key. NVIDIA's clock and collateral decided about expiry and
/// revocation (S-13 is waived, under the name <c>nras-token</c>), and nothing shows that a confidential VM is behind it.
/// </summary>
internal static class NrasJudge
{
    private const string NotWhole = "nras.device.result";

    public static Judgement Judge(NrasAnswer answer, NrasTerms terms, CompiledRelease policy, string challenge, EvaluationTime time)
    {
        if (!KeyBinding.TryCreate(challenge, answer.Key.Span, out var binding, out var malformed))
        {
            return new Judgement { Fault = malformed.ToString() };
        }

        // No audience: our own tokens of NVIDIA's form have one (S-20), and NVIDIA's have none.
        var expected = new EatExpectations { Nonce = binding.DeviceNonce(), Issuer = terms.Issuer, Audience = null, Time = time };
        var isVerified = EatBundleReader.TryVerify(answer.Token.Span, terms.Keys, expected, out var verified, out var findings);
        ImmutableArray<string> failed = isVerified ? [.. WhyNot(verified!, policy, time)] : [.. findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
        // A check that neither holds nor fails is no pass.
        failed = failed.IsEmpty && !isVerified ? ["token.wellformed"] : failed;
        var passed = isVerified && failed.IsEmpty;
        ImmutableArray<string> unmet = passed ? policy.Conditions.Unmet(key => ValuesOf(key, verified!)) : [];
        return new Judgement
        {
            Passed = passed,
            Word = passed ? "pass" : "fail",
            Binding = "none",
            Tier = ReleaseTier.NrasToken,
            Anchors = $"issuer {terms.Issuer}",
            Weakened = [ReleaseTier.NrasToken],
            Unaccepted = policy.AcceptsNras ? [] : [ReleaseTier.NrasToken],
            Unmet = unmet,
            Failed = [.. failed, .. unmet],
            Devices = verified?.Devices.Count() ?? 0,
            Recipient = SealingPublicKey.TryParse(answer.Key.Span, out var recipient, out _) ? recipient : null,
        };
    }

    private static IEnumerable<string> WhyNot(VerifiedEatBundle token, CompiledRelease policy, EvaluationTime time)
    {
        var devices = token.Devices.Select(device => device.Value).ToArray();
        if (token.Claims.EnumerateObject().Concat(devices.SelectMany(device => device.EnumerateObject())).Any(claim => claim.Name.StartsWith("x-assay-", StringComparison.Ordinal)))
        {
            yield return "nras.issuer.foreign";
        }

        if (devices.Append(token.Claims).Any(claims => !IsRecent(claims, time)))
        {
            yield return "nras.issued.recent";
        }

        if (devices.Any(device => !IsWhole(device)))
        {
            yield return NotWhole;
        }

        if (devices.Length != policy.Expectations.Document.Gpus)
        {
            yield return "nras.gpus.count";
        }

        if (devices.Select(device => JsonMember.Text(device, "ueid")).Distinct(StringComparer.Ordinal).Count() != devices.Length || devices.Any(device => JsonMember.Text(device, "ueid") is null))
        {
            yield return "nras.devices.distinct";
        }
    }

    private static bool IsRecent(JsonElement claims, EvaluationTime time) =>
        claims.TryGetProperty("iat", out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out var seconds) && seconds is >= 0 and <= 253_402_300_799
        && TokenAge.IsRecent(DateTimeOffset.FromUnixTimeSeconds(seconds), time);

    // NVIDIA's overall result is a formula over these: each is asked here too, so that a formula that changes does not decide.
    private static bool IsWhole(JsonElement device) =>
        JsonMember.Text(device, "measres") is "success" && JsonMember.Text(device, "dbgstat") is "disabled" && IsTrue(device, "secboot")
        && JsonMember.Text(device, "x-nvidia-gpu-driver-version") is not null && IsTrue(device, "x-nvidia-gpu-attestation-report-nonce-match");

    // The keys of which a token says something; every other has no value, so a condition on it does not hold.
    private static ImmutableArray<string> ValuesOf(ConditionKey key, VerifiedEatBundle token)
    {
        var devices = token.Devices.Select(device => device.Value).ToArray();
        string?[] values = key.Name switch
        {
            "assay:gpu:count" => [devices.Length.ToString(CultureInfo.InvariantCulture)],
            "assay:gpu:hwmodel" => [.. devices.Select(device => JsonMember.Text(device, "hwmodel"))],
            "assay:gpu:driver-version" => [.. devices.Select(device => JsonMember.Text(device, "x-nvidia-gpu-driver-version"))],
            "assay:gpu:vbios-version" => [.. devices.Select(device => JsonMember.Text(device, "x-nvidia-gpu-vbios-version"))],
            "assay:gpu:measurements" => [.. devices.Select(device => JsonMember.Text(device, "measres"))],
            "assay:binding" => ["none"],
            _ => [],
        };
        return values.Any(string.IsNullOrEmpty) ? [] : [.. values.OfType<string>().Distinct(StringComparer.Ordinal)];
    }

    private static bool IsTrue(JsonElement claims, string name) => claims.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True;
}
