using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A provider in a workload identity pool of Google Cloud.</summary>
public sealed record GcpTarget : CloudTarget
{
    private const string CredentialFile = "/etc/assay/gcp-credentials.json";
    private const string Reserved = "gcp-";

    /// <summary>The project's id.</summary>
    public required string Project { get; init; }

    /// <summary>Its number.</summary>
    public required string ProjectNumber { get; init; }

    /// <summary>The pool.</summary>
    public required string Pool { get; init; }

    /// <summary>The provider.</summary>
    public required string Provider { get; init; }

    /// <summary>The service account that the subjects may become; null: roles are granted to them directly.</summary>
    public string? ServiceAccount { get; init; }

    /// <inheritdoc/>
    public override CloudKind Cloud => CloudKind.Gcp;

    // A provider without a list of audiences takes its own name with or without the scheme; SDKs leave it out.
    /// <inheritdoc/>
    public override string DefaultAudience => $"https:{Resource}/providers/{Provider}";

    private string Resource => $"//iam.googleapis.com/projects/{ProjectNumber}/locations/global/workloadIdentityPools/{Pool}";

    internal override ParseFault? WhyNot() =>
        WhyNotPlain("project", Project, "-.:") ?? (ProjectNumber.Length is > 0 and <= 20 && ProjectNumber.All(char.IsAsciiDigit) ? null : new ParseFault("project number", 0, "digits are expected"))
        ?? WhyNotId(CloudLimits.Pool, Pool) ?? WhyNotId(CloudLimits.Provider, Provider) ?? (ServiceAccount is null ? null : WhyNotPlain("service account", ServiceAccount, "-.@"));

    internal override ParseFault? TryWrite(SetupFacts facts, [NotNull] out CloudSetup? setup)
    {
        ImmutableArray<string> mapping = ["google.subject=assertion.sub", .. facts.Profile.Terms.Attributes.Select(attribute => $"attribute.{attribute.Name}=assertion.{attribute.Claim}")];
        var condition = string.Join(" && ", facts.Conditions.Select(item => Cel($"assertion.{item.Claim}", item.Values)).Prepend(Cel("assertion.sub", facts.Subjects)));
        var project = $"--project={Project}";
        setup = facts.Setup(
        [
            ShellText.Line("gcloud", "iam", "workload-identity-pools", "create", Pool, project, "--location=global"),
            ShellText.Line(
                "gcloud", "iam", "workload-identity-pools", "providers", "create-oidc", Provider, project, "--location=global", $"--workload-identity-pool={Pool}", $"--issuer-uri={facts.Issuer}",
                $"--allowed-audiences={string.Join(',', facts.Audiences)}", $"--attribute-mapping={string.Join(',', mapping)}", $"--attribute-condition={condition}"),
            .. facts.Subjects.Select(subject => $"principal:{Resource}/subject/{subject}").Select(principal => ServiceAccount is null
                ? $"# Grant roles to {principal}"
                : ShellText.Line("gcloud", "iam", "service-accounts", "add-iam-policy-binding", ServiceAccount, project, "--role=roles/iam.workloadIdentityUser", $"--member={principal}")),
        ],
        [new("GOOGLE_APPLICATION_CREDENTIALS", CredentialFile), new("GOOGLE_CLOUD_PROJECT", Project)]) with
        {
            WorkloadFiles = [new CloudFile(CredentialFile, Credentials(facts))],
        };
        return mapping.Select(item => CloudLimits.Of(Cloud, CloudLimits.Mapping).OfCount(item[(item.IndexOf('=', StringComparison.Ordinal) + 1)..].Length)).FirstOrDefault(fault => fault is not null)
            ?? CloudLimits.Of(Cloud, CloudLimits.Condition).OfCount(condition.Length);
    }

    private static string Cel(string name, ImmutableArray<string> values) => values is [var one] ? $"{name} == {Cel(one)}" : $"{name} in [{string.Join(", ", values.Select(Cel))}]";

    // Values are printable ASCII.
    private static string Cel(string text) => $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

    private ParseFault? WhyNotId(string field, string id) =>
        CloudLimits.Of(Cloud, field).OfText(id) ?? (id.StartsWith(Reserved, StringComparison.Ordinal) ? new ParseFault(field, 0, $"names that begin with {Reserved} are Google's own") : null);

    private string Credentials(SetupFacts facts) => Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("type", "external_account");
        writer.WriteString("universe_domain", "googleapis.com");
        writer.WriteString("audience", $"{Resource}/providers/{Provider}");
        writer.WriteString("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
        writer.WriteString("token_url", "https://sts.googleapis.com/v1/token");
        if (ServiceAccount is not null)
        {
            writer.WriteString("service_account_impersonation_url", $"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ServiceAccount}:generateAccessToken");
        }

        writer.WriteStartObject("credential_source");
        writer.WriteString("file", facts.TokenFile);
        writer.WriteStartObject("format");
        writer.WriteString("type", "text");
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    });
}
