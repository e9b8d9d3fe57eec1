using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Checks;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Verifies detached EAT bundles, ours and NVIDIA's. It reads, then asks for keys, signatures and digests, then what the tokens say;
/// between the three it stops, within each it answers every question. Ids are permanent: docs/reference/tokens.md lists them.
/// </summary>
public static class EatBundleReader
{
    private const string Overall = "overall";

    private static readonly ImmutableArray<Check<Subject>> s_submodules =
    [
        new(Checks.CheckIds.TokenSubmodulesComplete, SubmodulesAreComplete),
        new(Checks.CheckIds.TokenSubmodulesDigest, DigestsMatch),
    ];

    private static readonly ImmutableArray<Check<Subject>> s_claims =
    [
        new(Checks.CheckIds.TokenClaimsWellformed, ClaimsAreWellFormed),
        new(Checks.CheckIds.TokenIssuerSame, IssuerIsTheSame),
        .. TokenChecks.Parties.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
        .. TokenChecks.Times.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
        new(Checks.CheckIds.TokenResultPass, ResultIsPass),
        .. TokenChecks.Admissions.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds { get; } =
    [
        TokenChecks.WellFormed, .. TokenChecks.Headers.Select(check => check.Id), TokenChecks.Signature,
        .. s_submodules.Select(check => check.Id), .. s_claims.Select(check => check.Id),
    ];

    /// <summary>Whether the bundle is one that these keys signed and that meets these expectations.</summary>
    /// <param name="json">The bundle, as it came.</param>
    /// <param name="keys">The issuer's, from a place that the caller trusts.</param>
    /// <param name="expected">What the caller expects.</param>
    /// <param name="verified">The proof; null when anything did not hold.</param>
    /// <param name="findings">Every check and its answer, in order. None is left out.</param>
    public static bool TryVerify(
        ReadOnlySpan<byte> json, JsonWebKeySet keys, EatExpectations expected, [NotNullWhen(true)] out VerifiedEatBundle? verified, out ImmutableArray<Finding> findings)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(expected);
        verified = null;
        if (!EatBundle.TryParse(json, out var bundle, out var fault))
        {
            findings = [Outcome.Failed(fault.ToString()).Named(TokenChecks.WellFormed), .. CheckIds.Skip(1).Select(id => Outcome.Stopped("the bundle could not be read").Named(id))];
            return false;
        }

        var subject = new Subject(bundle, keys, expected);
        var answers = ImmutableArray.CreateBuilder<Finding>();
        answers.Add(Outcome.Held($"{bundle.Submodules.Length} submodules").Named(TokenChecks.WellFormed));
        answers.AddRange(TokenChecks.AskWhoSigned(subject));
        answers.AddRange(s_submodules.Select(check => check.Ask(subject)));
        var authentic = TokenChecks.AllHold(answers);
        answers.AddRange(s_claims.Select(check => authentic ? check.Ask(subject) : Outcome.Stopped("the tokens' content is not proven to come from their issuer").Named(check.Id)));
        findings = answers.ToImmutable();
        if (!findings.ArePassed())
        {
            return false;
        }

        var (_, first) = subject.Tokens[0];
        _ = Nonce.TryParse(StrictJson.Text(first.Payload, "eat_nonce"), out var nonce, out _);
        verified = new VerifiedEatBundle(
            bundle,
            StrictJson.Text(first.Payload, "iss")!,
            nonce!,
            DateTimeOffset.FromUnixTimeSeconds(TokenChecks.Date(first, "iat")!.Value),
            DateTimeOffset.FromUnixTimeSeconds(subject.Tokens.Min(token => TokenChecks.Date(token.Jws, "exp")!.Value)));
        return true;
    }

    private static Outcome SubmodulesAreComplete(Subject subject)
    {
        if (subject.Listed is not { } listed)
        {
            return Outcome.Failed("the overall token lists no submodules under submods: [\"DIGEST\", [algorithm, digest]] for each is expected");
        }

        var present = subject.Bundle.Submodules.Select(submodule => submodule.Key).ToHashSet(StringComparer.Ordinal);
        var missing = listed.Keys.Where(name => !present.Contains(name)).ToArray();
        var surplus = present.Where(name => !listed.ContainsKey(name)).ToArray();
        return missing.Length > 0 ? Outcome.Failed($"{JwsText.Short(string.Join(", ", missing))} is listed and not in the bundle", Names(present), Names(listed.Keys))
            : surplus.Length > 0 ? Outcome.Failed($"{JwsText.Short(string.Join(", ", surplus))} is in the bundle and not listed", Names(present), Names(listed.Keys))
            : present.Count == 0 ? Outcome.Failed("it has none: a token without devices proves nothing")
            : Outcome.Held(Names(present));

        static string Names(IEnumerable<string> names) => JwsText.Short(string.Join(", ", names.Order(StringComparer.Ordinal)));
    }

    private static Outcome DigestsMatch(Subject subject)
    {
        if (subject.Listed is not { } listed)
        {
            return Outcome.Stopped("no submodules are listed");
        }

        foreach (var (name, jws) in subject.Bundle.Submodules)
        {
            var found = SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(jws.Text));
            if (listed.TryGetValue(name, out var expected) && new Digest(found) != expected)
            {
                return Outcome.Failed($"{name}: it is not the token that the overall one lists", Convert.ToHexStringLower(found), expected.ToString());
            }
        }

        return Outcome.Held();
    }

    private static Outcome ClaimsAreWellFormed(Subject subject)
    {
        // Ours may be about a subject that its issuer names: that it lists the others and says what they do not tells it from them.
        var named = StrictJson.Text(subject.Claims, "sub");
        if (named is not EatParts.OverallSubject && !(subject.IsOurs && named is { Length: > 0 and <= Limits.TokenNameCharacters }))
        {
            return Outcome.Failed($"{Overall}: sub is not {(subject.IsOurs ? $"a text of 1 to {Limits.TokenNameCharacters} characters" : $"\"{EatParts.OverallSubject}\"")}");
        }

        if (subject.IsOurs && TokenChecks.OurClaimWrong(subject.Claims) is { } wrong)
        {
            return Outcome.Failed($"{Overall}: {wrong}");
        }

        return subject.Each(jws => TokenChecks.TermsWrong(jws)
            ?? (StrictJson.Text(jws.Payload, "jti") is not { Length: > 0 } ? "jti is missing"
                : !Nonce.TryParse(StrictJson.Text(jws.Payload, "eat_nonce"), out _, out _) ? "eat_nonce is not a nonce of 64 hexadecimal digits"
                : null));
    }

    private static Outcome IssuerIsTheSame(Subject subject) => subject.Each(
        jws => StrictJson.Text(jws.Payload, "iss") is { } its && its == StrictJson.Text(subject.Claims, "iss") ? null : "it comes from another issuer",
        StrictJson.Text(subject.Claims, "iss"));

    private static Outcome ResultIsPass(Subject subject)
    {
        var claims = subject.Claims;
        if (subject.IsOurs)
        {
            return TokenChecks.OurResultIsPass(subject);
        }

        return claims.TryGetProperty("x-nvidia-overall-att-result", out var result) && result.ValueKind is JsonValueKind.True
            ? Outcome.Held("x-nvidia-overall-att-result is true")
            : Outcome.Failed("x-nvidia-overall-att-result is not true");
    }

    private sealed class Subject(EatBundle bundle, JsonWebKeySet keys, EatExpectations expected)
        : TokenSubject([(Overall, bundle.Overall), .. bundle.Submodules.Select(submodule => (submodule.Key, submodule.Value))], keys, expected)
    {
        public EatBundle Bundle => bundle;

        /// <summary>What the overall token lists; null when it is malformed.</summary>
        public ImmutableSortedDictionary<string, Digest>? Listed { get; } = ReadListed(bundle.Overall.Payload);

        public override IEnumerable<(string Name, Nonce? Nonce)> Nonces => Tokens.Select(token =>
            (token.Name, Nonce.TryParse(StrictJson.Text(token.Jws.Payload, "eat_nonce"), out var nonce, out _) ? nonce : null));

        // NRAS writes "SHA-256", NVIDIA's local verifier "SHA256".
        private static ImmutableSortedDictionary<string, Digest>? ReadListed(JsonElement claims)
        {
            if (!claims.TryGetProperty("submods", out var list) || list.ValueKind is not JsonValueKind.Object)
            {
                return null;
            }

            var listed = ImmutableSortedDictionary.CreateBuilder<string, Digest>(StringComparer.Ordinal);
            foreach (var member in list.EnumerateObject())
            {
                if (member.Value is not { ValueKind: JsonValueKind.Array } entry || entry.GetArrayLength() != 2 || !IsText(entry[0], "DIGEST")
                    || entry[1] is not { ValueKind: JsonValueKind.Array } digest || digest.GetArrayLength() != 2 || !(IsText(digest[0], "SHA-256") || IsText(digest[0], "SHA256"))
                    || digest[1].ValueKind is not JsonValueKind.String || digest[1].GetString() is not { Length: 2 * SHA256.HashSizeInBytes } hex || !Hex.TryDecode(hex, out var bytes))
                {
                    return null;
                }

                listed.Add(member.Name, new Digest(bytes));
            }

            return listed.ToImmutable();
        }

        private static bool IsText(JsonElement element, string text) => element.ValueKind is JsonValueKind.String && element.ValueEquals(text);
    }
}
