using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A claim, and the values of which it must have one.</summary>
/// <param name="Claim">One of <see cref="CloudClaim.All"/>.</param>
/// <param name="Values">At least one.</param>
public sealed record CloudCondition(string Claim, ImmutableArray<string> Values);

/// <summary>A file that a command of the set-up reads, or the workload does.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Content">Its text.</param>
public sealed record CloudFile(string Name, string Content);

/// <summary>What an operator states about the trust that a cloud is to have.</summary>
public sealed record CloudSetupTerms
{
    /// <summary>Whose tokens.</summary>
    public required TokenIssuer Issuer { get; init; }

    /// <summary>The id of the policy under which they are written.</summary>
    public required string Policy { get; init; }

    /// <summary>The cloud, and the names of what is set up in it.</summary>
    public required CloudTarget Target { get; init; }

    /// <summary>Their audience; null: the one that the cloud expects by itself.</summary>
    public string? Audience { get; init; }

    /// <summary>Audiences of other profiles of the same issuer, which the provider takes too.</summary>
    public ImmutableArray<string> FurtherAudiences { get; init; } = [];

    /// <summary>The template of their subject.</summary>
    public string Subject { get; init; } = CloudProfile.DefaultSubject;

    /// <summary>What the cloud demands of a token beside what it always does.</summary>
    public ImmutableArray<CloudCondition> Conditions { get; init; } = [];

    /// <summary>Where the token is, on the VM.</summary>
    public required string TokenFile { get; init; }
}

/// <summary>
/// What has to be set up so that a cloud takes the tokens of a profile and no others: the profile itself for the issuer, files and commands for the cloud's
/// administrator, variables for the workload. It is text; nothing is called. It is beside the writer of the tokens because both must name the same
/// claims, subjects and limits.
/// </summary>
public sealed record CloudSetup
{
    private const string EndOfFile = "END-OF-FILE";

    // Ours: no cloud says how long a value of a condition may be.
    private const int LongestValue = 256;

    internal CloudSetup()
    {
    }

    /// <summary>The profile that the issuer needs.</summary>
    public required CloudProfile Profile { get; init; }

    /// <summary>Whose tokens.</summary>
    public required TokenIssuer Issuer { get; init; }

    /// <summary>The subjects that are taken.</summary>
    public required ImmutableArray<string> Subjects { get; init; }

    /// <summary>What is demanded of a token, where the cloud can demand it.</summary>
    public required ImmutableArray<CloudCondition> Conditions { get; init; }

    /// <summary>Files that the commands read.</summary>
    public ImmutableArray<CloudFile> Files { get; init; } = [];

    /// <summary>What the administrator runs, in order.</summary>
    public required ImmutableArray<string> Commands { get; init; }

    /// <summary>Files that the workload reads.</summary>
    public ImmutableArray<CloudFile> WorkloadFiles { get; init; } = [];

    /// <summary>Variables of the workload, as SDKs read them.</summary>
    public required ImmutableArray<KeyValuePair<string, string>> Environment { get; init; }

    /// <summary>What the workload runs before it uses the cloud.</summary>
    public ImmutableArray<string> WorkloadCommands { get; init; } = [];

    /// <summary>Makes the set-up, if the cloud takes what is stated.</summary>
    /// <param name="terms">All of it.</param>
    /// <param name="setup">The set-up.</param>
    /// <param name="fault">What the cloud does not take, or cannot test.</param>
    public static bool TryCreate(CloudSetupTerms terms, [NotNullWhen(true)] out CloudSetup? setup, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(terms);
        setup = null;
        var (cloud, audience) = (terms.Target.Cloud, terms.Audience ?? terms.Target.DefaultAudience);
        if ((fault = WhyNotIssuer(cloud, terms.Issuer) ?? terms.Target.WhyNot() ?? WhyNotTokenFile(terms.TokenFile) ?? WhyNotConditions(cloud, terms.Conditions)) is not null)
        {
            return false;
        }

        ImmutableArray<CloudCondition> conditions = [.. Always(terms), .. terms.Conditions];
        ImmutableArray<CloudMapping> attributes = cloud is CloudKind.Entra ? [] : [.. conditions.Select(condition => new CloudMapping(condition.Claim, condition.Claim))];
        var stated = new CloudProfileTerms { Cloud = cloud, Audience = audience, Subject = terms.Subject, Attributes = attributes };
        if (!CloudProfile.TryCreate(stated, out var profile, out fault)
            || (fault = WhyNotAudiences(cloud, [audience, .. terms.FurtherAudiences]) ?? WhyNotTested(profile, terms.Conditions)) is not null
            || !TrySubjects(profile, conditions, out var subjects, out fault))
        {
            return false;
        }

        // Entra tests the subject: what does not stand in it is nothing that it demands.
        var tested = cloud is CloudKind.Entra ? [.. conditions.Where(condition => profile.SubjectTemplate.Claims.Any(claim => claim.Name == condition.Claim))] : conditions;
        var facts = new SetupFacts(profile, terms.Issuer, [audience, .. terms.FurtherAudiences], tested, subjects, terms.TokenFile);
        fault = terms.Target.TryWrite(facts, out var written);
        setup = fault is null ? written : null;
        return setup is not null;
    }

    /// <summary>All of it as one script of the administrator's; what belongs on the VM is in comments.</summary>
    public string ToScript()
    {
        var script = new StringBuilder();
        script.Append("# ").Append(Profile.Cloud.Name()).Append(" takes tokens of ").Append(Issuer).Append('\n');
        script.Append("# for the audience ").Append(Profile.Audience).Append(" with the subject ").Append(Profile.Terms.Subject).Append("\nset -e\n");
        foreach (var file in Files)
        {
            script.Append("\ncat > ").Append(ShellText.Quote(file.Name)).Append(" <<'").Append(EndOfFile).Append("'\n").Append(file.Content).Append('\n').Append(EndOfFile).Append('\n');
        }

        script.Append('\n');
        foreach (var command in Commands)
        {
            script.Append(command).Append('\n');
        }

        script.Append("\n# On the VM:\n");
        foreach (var line in WorkloadLines())
        {
            script.Append(line.Length == 0 ? "#" : "# ").Append(line).Append('\n');
        }

        return script.ToString();
    }

    /// <summary>What belongs on the VM, as lines of a shell.</summary>
    public IEnumerable<string> WorkloadLines() =>
    [
        .. WorkloadFiles.SelectMany(file => (IEnumerable<string>)[$"cat > {ShellText.Quote(file.Name)} <<'{EndOfFile}'", .. file.Content.Split('\n'), EndOfFile]),
        .. Environment.Select(variable => $"export {variable.Key}={ShellText.Quote(variable.Value)}"),
        .. WorkloadCommands,
    ];

    // What every token says is demanded all the same: an issuer that is mistaken then opens nothing.
    private static IEnumerable<CloudCondition> Always(CloudSetupTerms terms)
    {
        (string Claim, string Value)[] all =
        [
            ("verdict", "pass"), ("policy", terms.Policy), ("binding", "boot-event"), ("anchors", terms.Issuer.IsLoopback ? "simulated" : "built-in"), ("measres", "success"),
        ];
        return all.Where(item => terms.Conditions.All(condition => condition.Claim != item.Claim)).Select(item => new CloudCondition(item.Claim, [item.Value]));
    }

    private static ParseFault? WhyNotIssuer(CloudKind cloud, TokenIssuer issuer) =>
        issuer.IsLoopback && cloud is not CloudKind.Vault ? new ParseFault(CloudLimits.Issuer, 0, $"{cloud.Name()} fetches the keys from the issuer's address, found a loopback one: a public https address is expected")
        : CloudTokenWriter.WhyNotIssuer(cloud, issuer);

    private static ParseFault? WhyNotTokenFile(string path) =>
        path.StartsWith('/') && path.All(character => character is > ' ' and <= '~') ? null : new ParseFault("token file", 0, "an absolute path of printable ASCII without spaces is expected");

    private static ParseFault? WhyNotConditions(CloudKind cloud, ImmutableArray<CloudCondition> conditions)
    {
        // These four are what the issuer promises; which policy is stated beside them.
        string[] fixedOnes = ["verdict", "policy", "binding", "anchors"];
        foreach (var condition in conditions)
        {
            var problem = CloudClaim.Find(condition.Claim) is null ? $"\"{JwsText.Short(Printable.Of(condition.Claim))}\" is not a claim: one of {string.Join(", ", CloudClaim.All.Select(claim => claim.Name))} is expected"
                : fixedOnes.Contains(condition.Claim) ? $"{condition.Claim} is always demanded, and is not stated as a condition"
                : conditions.Count(other => other.Claim == condition.Claim) > 1 ? $"{condition.Claim} is given twice: write its values with commas"
                : condition.Values.IsDefaultOrEmpty ? $"{condition.Claim} has no value"
                : condition.Values.Distinct(StringComparer.Ordinal).Count() < condition.Values.Length ? $"{condition.Claim} has a value twice"
                : condition.Values.Any(value => value.Length is 0 or > LongestValue || !value.All(character => character is >= ' ' and <= '~')) ? $"{condition.Claim}: values of 1 to {LongestValue} printable ASCII characters are expected"
                : null;
            if (problem is not null)
            {
                return new ParseFault(CloudLimits.Condition, 0, problem);
            }

            // What a session tag cannot hold no token has; in AWS's policies a dollar begins a variable.
            if (condition.Values.Select(value => CloudLimits.Find(cloud, CloudLimits.Value)?.OfText(value)).FirstOrDefault(fault => fault is not null) is { } tag)
            {
                return tag;
            }
        }

        return null;
    }

    private static ParseFault? WhyNotAudiences(CloudKind cloud, ImmutableArray<string> audiences) =>
        CloudLimits.Of(cloud, CloudLimits.Audiences).OfCount(audiences.Length)
        ?? audiences.Select(audience => CloudProfile.WhyNotAudience(cloud, audience)).FirstOrDefault(fault => fault is not null)
        ?? (audiences.Distinct(StringComparer.Ordinal).Count() < audiences.Length ? new ParseFault(CloudLimits.Audiences, 0, "one is given twice") : null);

    private static ParseFault? WhyNotTested(CloudProfile profile, ImmutableArray<CloudCondition> conditions) =>
        profile.Cloud is CloudKind.Entra && conditions.FirstOrDefault(condition => profile.SubjectTemplate.Claims.All(claim => claim.Name != condition.Claim)) is { } condition
            ? new ParseFault(CloudLimits.Condition, 0, $"Entra compares the subject alone: {(CloudClaim.Find(condition.Claim)!.Placeholder is { } name ? $"write {{{name}}} into the template, or " : "")}leave out the condition on {condition.Claim}")
            : null;

    // One subject for each combination of the values that the placeholders may have.
    private static bool TrySubjects(CloudProfile profile, ImmutableArray<CloudCondition> conditions, out ImmutableArray<string> subjects, [NotNullWhen(false)] out ParseFault? fault)
    {
        subjects = [];
        var open = profile.SubjectTemplate.Claims.FirstOrDefault(claim => conditions.All(condition => condition.Claim != claim.Name));
        if (open is not null)
        {
            fault = new ParseFault(CloudLimits.Subject, 0, $"the template has {{{open.Placeholder}}}, and no condition says which values {open.Name} may have");
            return false;
        }

        var limit = CloudLimits.Of(profile.Cloud, CloudLimits.Subjects);
        ImmutableArray<ImmutableDictionary<string, string>> all = [ImmutableDictionary<string, string>.Empty];
        foreach (var claim in profile.SubjectTemplate.Claims)
        {
            var values = conditions.First(condition => condition.Claim == claim.Name).Values;
            // Each step is bounded by the cloud's limit, times the values of one condition.
            if ((fault = limit.OfCount((long)all.Length * values.Length)) is not null)
            {
                return false;
            }

            all = [.. all.SelectMany(chosen => values.Select(value => chosen.Add(claim.Name, value)))];
        }

        var made = ImmutableArray.CreateBuilder<string>(all.Length);
        foreach (var chosen in all)
        {
            if (!profile.TrySubject(claim => chosen[claim.Name], out var subject, out fault))
            {
                return false;
            }

            made.Add(subject);
        }

        (subjects, fault) = (made.DrainToImmutable(), null);
        return true;
    }
}

/// <summary>What every cloud's set-up is written from; it is within the cloud's limits.</summary>
internal sealed record SetupFacts(CloudProfile Profile, TokenIssuer Issuer, ImmutableArray<string> Audiences, ImmutableArray<CloudCondition> Conditions, ImmutableArray<string> Subjects, string TokenFile)
{
    public CloudSetup Setup(ImmutableArray<string> commands, params ImmutableArray<KeyValuePair<string, string>> environment) =>
        new() { Profile = Profile, Issuer = Issuer, Subjects = Subjects, Conditions = Conditions, Commands = commands, Environment = environment };
}
