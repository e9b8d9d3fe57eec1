using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>
/// Writes a verdict as a token that a cloud exchanges for credentials. It is a bearer credential: anyone who has it, has them. So it is written about a fresh,
/// bound machine in its run phase alone, for one audience, for five minutes at most, and the caller hands it over encrypted to the attested key (S-21).
/// </summary>
public static class CloudTokenWriter
{
    private const string Tags = "https://aws.amazon.com/tags";

    // A verdict is written down when it is reached. This much later, or as much earlier as clocks differ, it is another occasion.
    private static readonly TimeSpan s_oldest = TimeSpan.FromSeconds(CloudLimits.LifetimeSeconds);
    private static readonly TimeSpan s_clocksDiffer = TimeSpan.FromMinutes(1);

    // S-21, in the order in which it is asked.
    private static readonly ImmutableArray<(string Field, Func<Occasion, string?> WhyNot)> s_demands =
    [
        ("x-assay-verdict", occasion => occasion.Verdict.Passed ? null : $"{occasion.Verdict.Word}, expected pass"),
        ("x-assay-freshness", occasion => occasion.Verdict.IsFresh ? null : "not-proven, expected proven: the evidence answers no challenge of this issuer"),
        ("x-assay-freshness", occasion => !occasion.Terms.IsCallersNonce ? null : "caller, expected proven: the nonce is not of this issuer (S-20)"),
        ("x-assay-gpu-binding", occasion => occasion.Verdict.Binding is "boot-event" ? null : $"{occasion.Verdict.Binding}, expected boot-event"),
        ("boot", WhyNotBooted),
        ("tee-pubkey", WhyNoKey),
        ("x-assay-time-source", occasion => occasion.Verdict.Appraisal.Basis.Time.Source is TimeSource.System ? null : $"{occasion.Verdict.TimeSource}, expected system"),
        ("x-assay-evaluated-at", WhyNotNow),
        ("x-assay-anchors", WhyNotAnchors),
        ("x-assay-weakened", occasion => occasion.Profile.NotAccepted(occasion.Verdict) is { IsEmpty: false } all ? $"{string.Join(", ", all)}: the profile accepts {Accepted(occasion.Profile)}" : null),
        (CloudLimits.Audience, occasion => occasion.Terms.Audience is null || occasion.Terms.Audience == occasion.Profile.Audience ? null : "the terms name another audience than the profile, and a token for a cloud has one"),
        (CloudLimits.Subject, occasion => occasion.Terms.Subject is null ? null : "the terms name a subject, which the profile's template makes"),
    ];

    /// <summary>One compact JWS. It names neither the devices nor the key of the machine.</summary>
    /// <param name="verdict">Reached just now, about a challenge of this issuer.</param>
    /// <param name="profile">Of the audience that was asked for.</param>
    /// <param name="terms">Issuer, times and policy; the audience is the profile's.</param>
    /// <param name="key">Of an algorithm that the cloud takes.</param>
    /// <param name="random">For <c>jti</c>.</param>
    /// <param name="token">The token.</param>
    /// <param name="fault">What about verdict, terms or key S-21 or the cloud does not allow.</param>
    public static bool TryWrite(
        Verdict verdict, CloudProfile profile, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out string? token, [NotNullWhen(false)] out ParseFault? fault)
    {
        token = null;
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        ArgumentNullException.ThrowIfNull(profile);
        fault = WhyNot(new Occasion(verdict, profile, terms)) ?? WhyNotTerms(profile.Cloud, terms, key.PublicKey.AlgorithmName);
        if (fault is not null || !profile.TrySubject(verdict, terms, out var subject, out fault) || (fault = WhyNotAttributes(verdict, profile, terms, subject)) is not null)
        {
            return false;
        }

        var written = CompactJws.Write(key, Claims(verdict, profile, terms, subject, random).ToJson());
        fault = CloudLimits.Find(profile.Cloud, CloudLimits.Token)?.OfCount(written.Length);
        token = fault is null ? written : null;
        return token is not null;
    }

    /// <summary>What of the cloud's limits issuer, lifetime or algorithm exceed.</summary>
    internal static ParseFault? WhyNotTerms(CloudKind cloud, TokenTerms terms, string algorithm) =>
        WhyNotIssuer(cloud, terms.Issuer)
        ?? CloudLimits.Of(cloud, CloudLimits.Lifetime).OfCount((long)terms.Lifetime.TotalSeconds)
        ?? CloudLimits.Of(cloud, CloudLimits.Algorithm).OfWord(algorithm);

    /// <summary>Why a cloud does not take an issuer. It is compared as text with what the discovery document says, to whose address a slash would be added.</summary>
    internal static ParseFault? WhyNotIssuer(CloudKind cloud, TokenIssuer issuer) =>
        CloudLimits.Find(cloud, CloudLimits.Issuer)?.OfText($"{issuer}")
        ?? ($"{issuer}".EndsWith('/') ? new ParseFault(CloudLimits.Issuer, 0, "found a slash at its end, none is expected: tokens and the discovery document name it in the same characters")
            : cloud is CloudKind.Aws && !issuer.IsLoopback && !new Uri($"{issuer}").IsDefaultPort ? new ParseFault(CloudLimits.Issuer, 0, $"AWS takes no port in an issuer, found {new Uri($"{issuer}").Port}")
            : null);

    // What the cloud makes of the attributes, before it sees them.
    internal static ParseFault? WhyNotAttributes(Verdict verdict, CloudProfile profile, TokenTerms terms, string subject)
    {
        var mapped = Encoding.UTF8.GetByteCount(subject);
        foreach (var attribute in profile.Terms.Attributes)
        {
            if (CloudClaim.Find(attribute.Claim)!.Of(verdict, terms) is not { } value)
            {
                return new ParseFault(CloudLimits.Attribute, 0, $"{attribute.Name} is to have the claim {attribute.Claim}, and the machine has none");
            }

            if (CloudLimits.Find(profile.Cloud, CloudLimits.Value)?.OfText(value) is { } fault)
            {
                return new ParseFault($"{fault.Field} {attribute.Name}", 0, fault.Problem);
            }

            mapped += attribute.Name.Length + Encoding.UTF8.GetByteCount(value);
        }

        return CloudLimits.Find(profile.Cloud, CloudLimits.Mapped)?.OfCount(mapped);
    }

    private static ClaimSet Claims(Verdict verdict, CloudProfile profile, TokenTerms terms, string subject, RandomSource random)
    {
        var claims = new ClaimSet().AddTerms(terms with { Audience = profile.Audience }, random).AddVerdict(verdict, terms.Attribution).Add("sub", subject);
        foreach (var claim in CloudClaim.All)
        {
            if (claim.Of(verdict, terms) is { } value)
            {
                claims.Add(claim.Name, value);
            }
        }

        return profile is { Cloud: CloudKind.Aws, Terms.Attributes.IsEmpty: false } ? AddTags(claims, verdict, profile, terms) : claims;
    }

    private static ClaimSet AddTags(ClaimSet claims, Verdict verdict, CloudProfile profile, TokenTerms terms) => claims.With(Tags, writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartObject("principal_tags");
        foreach (var attribute in profile.Terms.Attributes)
        {
            writer.WriteStartArray(attribute.Name);
            writer.WriteStringValue(CloudClaim.Find(attribute.Claim)!.Of(verdict, terms));
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
        writer.WriteStartArray("transitive_tag_keys");
        foreach (var attribute in profile.Terms.Attributes.Where(attribute => attribute.IsTransitive))
        {
            writer.WriteStringValue(attribute.Name);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static ParseFault? WhyNot(Occasion occasion)
    {
        foreach (var (field, whyNot) in s_demands)
        {
            if (whyNot(occasion) is { } problem)
            {
                return new ParseFault(field, 0, $"{problem} (S-21)");
            }
        }

        return null;
    }

    // Keys of the boot phase are fetched from a broker, by policies that ask for it. A cloud knows no phases (S-4).
    private static string? WhyNotBooted(Occasion occasion) => occasion.Verdict.Machine?.Parts.Boot switch
    {
        { CarriesBootEvent: true, Record: { Phase: BootPhase.Run, IsSound: true, HasBoundary: true } } => null,
        { Record.Phase: BootPhase.Boot } => "a boot-phase log, expected one with exactly one system-ready",
        _ => "no boot log of the run phase, expected one with exactly one system-ready",
    };

    private static string? WhyNoKey(Occasion occasion) =>
        occasion.Verdict.Machine is { Parts.Key: not null } machine && machine.Findings.Holds(CheckIds.BindingCpuDevices) ? null : "no attested key, to which the token would be handed over";

    private static string? WhyNotNow(Occasion occasion)
    {
        var age = occasion.Terms.IssuedAt - occasion.Verdict.Appraisal.Basis.Time.Instant;
        return age > s_oldest || age < -s_clocksDiffer ? string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0} seconds before the token, expected {-s_clocksDiffer.TotalSeconds:0} to {s_oldest.TotalSeconds:0}") : null;
    }

    private static string? WhyNotAnchors(Occasion occasion) => occasion.Verdict.Appraisal.Basis.Trust.Kind switch
    {
        TrustSetKind.BuiltIn => null,
        TrustSetKind.Simulated => occasion.Terms.Issuer.IsLoopback ? null : "simulated under a public issuer, expected a loopback one, for example http://127.0.0.1 (S-12)",
        _ => $"{occasion.Verdict.Anchors}, expected built-in",
    };

    private static string Accepted(CloudProfile profile) => profile.Terms.DangerouslyAcceptedWeakenings is { IsEmpty: false } names ? string.Join(", ", names) : "none";

    private sealed record Occasion(Verdict Verdict, CloudProfile Profile, TokenTerms Terms);
}
