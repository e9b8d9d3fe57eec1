using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Verifies detached EAT bundles, ours and NVIDIA's. It reads, then asks for keys, signatures and digests, then what the tokens say;
/// between the three it stops, within each it answers every question. Ids are permanent: docs/tokens.md lists them.
/// </summary>
public static class EatBundleReader
{
    private const string Overall = "overall";
    private const string OverallSubject = "NVIDIA-PLATFORM-ATTESTATION";
    private const string WellFormed = "token.wellformed";
    private const string Signature = "token.signature.valid";

    /// <summary>Seconds for clocks that differ. NVIDIA's verify-token allows the same.</summary>
    private const long Skew = 60;

    /// <summary>The last of the year 9999.</summary>
    private const long LastSecond = 253_402_300_799;

    private static readonly ImmutableArray<Check<Subject>> s_headers =
    [
        new("token.header.known", HeaderIsKnown),
        new("token.algorithm.allowed", AlgorithmIsAllowed),
        new("token.key.known", KeyIsKnown),
        new("token.key.algorithm", AlgorithmIsTheKeys),
    ];

    private static readonly ImmutableArray<Check<Subject>> s_submodules =
    [
        new("token.submodules.complete", SubmodulesAreComplete),
        new("token.submodules.digest", DigestsMatch),
    ];

    private static readonly ImmutableArray<Check<Subject>> s_claims =
    [
        new("token.claims.wellformed", ClaimsAreWellFormed),
        new("token.issuer.same", IssuerIsTheSame),
        new("token.issuer.match", IssuerMatches),
        new("token.audience.match", AudienceMatches),
        new("token.nonce.same", NonceIsTheSame),
        new("token.nonce.match", NonceMatches),
        new("token.clock.plausible", ClockIsPlausible),
        new("token.time.begun", TimeHasBegun),
        new("token.time.not-ended", TimeHasNotEnded),
        new("token.lifetime.limited", LifetimeIsLimited),
        new("token.result.pass", ResultIsPass),
        new("token.weakened.none", NothingIsWeakened),
        new("token.anchors.accepted", AnchorsAreAccepted),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds { get; } =
        [WellFormed, .. s_headers.Select(check => check.Id), Signature, .. s_submodules.Select(check => check.Id), .. s_claims.Select(check => check.Id)];

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
            findings = [Outcome.Failed(fault.ToString()).Named(WellFormed), .. CheckIds.Skip(1).Select(id => Outcome.Stopped("the bundle could not be read").Named(id))];
            return false;
        }

        var subject = new Subject(bundle, keys, expected);
        var answers = ImmutableArray.CreateBuilder<Finding>();
        answers.Add(Outcome.Held($"{bundle.Submodules.Length} submodules").Named(WellFormed));
        answers.AddRange(s_headers.Select(check => check.Ask(subject)));
        answers.Add((AllHold(answers) ? SignaturesAreValid(subject) : Outcome.Stopped("no key that may verify it")).Named(Signature));
        answers.AddRange(s_submodules.Select(check => check.Ask(subject)));
        var authentic = AllHold(answers);
        answers.AddRange(s_claims.Select(check => authentic ? check.Ask(subject) : Outcome.Stopped("what the tokens say is not proven theirs").Named(check.Id)));
        findings = answers.ToImmutable();
        if (!findings.All(finding => finding.State is CheckState.Held or CheckState.NotApplicable || finding.Cause is NotCheckedCause.Waived))
        {
            return false;
        }

        var (_, first) = subject.Tokens[0];
        _ = Nonce.TryParse(StrictJson.Text(first.Payload, "eat_nonce"), out var nonce, out _);
        verified = new VerifiedEatBundle(
            bundle,
            StrictJson.Text(first.Payload, "iss")!,
            nonce!,
            DateTimeOffset.FromUnixTimeSeconds(Date(first, "iat")!.Value),
            DateTimeOffset.FromUnixTimeSeconds(subject.Tokens.Min(token => Date(token.Jws, "exp")!.Value)));
        return true;
    }

    private static bool AllHold(IEnumerable<Finding> findings) => findings.All(finding => finding.State is CheckState.Held);

    private static Outcome HeaderIsKnown(Subject subject) => subject.Each(jws =>
        jws.Header.TryGetProperty("crit", out _) ? "it has a critical header: no extension is understood"
        : jws.Header.EnumerateObject().FirstOrDefault(member => member.Name is not ("alg" or "kid" or "typ")) is { Value.ValueKind: not JsonValueKind.Undefined } other
            ? $"its header has \"{other.Name}\": alg, kid and typ are expected, and a key is never taken from the token itself"
        : jws.Header.TryGetProperty("typ", out var type) && !(type.ValueKind is JsonValueKind.String && type.ValueEquals("JWT")) ? "its typ is not \"JWT\""
        : null);

    private static Outcome AlgorithmIsAllowed(Subject subject) => subject.Each(jws => StrictJson.Text(jws.Header, "alg") switch
    {
        "ES384" or "ES256" => null,
        { } none when none.Equals("none", StringComparison.OrdinalIgnoreCase) => "it is not signed: its algorithm is \"none\"",
        { } symmetric when symmetric.StartsWith("HS", StringComparison.OrdinalIgnoreCase) => "its algorithm is symmetric: whoever can verify it could have made it",
        null => "it names no algorithm",
        { } other => $"its algorithm is \"{Short(other)}\": ES384 or ES256 is expected",
    });

    private static Outcome KeyIsKnown(Subject subject) => subject.Each(jws =>
        StrictJson.Text(jws.Header, "kid") is not { } name ? "it names no key"
        : subject.Keys.Find(name) is null ? $"its key \"{Short(name)}\" is not in the set"
        : null);

    private static Outcome AlgorithmIsTheKeys(Subject subject) =>
        subject.Tokens.Any(token => subject.KeyOf(token.Jws) is null) ? Outcome.Stopped("a key is not known")
        : subject.Each(jws => StrictJson.Text(jws.Header, "alg") != subject.KeyOf(jws)!.AlgorithmName ? $"its algorithm is not that of its key, {subject.KeyOf(jws)!.AlgorithmName}" : null);

    private static Outcome SignaturesAreValid(Subject subject) => subject.Each(jws =>
        subject.KeyOf(jws)!.Verifies(jws.SignedContent, jws.Signature.Span) ? null : "its signature is not its key's");

    private static Outcome SubmodulesAreComplete(Subject subject)
    {
        if (subject.Listed is not { } listed)
        {
            return Outcome.Failed("the overall token lists no submodules under submods: [\"DIGEST\", [algorithm, digest]] for each is expected");
        }

        var present = subject.Bundle.Submodules.Select(submodule => submodule.Key).ToHashSet(StringComparer.Ordinal);
        var missing = listed.Keys.Where(name => !present.Contains(name)).ToArray();
        var surplus = present.Where(name => !listed.ContainsKey(name)).ToArray();
        return missing.Length > 0 ? Outcome.Failed($"{Short(string.Join(", ", missing))} is listed and not in the bundle", Names(present), Names(listed.Keys))
            : surplus.Length > 0 ? Outcome.Failed($"{Short(string.Join(", ", surplus))} is in the bundle and not listed", Names(present), Names(listed.Keys))
            : present.Count == 0 ? Outcome.Failed("there is none: a token about no device proves nothing")
            : Outcome.Held(Names(present));

        static string Names(IEnumerable<string> names) => Short(string.Join(", ", names.Order(StringComparer.Ordinal)));
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
        if (StrictJson.Text(subject.Bundle.Overall.Payload, "sub") is not OverallSubject)
        {
            return Outcome.Failed($"{Overall}: sub is not \"{OverallSubject}\"");
        }

        if (subject.IsOurs && OurClaimWrong(subject.Bundle.Overall.Payload) is { } wrong)
        {
            return Outcome.Failed($"{Overall}: {wrong}");
        }

        return subject.Each(jws =>
            StrictJson.Text(jws.Payload, "iss") is not { Length: > 0 and <= Limits.TokenNameCharacters } ? "iss is missing"
            : Date(jws, "iat") is null || Date(jws, "exp") is null ? "iat and exp are whole seconds"
            : jws.Payload.TryGetProperty("nbf", out _) && Date(jws, "nbf") is null ? "nbf is whole seconds"
            : StrictJson.Text(jws.Payload, "jti") is not { Length: > 0 } ? "jti is missing"
            : !Nonce.TryParse(StrictJson.Text(jws.Payload, "eat_nonce"), out _, out _) ? "eat_nonce is no nonce of 64 hexadecimal digits"
            : Audiences(jws) is null ? "aud is neither a text nor a list of texts"
            : null);
    }

    private static string? OurClaimWrong(JsonElement claims)
    {
        string[] texts = ["x-assay-verdict", "x-assay-freshness", "x-assay-anchors", "x-assay-gpu-binding", "x-assay-evaluated-at", "x-assay-time-source"];
        return texts.FirstOrDefault(name => StrictJson.Text(claims, name) is null) is { } missing ? $"{missing} is missing"
            : Weakened(claims) is null ? "x-assay-weakened is no list of texts"
            : null;
    }

    private static Outcome IssuerIsTheSame(Subject subject) => subject.EachSame("iss", "another issuer's");

    private static Outcome IssuerMatches(Subject subject)
    {
        var found = StrictJson.Text(subject.Bundle.Overall.Payload, "iss") ?? "";
        return subject.Expected.Issuer is not { } expected ? Outcome.Waived("no issuer was asked for: any whose key is in the set is accepted")
            : found == expected ? Outcome.Held(expected)
            : Outcome.Failed("it is another issuer's", Short(found), expected);
    }

    // RFC 7519 §4.1.3: who does not find itself in aud must reject, so a reader without a name takes only tokens without an audience.
    private static Outcome AudienceMatches(Subject subject) => subject.Expected.Audience is { } expected
        ? subject.Each(jws => Audiences(jws) is { } found && found.Contains(expected, StringComparer.Ordinal) ? null : "it is not for this audience", expected)
        : subject.Each(jws => Audiences(jws) is { Length: 0 } ? null : "it is for an audience, and none was given", "for nobody in particular");

    private static Outcome NonceIsTheSame(Subject subject)
    {
        _ = Nonce.TryParse(StrictJson.Text(subject.Bundle.Overall.Payload, "eat_nonce"), out var nonce, out _);
        return subject.Each(jws => Nonce.TryParse(StrictJson.Text(jws.Payload, "eat_nonce"), out var its, out _) && its.Equals(nonce) ? null : "it answers another nonce");
    }

    private static Outcome NonceMatches(Subject subject) => subject.Expected.Nonce is not { } expected
        ? Outcome.Waived("no nonce was asked for: the token may be a replayed one")
        : subject.Each(jws => Nonce.TryParse(StrictJson.Text(jws.Payload, "eat_nonce"), out var its, out _) && its.Equals(expected) ? null : "it answers another nonce than yours");

    private static Outcome ClockIsPlausible(Subject subject) => subject.Expected.Time switch
    {
        { Source: TimeSource.None } => Outcome.Failed("no time was told"),
        { Source: TimeSource.System } time when time.Instant + TimeSpan.FromMinutes(5) < EvaluationTime.ReleaseDate => Outcome.Failed("the clock is behind the release of this software", Text(time.Instant), Text(EvaluationTime.ReleaseDate)),
        { } time => Outcome.Held($"{Text(time.Instant)}, {(time.Source is TimeSource.Stated ? "stated" : "system")}"),
    };

    private static Outcome TimeHasBegun(Subject subject) => subject.Each(jws =>
        Math.Max(Date(jws, "nbf") ?? 0, Date(jws, "iat") ?? LastSecond) is var from && from <= Second(subject.Expected.Time.Instant) + Skew
            ? null : $"it is valid only from {Text(DateTimeOffset.FromUnixTimeSeconds(from))}");

    private static Outcome TimeHasNotEnded(Subject subject) => subject.Each(jws =>
        (Date(jws, "exp") ?? 0) is var end && Second(subject.Expected.Time.Instant) < end + Skew ? null : $"it ended at {Text(DateTimeOffset.FromUnixTimeSeconds(end))}");

    private static Outcome LifetimeIsLimited(Subject subject) => subject.Each(jws =>
        (Date(jws, "exp") ?? LastSecond) - (Date(jws, "iat") ?? 0) is var seconds && seconds > 0 && seconds <= (long)TokenTerms.LongestLifetime.TotalSeconds
            ? null : $"it lives for {seconds} seconds: more than none and at most a day is expected");

    private static Outcome ResultIsPass(Subject subject)
    {
        var claims = subject.Bundle.Overall.Payload;
        if (subject.IsOurs)
        {
            return StrictJson.Text(claims, "x-assay-verdict") is "pass" ? Outcome.Held("pass")
                : Outcome.Failed("the verdict is no pass", Short(StrictJson.Text(claims, "x-assay-verdict") ?? "none"), "pass");
        }

        return claims.TryGetProperty("x-nvidia-overall-att-result", out var result) && result.ValueKind is JsonValueKind.True
            ? Outcome.Held("x-nvidia-overall-att-result is true")
            : Outcome.Failed("x-nvidia-overall-att-result is not true");
    }

    private static Outcome NothingIsWeakened(Subject subject)
    {
        if (!subject.IsOurs)
        {
            return Outcome.NotApplicable("the issuer states no weakenings");
        }

        var claims = subject.Bundle.Overall.Payload;
        string[] all = [.. Weakened(claims) ?? ["unreadable"], .. StrictJson.Text(claims, "x-assay-freshness") is "proven" ? Array.Empty<string>() : ["freshness-not-proven"]];
        return all.Length == 0 ? Outcome.Held()
            : subject.Expected.DangerouslyAcceptWeakened ? Outcome.Waived($"accepted although weakened: {Short(string.Join(", ", all))}")
            : Outcome.Failed("the verdict is weakened", Short(string.Join(", ", all)), "nothing");
    }

    private static Outcome AnchorsAreAccepted(Subject subject)
    {
        if (!subject.IsOurs)
        {
            return Outcome.NotApplicable("the issuer states no anchors");
        }

        var claims = subject.Bundle.Overall.Payload;
        var word = StrictJson.Text(claims, "x-assay-anchors");
        var kind = word switch
        {
            "built-in" => TrustSetKind.BuiltIn,
            "custom" => TrustSetKind.Custom,
            "simulated" => TrustSetKind.Simulated,
            _ => TrustSetKind.None,
        };
        return kind is TrustSetKind.None ? Outcome.Failed("the anchors are of no known kind", Short(word ?? "none"))
            : kind is TrustSetKind.Simulated && !TokenIssuer.IsLoopbackUrl(StrictJson.Text(claims, "iss") ?? "") ? Outcome.Failed("simulated devices under an issuer that is not loopback (S-12)")
            : kind is TrustSetKind.BuiltIn || subject.Expected.OtherAnchors.Contains(kind) ? Outcome.Held(word)
            : Outcome.Failed($"the devices are certified by {word} anchors, which you did not accept by name", word, "built-in");
    }

    private static string[]? Weakened(JsonElement claims) =>
        claims.TryGetProperty("x-assay-weakened", out var list) && list.ValueKind is JsonValueKind.Array && list.EnumerateArray().All(item => item.ValueKind is JsonValueKind.String)
            ? [.. list.EnumerateArray().Select(item => item.GetString()!)] : null;

    // Empty without aud; null when it is malformed.
    private static string[]? Audiences(CompactJws jws) =>
        !jws.Payload.TryGetProperty("aud", out var audience) ? []
        : audience.ValueKind is JsonValueKind.String ? [audience.GetString()!]
        : audience.ValueKind is JsonValueKind.Array && audience.EnumerateArray().All(item => item.ValueKind is JsonValueKind.String) && audience.GetArrayLength() > 0
            ? [.. audience.EnumerateArray().Select(item => item.GetString()!)]
        : null;

    // NumericDate as whole seconds of the years 1970 to 9999: fractions and exponents are spellings that readers disagree about.
    private static long? Date(CompactJws jws, string name)
    {
        return jws.Payload.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out var seconds) && seconds is >= 0 and <= LastSecond ? seconds : null;
    }

    private static long Second(DateTimeOffset time) => time.ToUnixTimeSeconds();

    private static string Text(DateTimeOffset time) => ChainJudge.Text(time);

    private static string Short(string text) => text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "…");

    private sealed record Subject(EatBundle Bundle, JsonWebKeySet Keys, EatExpectations Expected)
    {
        public ImmutableArray<(string Name, CompactJws Jws)> Tokens { get; } = [(Overall, Bundle.Overall), .. Bundle.Submodules.Select(submodule => (submodule.Key, submodule.Value))];

        /// <summary>What the overall token lists; null when it is malformed.</summary>
        public ImmutableSortedDictionary<string, Digest>? Listed { get; } = ReadListed(Bundle.Overall.Payload);

        /// <summary>Whether it carries our claims. NVIDIA's own tokens carry none of them.</summary>
        public bool IsOurs { get; } = Bundle.Overall.Payload.EnumerateObject().Any(member => member.Name.StartsWith("x-assay-", StringComparison.Ordinal));

        public JsonWebKey? KeyOf(CompactJws jws) => StrictJson.Text(jws.Header, "kid") is { } name ? Keys.Find(name) : null;

        /// <summary>The first token that gives a reason fails the check.</summary>
        public Outcome Each(Func<CompactJws, string?> whyNot, string? found = null)
        {
            foreach (var (name, jws) in Tokens)
            {
                if (whyNot(jws) is { } reason)
                {
                    return Outcome.Failed($"{name}: {reason}");
                }
            }

            return Outcome.Held(found);
        }

        public Outcome EachSame(string claim, string problem)
        {
            var first = StrictJson.Text(Bundle.Overall.Payload, claim);
            return Each(jws => StrictJson.Text(jws.Payload, claim) is { } its && its == first ? null : $"it is {problem}", first);
        }

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
