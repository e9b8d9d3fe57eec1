using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A role of an AWS account.</summary>
public sealed record AwsTarget : CloudTarget
{
    private const int AccountDigits = 12;
    private const string PolicyFile = "trust-policy.json";

    /// <summary>The account: twelve digits.</summary>
    public required string Account { get; init; }

    /// <summary>The role.</summary>
    public required string Role { get; init; }

    /// <summary>What CloudTrail calls the sessions.</summary>
    public string Session { get; init; } = "assay";

    /// <summary>The region of the workload; null: its own configuration says.</summary>
    public string? Region { get; init; }

    /// <inheritdoc/>
    public override CloudKind Cloud => CloudKind.Aws;

    /// <inheritdoc/>
    public override string DefaultAudience => CloudProfile.AwsAudience;

    internal override ParseFault? WhyNot() =>
        Account.Length != AccountDigits || !Account.All(char.IsAsciiDigit) ? new ParseFault("account", 0, $"{AccountDigits} digits are expected")
        : CloudLimits.Of(Cloud, CloudLimits.Role).OfText(Role) ?? CloudLimits.Of(Cloud, CloudLimits.Session).OfText(Session) ?? (Region is null ? null : WhyNotPlain("region", Region, "-"));

    internal override ParseFault? TryWrite(SetupFacts facts, [NotNull] out CloudSetup? setup)
    {
        var policy = TrustPolicy(facts);
        setup = facts.Setup(
        [
            ShellText.Line(["aws", "iam", "create-open-id-connect-provider", "--url", $"{facts.Issuer}", "--client-id-list", .. facts.Audiences]),
            ShellText.Line("aws", "iam", "create-role", "--role-name", Role, "--assume-role-policy-document", $"file://{PolicyFile}"),
        ],
        [
            new("AWS_ROLE_ARN", $"arn:aws:iam::{Account}:role/{Role}"), new("AWS_WEB_IDENTITY_TOKEN_FILE", facts.TokenFile), new("AWS_ROLE_SESSION_NAME", Session),
            .. Region is null ? [] : new KeyValuePair<string, string>[] { new("AWS_REGION", Region) },
        ]) with
        {
            Files = [new CloudFile(PolicyFile, policy)],
            // Keys in the environment would be taken before the token.
            WorkloadCommands = ["unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE"],
        };
        return CloudLimits.Of(Cloud, CloudLimits.TrustPolicy).OfCount(policy.Count(character => !char.IsWhiteSpace(character)));
    }

    // AWS tests aud, sub and session tags: every other claim is a tag. The list of keys refuses tags that the policy does not name.
    private string TrustPolicy(SetupFacts facts) => Json(writer =>
    {
        var provider = $"{facts.Issuer}"["https://".Length..];
        writer.WriteStartObject();
        writer.WriteString("Version", "2012-10-17");
        writer.WriteStartArray("Statement");
        writer.WriteStartObject();
        writer.WriteString("Effect", "Allow");
        writer.WriteStartObject("Principal");
        writer.WriteString("Federated", $"arn:aws:iam::{Account}:oidc-provider/{provider}");
        writer.WriteEndObject();
        WriteArray(writer, "Action", ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]);
        writer.WriteStartObject("Condition");
        writer.WriteStartObject("StringEquals");
        writer.WriteString($"{provider}:aud", facts.Profile.Audience);
        WriteValues(writer, $"{provider}:sub", facts.Subjects);
        foreach (var condition in facts.Conditions)
        {
            WriteValues(writer, $"aws:RequestTag/{condition.Claim}", condition.Values);
        }

        writer.WriteEndObject();
        writer.WriteStartObject("ForAllValues:StringEquals");
        WriteArray(writer, "aws:TagKeys", facts.Profile.Terms.Attributes.Select(attribute => attribute.Name));
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
    });
}
