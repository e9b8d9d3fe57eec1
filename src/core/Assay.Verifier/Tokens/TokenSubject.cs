using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>Signed tokens under a key set, with what their reader expects.</summary>
internal abstract class TokenSubject(ImmutableArray<(string Name, CompactJws Jws)> tokens, JsonWebKeySet keys, EatExpectations expected)
{
    private readonly Dictionary<CompactJws, JsonWebKey?> _keys = new(ReferenceEqualityComparer.Instance);

    /// <summary>Every signed token; the first speaks about all devices together.</summary>
    public ImmutableArray<(string Name, CompactJws Jws)> Tokens => tokens;

    public JsonWebKeySet Keys => keys;

    public EatExpectations Expected => expected;

    /// <summary>What the first token says.</summary>
    public JsonElement Claims => tokens[0].Jws.Payload;

    /// <summary>Whether it carries our claims. Tokens of others carry none of them.</summary>
    public bool IsOurs { get; } = tokens[0].Jws.Payload.EnumerateObject().Any(member => member.Name.StartsWith("x-assay-", StringComparison.Ordinal));

    /// <summary>Every statement of a nonce, by the name of what makes it; null where there is none that can be read.</summary>
    public abstract IEnumerable<(string Name, Nonce? Nonce)> Nonces { get; }

    /// <summary>
    /// The key of the set that a token is verified with: the one that its header names; without a name the one that its header shows, as Trustee writes it;
    /// without either the one that made the signature. A key comes from the set alone: what a header shows is compared, and never used.
    /// </summary>
    public JsonWebKey? KeyOf(CompactJws jws)
    {
        // Several checks ask, and without a name each answer costs a verification for every key.
        if (!_keys.TryGetValue(jws, out var key))
        {
            _keys.Add(jws, key = FindKeyOf(jws));
        }

        return key;
    }

    private JsonWebKey? FindKeyOf(CompactJws jws) =>
        StrictJson.Text(jws.Header, "kid") is { } name ? keys.Find(name)
        : jws.Header.TryGetProperty("kid", out _) ? null
        : jws.Header.TryGetProperty("jwk", out var shown) ? JsonWebKeySet.ThumbprintOf(shown) is { } thumbprint ? keys.Keys.FirstOrDefault(key => key.Thumbprint == thumbprint) : null
        : keys.Keys.FirstOrDefault(key => key.AlgorithmName == StrictJson.Text(jws.Header, "alg") && key.Verifies(jws.SignedContent, jws.Signature.Span));

    /// <summary>The first token that gives a reason fails the check.</summary>
    public Outcome Each(Func<CompactJws, string?> whyNot, string? found = null)
    {
        foreach (var (name, jws) in tokens)
        {
            if (whyNot(jws) is { } reason)
            {
                return Outcome.Failed($"{name}: {reason}");
            }
        }

        return Outcome.Held(found);
    }

    /// <summary>Every nonce that is stated is this one.</summary>
    public Outcome EachAnswers(Nonce? expected, string problem) =>
        Nonces.Where(stated => stated.Nonce is null || !stated.Nonce.Equals(expected)).Select(stated => stated.Name).FirstOrDefault() is { } name
            ? Outcome.Failed($"{name}: {problem}") : Outcome.Held();
}

/// <summary>The questions that readers of every form of token ask. Ids are permanent: docs/reference/tokens.md lists them.</summary>
internal static class TokenChecks
{
    public const string WellFormed = CheckIds.TokenWellformed;
    public const string Signature = CheckIds.TokenSignatureValid;

    /// <summary>Seconds for clocks that differ. NVIDIA's verify-token allows the same.</summary>
    private const long Skew = 60;

    /// <summary>The last of the year 9999.</summary>
    private const long LastSecond = 253_402_300_799;

    public static ImmutableArray<Check<TokenSubject>> Headers { get; } =
    [
        new(CheckIds.TokenHeaderKnown, HeaderIsKnown),
        new(CheckIds.TokenAlgorithmAllowed, AlgorithmIsAllowed),
        new(CheckIds.TokenKeyKnown, KeyIsKnown),
        new(CheckIds.TokenKeyAlgorithm, AlgorithmIsTheKeys),
    ];

    /// <summary>Whom a token is from and for, and what it answers.</summary>
    public static ImmutableArray<Check<TokenSubject>> Parties { get; } =
    [
        new(CheckIds.TokenIssuerMatch, IssuerMatches),
        new(CheckIds.TokenAudienceMatch, AudienceMatches),
        new(CheckIds.TokenNonceSame, NonceIsTheSame),
        new(CheckIds.TokenNonceMatch, NonceMatches),
        new(CheckIds.TokenTeePubkeyMatch, KeyMatches),
    ];

    /// <summary>When a token is valid.</summary>
    public static ImmutableArray<Check<TokenSubject>> Times { get; } =
    [
        new(CheckIds.TokenClockPlausible, ClockIsPlausible),
        new(CheckIds.TokenTimeBegun, TimeHasBegun),
        new(CheckIds.TokenTimeNotEnded, TimeHasNotEnded),
        new(CheckIds.TokenLifetimeLimited, LifetimeIsLimited),
    ];

    /// <summary>What our own claims admit.</summary>
    public static ImmutableArray<Check<TokenSubject>> Admissions { get; } =
    [
        new(CheckIds.TokenBindingMet, BindingIsMet),
        new(CheckIds.TokenWeakenedNone, NothingIsWeakened),
        new(CheckIds.TokenAnchorsAccepted, AnchorsAreAccepted),
    ];

    /// <summary>Headers and keys, then signatures: asked only where the headers hold.</summary>
    public static ImmutableArray<Finding> AskWhoSigned(TokenSubject subject)
    {
        ImmutableArray<Finding> headers = [.. Headers.Select(check => check.Ask(subject))];
        return [.. headers, (AllHold(headers) ? SignaturesAreValid(subject) : Outcome.Stopped("no key that may verify it")).Named(Signature)];
    }

    public static bool AllHold(IEnumerable<Finding> findings) => findings.All(finding => finding.State is CheckState.Held);

    private static Outcome HeaderIsKnown(TokenSubject subject) => subject.Each(jws =>
        jws.Header.TryGetProperty("crit", out _) ? "it has a critical header: extensions are not supported"
        : jws.Header.EnumerateObject().FirstOrDefault(member => member.Name is not ("alg" or "kid" or "typ" or "jwk")) is { Value.ValueKind: not JsonValueKind.Undefined } other
            ? $"its header has \"{other.Name}\": alg, kid, typ and jwk are expected, and a key is never taken from the token itself"
        : jws.Header.TryGetProperty("jwk", out var shown) && jws.Header.TryGetProperty("kid", out _) && JsonWebKeySet.ThumbprintOf(shown) != subject.KeyOf(jws)?.Thumbprint
            ? "its header carries a different key than it names; keys are never taken from the token itself"
        : jws.Header.TryGetProperty("typ", out var type) && !(type.ValueKind is JsonValueKind.String && type.ValueEquals("JWT")) ? "its typ is not \"JWT\""
        : null);

    private static Outcome AlgorithmIsAllowed(TokenSubject subject) => subject.Each(jws => JwsText.WhyAlgorithmIsRefused(jws.Header));

    private static Outcome KeyIsKnown(TokenSubject subject) => subject.Each(jws =>
        subject.KeyOf(jws) is not null ? null
        : StrictJson.Text(jws.Header, "kid") is { } name ? $"its key \"{JwsText.Short(name)}\" is not in the set"
        : jws.Header.TryGetProperty("kid", out _) ? "its kid is not text"
        : jws.Header.TryGetProperty("jwk", out _) ? "the key in its header is not in the set; keys are never taken from the token itself"
        : "it names no key, and no key in the set verifies its signature");

    private static Outcome AlgorithmIsTheKeys(TokenSubject subject) =>
        subject.Tokens.Any(token => subject.KeyOf(token.Jws) is null) ? Outcome.Stopped("a key is not known")
        : subject.Each(jws => StrictJson.Text(jws.Header, "alg") != subject.KeyOf(jws)!.AlgorithmName ? $"its algorithm is not that of its key, {subject.KeyOf(jws)!.AlgorithmName}" : null);

    private static Outcome SignaturesAreValid(TokenSubject subject) => subject.Each(jws =>
        subject.KeyOf(jws)!.Verifies(jws.SignedContent, jws.Signature.Span) ? null : "its signature does not verify under its key");

    /// <summary>Why iss, iat, exp, nbf or aud has another type than it must have; null when none has.</summary>
    public static string? TermsWrong(CompactJws jws) =>
        StrictJson.Text(jws.Payload, "iss") is not { Length: > 0 and <= Limits.TokenNameCharacters } ? "iss is missing"
        : Date(jws, "iat") is null || Date(jws, "exp") is null ? "iat and exp are whole seconds"
        : jws.Payload.TryGetProperty("nbf", out _) && Date(jws, "nbf") is null ? "nbf is whole seconds"
        : Audiences(jws) is null ? "aud is neither a string nor an array of strings"
        : null;

    public static string? OurClaimWrong(JsonElement claims)
    {
        string[] texts = ["x-assay-verdict", "x-assay-freshness", "x-assay-anchors", "x-assay-gpu-binding", "x-assay-evaluated-at", "x-assay-time-source"];
        return texts.FirstOrDefault(name => StrictJson.Text(claims, name) is null) is { } missing ? $"{missing} is missing"
            : Weakened(claims) is null ? "x-assay-weakened is not an array of strings"
            : null;
    }

    /// <summary>Whether our verdict is a pass. Asked of tokens with our claims alone.</summary>
    public static Outcome OurResultIsPass(TokenSubject subject)
    {
        var verdict = StrictJson.Text(subject.Claims, "x-assay-verdict");
        return verdict is "pass" ? Outcome.Held(verdict) : Outcome.Failed("the verdict is not a pass", JwsText.Short(verdict ?? "none"), "pass");
    }

    private static Outcome IssuerMatches(TokenSubject subject)
    {
        var found = StrictJson.Text(subject.Claims, "iss") ?? "";
        return subject.Expected.Issuer is not { } expected ? Outcome.Waived("no issuer was required: any issuer with a key in the set is accepted")
            : found == expected ? Outcome.Held(expected)
            : Outcome.Failed("it comes from another issuer", JwsText.Short(found), expected);
    }

    // RFC 7519 §4.1.3: who does not find itself in aud must reject, so a reader without a name takes only tokens without an audience.
    private static Outcome AudienceMatches(TokenSubject subject) => subject.Expected.Audience is { } expected
        ? subject.Each(jws => Audiences(jws) is { } found && found.Contains(expected, StringComparer.Ordinal) ? null : "it is not for this audience", expected)
        : subject.Each(jws => Audiences(jws) is { Length: 0 } ? null : "it is for an audience, but no audience was given", "no audience");

    private static Outcome NonceIsTheSame(TokenSubject subject) => subject.EachAnswers(subject.Nonces.First().Nonce, "it answers a different nonce");

    // Where both are given both are asked: neither stands in for the other.
    private static Outcome NonceMatches(TokenSubject subject)
    {
        Nonce[] expected = [.. new[] { subject.Expected.Nonce, subject.Expected.Key?.DeviceNonce() }.OfType<Nonce>()];
        var answers = expected.Select(nonce => subject.EachAnswers(nonce, "it answers a different nonce than yours")).ToArray();
        return answers.Length == 0 ? Outcome.Waived("no nonce was given: the token may be a replay")
            : answers.FirstOrDefault(answer => answer.State is not CheckState.Held, answers[0]);
    }

    // Canonical text against canonical text: a key with another alg or kid is another statement. Ours names a key only if a processor's
    // statement covers it (S-1).
    private static Outcome KeyMatches(TokenSubject subject)
    {
        if (subject.Expected.Key is not { } key)
        {
            return Outcome.NotApplicable("no key is required");
        }

        var named = subject.Claims.TryGetProperty("tee-pubkey", out var claim) && claim.ValueKind is JsonValueKind.Object ? Encoding.UTF8.GetString(CanonicalJson.Write(claim)) : null;
        return named is null ? Outcome.Failed("the token names no key: no processor evidence covered one", "none", key.Jwk)
            : named == key.Jwk ? Outcome.Held(key.Thumbprint)
            : Outcome.Failed("the token is about a different key than yours: another machine was judged", JwsText.Short(named), key.Jwk);
    }

    private static Outcome ClockIsPlausible(TokenSubject subject) => subject.Expected.Time.IsPlausible();

    private static Outcome TimeHasBegun(TokenSubject subject) => subject.Each(jws =>
        Math.Max(Date(jws, "nbf") ?? 0, Date(jws, "iat") ?? LastSecond) is var from && from <= Second(subject.Expected.Time.Instant) + Skew
            ? null : $"it is valid only from {Utc.Text(DateTimeOffset.FromUnixTimeSeconds(from))}");

    private static Outcome TimeHasNotEnded(TokenSubject subject) => subject.Each(jws =>
        (Date(jws, "exp") ?? 0) is var end && Second(subject.Expected.Time.Instant) < end + Skew ? null : $"it ended at {Utc.Text(DateTimeOffset.FromUnixTimeSeconds(end))}");

    private static Outcome LifetimeIsLimited(TokenSubject subject) => subject.Each(jws =>
        (Date(jws, "exp") ?? LastSecond) - (Date(jws, "iat") ?? 0) is var seconds && seconds > 0 && seconds <= (long)TokenTerms.LongestLifetime.TotalSeconds
            ? null : $"its lifetime is {seconds} seconds: 1 second to 1 day is expected");

    /// <summary>Whether our claims say that nothing was waived and freshness is proven; what was not appraised at all does not count.</summary>
    public static bool IsUnweakened(JsonElement claims) => Checks.Weakening.BeyondScope(Weakenings(claims)).Length == 0;

    private static Outcome BindingIsMet(TokenSubject subject)
    {
        if (subject.Expected.RequiredBinding is GpuBinding.None)
        {
            return Outcome.NotApplicable("no binding of devices to a confidential VM is required");
        }

        var wanted = MachineJudgement.Word(subject.Expected.RequiredBinding);
        var word = subject.IsOurs ? StrictJson.Text(subject.Claims, "x-assay-gpu-binding") : null;
        var found = word switch { "boot-event" => GpuBinding.BootEvent, "evidence-hash" => GpuBinding.EvidenceHash, _ => GpuBinding.None };
        return found >= subject.Expected.RequiredBinding ? Outcome.Held(word)
            : Outcome.Failed("the devices are bound to a confidential VM less strongly than you require", subject.IsOurs ? JwsText.Short(word ?? "none") : "not stated by this issuer", wanted);
    }

    private static Outcome NothingIsWeakened(TokenSubject subject)
    {
        if (!subject.IsOurs)
        {
            return Outcome.NotApplicable("the issuer states no weakenings");
        }

        var accepted = subject.Expected.DangerouslyAcceptedWeakenings;
        var stated = Weakenings(subject.Claims);
        string[] all = [.. stated.Where(name => accepted.IsDefault || !accepted.Contains(name))];
        return all.Length == 0 && stated.Length > 0 ? Outcome.Waived($"accepted by name although weakened: {JwsText.Short(string.Join(", ", stated))}")
            : all.Length == 0 ? Outcome.Held()
            : subject.Expected.DangerouslyAcceptWeakened ? Outcome.Waived($"accepted although weakened: {JwsText.Short(string.Join(", ", all))}")
            : Outcome.Failed("the verdict is weakened", JwsText.Short(string.Join(", ", all)), "nothing");
    }

    private static Outcome AnchorsAreAccepted(TokenSubject subject)
    {
        if (!subject.IsOurs)
        {
            return Outcome.NotApplicable("the issuer states no anchors");
        }

        var claims = subject.Claims;
        var word = StrictJson.Text(claims, "x-assay-anchors");
        var kind = word switch
        {
            "built-in" => TrustSetKind.BuiltIn,
            "custom" => TrustSetKind.Custom,
            "simulated" => TrustSetKind.Simulated,
            _ => TrustSetKind.None,
        };
        return kind is TrustSetKind.None ? Outcome.Failed("the kind of anchors is unknown", JwsText.Short(word ?? "none"))
            : kind is TrustSetKind.Simulated && !TokenIssuer.IsLoopbackUrl(StrictJson.Text(claims, "iss") ?? "") ? Outcome.Failed("simulated devices under an issuer that is not loopback (S-12)")
            : kind is TrustSetKind.BuiltIn || subject.Expected.OtherAnchors.Contains(kind) ? Outcome.Held(word)
            : Outcome.Failed($"the devices are certified by {word} anchors, which you did not accept by name", word, "built-in");
    }

    private static string[] Weakenings(JsonElement claims) =>
        [.. Weakened(claims) ?? ["unreadable"], .. StrictJson.Text(claims, "x-assay-freshness") is "proven" ? Array.Empty<string>() : [Checks.Weakening.FreshnessNotProven.Name]];

    private static string[]? Weakened(JsonElement claims) =>
        claims.TryGetProperty("x-assay-weakened", out var list) && list.ValueKind is JsonValueKind.Array && list.EnumerateArray().All(item => item.ValueKind is JsonValueKind.String)
            ? [.. list.EnumerateArray().Select(item => item.GetString()!)] : null;

    // Empty without aud; null when it is malformed.
    public static string[]? Audiences(CompactJws jws) =>
        !jws.Payload.TryGetProperty("aud", out var audience) ? []
        : audience.ValueKind is JsonValueKind.String ? [audience.GetString()!]
        : audience.ValueKind is JsonValueKind.Array && audience.EnumerateArray().All(item => item.ValueKind is JsonValueKind.String) && audience.GetArrayLength() > 0
            ? [.. audience.EnumerateArray().Select(item => item.GetString()!)]
        : null;

    // NumericDate as whole seconds of the years 1970 to 9999: fractions and exponents are spellings that readers disagree about.
    public static long? Date(CompactJws jws, string name)
    {
        return jws.Payload.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out var seconds) && seconds is >= 0 and <= LastSecond ? seconds : null;
    }

    private static long Second(DateTimeOffset time) => time.ToUnixTimeSeconds();
}
