using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Checks;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A claim under the name that it has in a cloud: a session tag of AWS, a custom attribute of Google Cloud, metadata of Vault.</summary>
/// <param name="Name">There.</param>
/// <param name="Claim">One of <see cref="CloudClaim.All"/>.</param>
public sealed record CloudMapping(string Name, string Claim)
{
    /// <summary>Of AWS: whether it stays with roles that are assumed from the session.</summary>
    public bool IsTransitive { get; init; }
}

/// <summary>What an operator states about the tokens for one audience. <see cref="CloudProfile.TryCreate"/> makes a profile of it.</summary>
public sealed record CloudProfileTerms
{
    /// <summary>Who takes the tokens.</summary>
    public required CloudKind Cloud { get; init; }

    /// <summary>Their one audience.</summary>
    public required string Audience { get; init; }

    /// <summary>Their subject: text with placeholders of <see cref="CloudClaim.All"/>, of which <c>{policy}</c> is always one.</summary>
    public string Subject { get; init; } = CloudProfile.DefaultSubject;

    /// <summary>What the cloud sees as attributes. Entra sees none.</summary>
    public ImmutableArray<CloudMapping> Attributes { get; init; } = [];

    /// <summary>Weakenings, by their permanent names, with which a verdict is good enough all the same.</summary>
    public ImmutableArray<string> DangerouslyAcceptedWeakenings { get; init; } = [];
}

/// <summary>The tokens for one audience of one cloud, within that cloud's limits.</summary>
public sealed class CloudProfile
{
    /// <summary>The subject where none is stated.</summary>
    public const string DefaultSubject = "gpu:{gpu}:policy:{policy}:{verdict}";

    /// <summary>The audience that AWS's own tools ask for.</summary>
    public const string AwsAudience = "sts.amazonaws.com";

    /// <summary>The audience of Entra's global cloud.</summary>
    public const string EntraAudience = "api://AzureADTokenExchange";

    // Keys of AWS's own begin so.
    private const string Reserved = "aws:";

    // What S-21 demands of a verdict: no profile gives it up by naming the weakening that says it is missing.
    private static readonly ImmutableArray<string> s_never =
    [
        Weakening.NonceNotGiven.Name, Weakening.FreshnessNotProven.Name, Weakening.TimeStated.Name, Weakening.GpuBindingNone.Name, Weakening.GpuBindingEvidenceHash.Name, Weakening.NoCpuTee.Name,
        Weakening.ProcessorNotExpected.Name, Weakening.BootNotExpected.Name, Weakening.BootEventsUnproven.Name, Weakening.ParavisorNotNamed.Name, Weakening.TpmNoNonce.Name, Weakening.TdxNoReportData.Name,
        Weakening.SnpNoReportData.Name, .. Weakening.OfChannelsAlone,
    ];

    private CloudProfile(CloudProfileTerms terms, SubjectTemplate subject) => (Terms, SubjectTemplate) = (terms, subject);

    /// <summary>What it was made of.</summary>
    public CloudProfileTerms Terms { get; }

    /// <summary>Who takes the tokens.</summary>
    public CloudKind Cloud => Terms.Cloud;

    /// <summary>Its word in commands, files and JSON: <c>aws</c>, <c>gcp</c>, <c>azure</c> or <c>vault</c>.</summary>
    public string CloudWord => Cloud.Word();

    /// <summary>Their one audience.</summary>
    public string Audience => Terms.Audience;

    internal SubjectTemplate SubjectTemplate { get; }

    /// <summary>Makes a profile of what an operator states, if the cloud takes it.</summary>
    /// <param name="terms">All of it.</param>
    /// <param name="profile">The profile.</param>
    /// <param name="fault">The first thing that the cloud, or S-21, does not allow: cloud, field, what was found and what is allowed.</param>
    public static bool TryCreate(CloudProfileTerms terms, [NotNullWhen(true)] out CloudProfile? profile, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(terms);
        SubjectTemplate? subject = null;
        fault = terms.Cloud is CloudKind.None or > CloudKind.Vault ? new ParseFault("cloud", 0, "aws, gcp, azure or vault is expected")
            : WhyNotAudience(terms.Cloud, terms.Audience)
                ?? (SubjectTemplate.TryParse(terms.Subject, out subject, out var malformed) ? null : malformed)
                ?? WhyNotAttributes(terms)
                ?? WhyNotWeakenings(terms.DangerouslyAcceptedWeakenings);
        profile = fault is null ? new CloudProfile(terms, subject!) : null;
        return profile is not null;
    }

    /// <summary>The subject of a verdict's token. The verdict passed: <see cref="CloudTokenWriter"/> asks.</summary>
    internal bool TrySubject(Verdict verdict, TokenTerms terms, [NotNullWhen(true)] out string? subject, [NotNullWhen(false)] out ParseFault? fault) => TrySubject(claim => claim.Of(verdict, terms), out subject, out fault);

    /// <summary>The subject with these values, in the cloud's limits.</summary>
    internal bool TrySubject(Func<CloudClaim, string?> valueOf, [NotNullWhen(true)] out string? subject, [NotNullWhen(false)] out ParseFault? fault)
    {
        fault = SubjectTemplate.Claims.Select(claim => SubjectTemplate.WhyNotValue(claim, valueOf(claim))).FirstOrDefault(found => found is not null);
        subject = fault is null ? SubjectTemplate.Fill(claim => valueOf(claim)!) : null;
        fault ??= CloudLimits.Of(Cloud, CloudLimits.Subject).OfText(subject!);
        subject = fault is null ? subject : null;
        return subject is not null;
    }

    /// <summary>Why a cloud does not take an audience; null when it does.</summary>
    internal static ParseFault? WhyNotAudience(CloudKind cloud, string audience) =>
        CloudLimits.Of(cloud, CloudLimits.Audience) is var limit && cloud is CloudKind.Entra ? limit.OfWord(audience) : limit.OfText(audience);

    /// <summary>The weakenings of a verdict that this profile does not accept.</summary>
    internal ImmutableArray<string> NotAccepted(Verdict verdict) => [.. verdict.Weakened.Except(Terms.DangerouslyAcceptedWeakenings)];

    private static ParseFault? WhyNotAttributes(CloudProfileTerms terms)
    {
        if (terms.Attributes.IsDefault)
        {
            return new ParseFault(CloudLimits.Attributes, 0, "were never set: an empty list says that there are none");
        }

        if (CloudLimits.Of(terms.Cloud, CloudLimits.Attributes).OfCount(terms.Attributes.Length) is { } count)
        {
            return count;
        }

        // AWS keeps the case of a key and compares without it.
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var attribute in terms.Attributes)
        {
            var fault = CloudLimits.Of(terms.Cloud, CloudLimits.Attribute).OfText(attribute.Name)
                ?? (terms.Cloud is CloudKind.Aws && attribute.Name.StartsWith(Reserved, StringComparison.OrdinalIgnoreCase) ? new ParseFault(CloudLimits.Attribute, 0, "names that begin with aws: are AWS's own")
                    : attribute.IsTransitive && terms.Cloud is not CloudKind.Aws ? new ParseFault(CloudLimits.Attribute, 0, $"{terms.Cloud.Name()} has no transitive attributes: session tags of AWS are")
                    : CloudClaim.Find(attribute.Claim) is null ? new ParseFault(CloudLimits.Attribute, 0, $"\"{JwsText.Short(Printable.Of(attribute.Claim))}\" is not a claim: one of {string.Join(", ", CloudClaim.All.Select(claim => claim.Name))} is expected")
                    : !seen.Add(attribute.Name) ? new ParseFault(CloudLimits.Attribute, 0, $"{attribute.Name} is given twice")
                    : null);
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }

    private static ParseFault? WhyNotWeakenings(ImmutableArray<string> accepted) =>
        accepted.IsDefault ? new ParseFault("weakenings", 0, "were never set: an empty list says that none is accepted")
        : accepted.FirstOrDefault(name => !Weakening.Names.Contains(name)) is { } unknown ? new ParseFault("weakenings", 0, $"\"{JwsText.Short(Printable.Of(unknown))}\" is not the name of a weakening")
        : accepted.FirstOrDefault(s_never.Contains) is { } never ? new ParseFault("weakenings", 0, $"{never} cannot be accepted for a cloud: its tokens are written about fresh, bound machines alone (S-21)")
        : null;
}
