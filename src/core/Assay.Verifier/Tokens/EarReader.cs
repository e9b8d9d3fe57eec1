using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Checks;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Verifies EAT Attestation Results in NVIDIA's form and in Trustee's: one compact JWS, signed by a key that its header names. It reads,
/// then asks for key and signature, then what form it has, then what it says; between these it stops, within each it answers every
/// question. Only an affirming result is accepted. Ids are permanent: docs/reference/tokens.md lists them.
/// </summary>
public static class EarReader
{
    private const string Affirming = "affirming";

    private static readonly SingleToken<Subject> s_token = new(
        (jws, keys, expected) => new Subject(jws, keys, expected),
        [
            new(Checks.CheckIds.TokenProfileKnown, ProfileIsKnown),
            new(Checks.CheckIds.TokenSubmodulesWellformed, SubmodulesAreWellFormed),
        ],
        [
            new(Checks.CheckIds.TokenClaimsWellformed, ClaimsAreWellFormed),
            .. TokenChecks.Parties.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
            .. TokenChecks.Times.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
            new(Checks.CheckIds.TokenStatusAffirming, StatusIsAffirming),
            new(Checks.CheckIds.TokenStatusConsistent, StatusIsConsistent),
            new(Checks.CheckIds.TokenResultPass, ResultIsPass),
            .. TokenChecks.Admissions.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
        ]);

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds => s_token.CheckIds;

    /// <summary>Whether the token is one that these keys signed, that affirms every device, and that meets these expectations.</summary>
    /// <param name="text">The token, as it came, without a line's end.</param>
    /// <param name="keys">The issuer's, from a place that the caller trusts.</param>
    /// <param name="expected">What the caller expects.</param>
    /// <param name="verified">The proof; null when anything did not hold.</param>
    /// <param name="findings">Every check and its answer, in order. None is left out.</param>
    public static bool TryVerify(
        ReadOnlySpan<char> text, JsonWebKeySet keys, EatExpectations expected, [NotNullWhen(true)] out VerifiedEar? verified, out ImmutableArray<Finding> findings)
    {
        verified = null;
        if (s_token.Ask(text, keys, expected, out findings) is not { } subject)
        {
            return false;
        }

        var jws = subject.Tokens[0].Jws;
        verified = new VerifiedEar(
            subject.Form,
            jws.Payload,
            [.. subject.Submodules.Select(submodule => KeyValuePair.Create(submodule.Name, subject.Form.DeviceClaims(submodule.Value)))],
            StrictJson.Text(jws.Payload, "iss")!,
            subject.Nonces.First().Nonce!,
            DateTimeOffset.FromUnixTimeSeconds(TokenChecks.Date(jws, "iat")!.Value),
            DateTimeOffset.FromUnixTimeSeconds(TokenChecks.Date(jws, "exp")!.Value));
        return true;
    }

    private static Outcome ProfileIsKnown(Subject subject) => subject.Form is not EarForm.None
        ? Outcome.Held(StrictJson.Text(subject.Claims, "eat_profile"))
        : Outcome.Failed(
            "it is an attestation result of an unknown form; verify the tokens of a bundle together, as a bundle",
            JwsText.Short(StrictJson.Text(subject.Claims, "eat_profile") ?? "no eat_profile"), $"{NvidiaEar.CompositeProfile} or {TrusteeEar.Profile}");

    private static Outcome SubmodulesAreWellFormed(Subject subject)
    {
        if (subject.Form is EarForm.None)
        {
            return Outcome.Stopped("its form is not known");
        }

        if (!subject.Claims.TryGetProperty("submods", out var list) || list.ValueKind is not JsonValueKind.Object)
        {
            return Outcome.Failed("submods is missing: an object with one result for each device is expected");
        }

        var names = list.EnumerateObject().Select(member => member.Name).ToArray();
        if (names.Length is 0 or > Limits.Devices)
        {
            return Outcome.Failed($"submods has {names.Length} devices: 1 to {Limits.Devices} are expected, and a token without devices proves nothing");
        }

        foreach (var member in list.EnumerateObject())
        {
            if (!EatBundle.IsName(member.Name))
            {
                return Outcome.Failed($"a name of 1 to {Limits.SubmoduleNameCharacters} letters, digits, - and _ is expected in submods");
            }

            if (subject.Form.SubmoduleWrong(member.Value) is { } wrong)
            {
                return Outcome.Failed($"{member.Name}: {wrong}");
            }
        }

        return Outcome.Held(JwsText.Short(string.Join(", ", names)));
    }

    private static Outcome ClaimsAreWellFormed(Subject subject)
    {
        var jws = subject.Tokens[0].Jws;
        var wrong = (subject.IsOurs ? TokenChecks.OurClaimWrong(subject.Claims) : null)
            ?? TokenChecks.TermsWrong(jws)
            // Trustee's own tokens have no jti; NVIDIA's and ours do.
            ?? ((subject.IsOurs || subject.Form is EarForm.Nvidia) && StrictJson.Text(subject.Claims, "jti") is not { Length: > 0 } ? "jti is missing"
                : subject.Form.NonceOf(subject.Claims) is null ? $"eat_nonce is missing, or not a nonce of 32 bytes as {subject.Form.NonceSpelling()}"
                : subject.Form.TopWrong(subject.Claims));
        return wrong is null ? Outcome.Held() : Outcome.Failed(wrong);
    }

    private static Outcome StatusIsAffirming(Subject subject)
    {
        var other = subject.Statuses.FirstOrDefault(entry => entry.Status != Affirming);
        return other.Name is null ? Outcome.Held(Affirming) : Outcome.Failed($"{other.Name}: it is not affirmed", JwsText.Short(other.Status ?? "none"), Affirming);
    }

    // Who reads one member alone must not be told more than who reads all.
    private static Outcome StatusIsConsistent(Subject subject)
    {
        foreach (var (name, submodule) in subject.Submodules)
        {
            if (subject.Form.StatusWrong(submodule) is { } wrong)
            {
                return Outcome.Failed($"{name}: {wrong}");
            }
        }

        var affirms = subject.Statuses.Any(entry => entry.Status == Affirming);
        return subject.Form is EarForm.Nvidia && subject.Statuses.First().Status == Affirming && subject.Statuses.Any(entry => entry.Status != Affirming)
                ? Outcome.Failed("ear_status is better than that of one of its devices")
            : subject.IsOurs && affirms && StrictJson.Text(subject.Claims, "x-assay-verdict") is not "pass" ? Outcome.Failed("it affirms although the verdict is not a pass")
            : subject.IsOurs && affirms && !TokenChecks.IsUnweakened(subject.Claims) ? Outcome.Failed("it affirms although something was waived")
            : Outcome.Held();
    }

    private static Outcome ResultIsPass(Subject subject) =>
        subject.IsOurs ? TokenChecks.OurResultIsPass(subject) : Outcome.NotApplicable("the issuer states no verdict beside the status");

    private sealed class Subject(CompactJws jws, JsonWebKeySet keys, EatExpectations expected) : TokenSubject([("token", jws)], keys, expected)
    {
        public EarForm Form { get; } = EarForms.Of(jws.Payload);

        /// <summary>Asked for only when they are known to be an object.</summary>
        public IEnumerable<(string Name, JsonElement Value)> Submodules => Claims.GetProperty("submods").EnumerateObject().Select(member => (member.Name, member.Value));

        /// <summary>That of all together first, where the form has one.</summary>
        public IEnumerable<(string? Name, string? Status)> Statuses =>
        [
            .. Form is EarForm.Nvidia ? [("token", StrictJson.Text(Claims, Form.StatusName()))] : ImmutableArray<(string?, string?)>.Empty,
            .. Submodules.Select(submodule => (submodule.Name, StrictJson.Text(submodule.Value, Form.StatusName()))),
        ];

        public override IEnumerable<(string Name, Nonce? Nonce)> Nonces =>
            [("token", Form.NonceOf(Claims)), .. Submodules.Where(submodule => Form is not EarForm.Trustee || !EarForms.IsProcessor(submodule.Value)).Select(submodule => (submodule.Name, Form.SubmoduleNonce(submodule.Value)))];
    }
}

/// <summary>
/// An EAR that was verified under a key set and met every expectation: each of its devices is affirmed. Only
/// <see cref="EarReader.TryVerify"/> makes one.
/// </summary>
public sealed class VerifiedEar : VerifiedToken
{
    internal VerifiedEar(
        EarForm form, JsonElement claims, ImmutableArray<KeyValuePair<string, JsonElement>> devices, string issuer, Nonce nonce, DateTimeOffset issuedAt, DateTimeOffset expiresAt)
        : base(issuer, nonce, issuedAt, expiresAt) => (Form, Claims, Devices) = (form, claims, devices);

    /// <summary>Whose form it has.</summary>
    public EarForm Form { get; }

    /// <inheritdoc/>
    public override JsonElement Claims { get; }

    /// <summary>The verifier's claims about each device: <c>ear_verifier_claims</c>, or Trustee's annotated evidence.</summary>
    public override IEnumerable<KeyValuePair<string, JsonElement>> Devices { get; }
}
