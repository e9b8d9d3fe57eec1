using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Checks;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Verifies what <see cref="EatWriter"/> writes: one compact JWS about a machine. It asks the questions of a bundle under the same ids, without
/// those about other tokens, and those about the form. Ids are permanent: docs/reference/tokens.md lists them.
/// </summary>
public static class EatReader
{
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
            new(Checks.CheckIds.TokenResultPass, TokenChecks.OurResultIsPass),
            .. TokenChecks.Admissions.Select(Check<Subject> (check) => new(check.Id, check.Answer)),
        ]);

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds => s_token.CheckIds;

    /// <summary>Whether a token says that it has this form: which reader to ask. It proves nothing.</summary>
    public static bool IsFor(CompactJws token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return StrictJson.Text(token.Payload, "eat_profile") is EatWriter.Profile;
    }

    /// <summary>Whether the token is one that these keys signed and that meets these expectations.</summary>
    /// <param name="text">The token, as it came, without a line's end.</param>
    /// <param name="keys">The issuer's, from a place that the caller trusts.</param>
    /// <param name="expected">What the caller expects.</param>
    /// <param name="verified">The proof; null when anything did not hold.</param>
    /// <param name="findings">Every check and its answer, in order. None is left out.</param>
    public static bool TryVerify(
        ReadOnlySpan<char> text, JsonWebKeySet keys, EatExpectations expected, [NotNullWhen(true)] out VerifiedEat? verified, out ImmutableArray<Finding> findings)
    {
        verified = s_token.Ask(text, keys, expected, out findings) is { } subject ? new VerifiedEat(subject.Tokens[0].Jws, subject.Nonces.First().Nonce!) : null;
        return verified is not null;
    }

    private static Outcome ProfileIsKnown(Subject subject) => IsFor(subject.Tokens[0].Jws) ? Outcome.Held(EatWriter.Profile)
        : Outcome.Failed("it is not the token of a machine", JwsText.Short(StrictJson.Text(subject.Claims, "eat_profile") ?? "no eat_profile"), EatWriter.Profile);

    private static Outcome SubmodulesAreWellFormed(Subject subject)
    {
        if (!subject.Claims.TryGetProperty("submods", out var list) || list.ValueKind is not JsonValueKind.Object)
        {
            return Outcome.Failed("submods is missing: an object with the claims of each device is expected");
        }

        var names = list.EnumerateObject().Select(member => member.Name).ToArray();
        if (names.Length is 0 or > Limits.Devices)
        {
            return Outcome.Failed($"submods has {names.Length} members: 1 to {Limits.Devices} are expected, and a token about nothing proves nothing");
        }

        foreach (var member in list.EnumerateObject())
        {
            if (!EatBundle.IsName(member.Name))
            {
                return Outcome.Failed($"a name of 1 to {Limits.SubmoduleNameCharacters} letters, digits, - and _ is expected in submods");
            }

            if (member.Value.ValueKind is not JsonValueKind.Object)
            {
                return Outcome.Failed($"{member.Name}: an object is expected");
            }

            if (Subject.NonceOf(member.Value) is null)
            {
                return Outcome.Failed($"{member.Name}: eat_nonce is not a nonce of 64 hexadecimal digits");
            }
        }

        return Outcome.Held(JwsText.Short(string.Join(", ", names)));
    }

    private static Outcome ClaimsAreWellFormed(Subject subject) =>
        (TokenChecks.OurClaimWrong(subject.Claims)
            ?? TokenChecks.TermsWrong(subject.Tokens[0].Jws)
            ?? (StrictJson.Text(subject.Claims, "sub") is not { Length: > 0 and <= Limits.TokenNameCharacters } ? $"sub is not a text of 1 to {Limits.TokenNameCharacters} characters"
                : StrictJson.Text(subject.Claims, "jti") is not { Length: > 0 } ? "jti is missing"
                : Subject.NonceOf(subject.Claims) is null ? "eat_nonce is not a nonce of 64 hexadecimal digits"
                : null)) is { } wrong ? Outcome.Failed(wrong) : Outcome.Held();

    private sealed class Subject(CompactJws jws, JsonWebKeySet keys, EatExpectations expected) : TokenSubject([("token", jws)], keys, expected)
    {
        public override IEnumerable<(string Name, Nonce? Nonce)> Nonces =>
            [("token", NonceOf(Claims)), .. Claims.GetProperty("submods").EnumerateObject().Select(member => (member.Name, NonceOf(member.Value)))];

        public static Nonce? NonceOf(JsonElement claims) => Nonce.TryParse(StrictJson.Text(claims, "eat_nonce"), out var nonce, out _) ? nonce : null;
    }
}

/// <summary>The token of a machine that was verified under a key set and met every expectation. Only <see cref="EatReader.TryVerify"/> makes one.</summary>
public sealed class VerifiedEat : VerifiedToken
{
    internal VerifiedEat(CompactJws jws, Nonce nonce)
        : base(
            StrictJson.Text(jws.Payload, "iss")!,
            nonce,
            DateTimeOffset.FromUnixTimeSeconds(TokenChecks.Date(jws, "iat")!.Value),
            DateTimeOffset.FromUnixTimeSeconds(TokenChecks.Date(jws, "exp")!.Value)) => Claims = jws.Payload;

    /// <inheritdoc/>
    public override JsonElement Claims { get; }

    /// <summary>The claims about each device, the processor and its boot.</summary>
    public override IEnumerable<KeyValuePair<string, JsonElement>> Devices =>
        Claims.GetProperty("submods").EnumerateObject().Select(member => KeyValuePair.Create(member.Name, member.Value));
}
