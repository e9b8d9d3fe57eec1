using System.Collections.Immutable;
using static Assay.Tokens.Clouds.CloudLimit;

namespace Assay.Tokens.Clouds;

/// <summary>
/// Every limit of every cloud, with its source. What a cloud would refuse is refused here, where the message says what it is; so is what S-21 forbids.
/// The same table is in docs/reference/clouds.md.
/// </summary>
public static class CloudLimits
{
    internal const string Algorithm = "alg";
    internal const string Attribute = "attribute";
    internal const string Attributes = "attributes";
    internal const string Audience = "aud";
    internal const string Audiences = "audiences";
    internal const string Condition = "condition";
    internal const string CredentialName = "credential name";
    internal const string Issuer = "iss";
    internal const string Lifetime = "lifetime";
    internal const string Mapped = "mapped attributes";
    internal const string Mapping = "attribute mapping";
    internal const string Pool = "pool";
    internal const string Provider = "provider";
    internal const string Role = "role";
    internal const string Session = "session name";
    internal const string Subject = "sub";
    internal const string Subjects = "subjects";
    internal const string Token = "token";
    internal const string TrustPolicy = "trust policy";
    internal const string Value = "attribute value";

    /// <summary>The longest that a token for a cloud lives (S-21).</summary>
    public const int LifetimeSeconds = 300;

    // Packed they have a limit of their own, which AWS does not publish: the call then says PackedPolicyTooLarge.
    private const string SessionTags = "STS API, Tag";
    private const string Ours = "ours";

    /// <summary>All of them.</summary>
    public static ImmutableArray<CloudLimit> All { get; } =
    [
        Text(CloudKind.Aws, Issuer, 1, 255, "IAM API, CreateOpenIDConnectProvider: Url"),
        Text(CloudKind.Aws, Audience, 1, 255, "IAM API, CreateOpenIDConnectProvider: ClientIDList"),
        Count(CloudKind.Aws, Audiences, 1, 100, "for each provider", "IAM API, CreateOpenIDConnectProvider: ClientIDList"),
        Text(CloudKind.Aws, Subject, 6, 255, "STS API, AssumeRoleWithWebIdentity: SubjectFromWebIdentityToken"),
        Count(CloudKind.Aws, Subjects, 1, 50, "for each role", Ours),
        Count(CloudKind.Aws, Attributes, 0, 50, "session tags", "STS API, AssumeRole: Tags"),
        Name(CloudKind.Aws, Attribute, 1, 128, "_.:/=+-@ ", SessionTags),
        Name(CloudKind.Aws, Value, 0, 256, "_.:/=+-@ ", SessionTags),
        Count(CloudKind.Aws, Token, 4, 20_000, "characters", "STS API, AssumeRoleWithWebIdentity: WebIdentityToken"),
        Count(CloudKind.Aws, Lifetime, 1, LifetimeSeconds, "seconds", "S-21"),
        OneOf(CloudKind.Aws, Algorithm, "AWS, 20 November 2024: ECDSA beside RSA; which curves is not verified", "RS256", "ES384"),
        Name(CloudKind.Aws, Role, 1, 64, "_+=,.@-", "IAM API, CreateRole: RoleName"),
        Name(CloudKind.Aws, Session, 2, 64, "_+=,.@-", "STS API, AssumeRoleWithWebIdentity: RoleSessionName"),
        Count(CloudKind.Aws, TrustPolicy, 1, 2048, "characters without white space", "IAM quotas: role trust policy length"),

        Text(CloudKind.Gcp, Audience, 1, 256, "IAM API, Oidc: allowedAudiences"),
        Count(CloudKind.Gcp, Audiences, 1, 10, "for each provider", "IAM API, Oidc: allowedAudiences"),
        Text(CloudKind.Gcp, Subject, 1, 127, "IAM API, WorkloadIdentityPoolProvider: google.subject", inBytes: true),
        Count(CloudKind.Gcp, Subjects, 1, 50, "for each provider", Ours),
        Count(CloudKind.Gcp, Attributes, 0, 50, "custom attributes", "IAM API, WorkloadIdentityPoolProvider: attributeMapping"),
        Name(CloudKind.Gcp, Attribute, 1, 100, "_", "IAM API, WorkloadIdentityPoolProvider: attributeMapping", lowerCase: true),
        Count(CloudKind.Gcp, Mapping, 1, 2048, "characters", "IAM API, WorkloadIdentityPoolProvider: attributeMapping"),
        Count(CloudKind.Gcp, Mapped, 0, 8192, "bytes together", "IAM API, WorkloadIdentityPoolProvider: attributeMapping"),
        Count(CloudKind.Gcp, Condition, 1, 4096, "characters", "IAM API, WorkloadIdentityPoolProvider: attributeCondition"),
        Count(CloudKind.Gcp, Lifetime, 1, LifetimeSeconds, "seconds", "S-21; 24 hours for Google"),
        OneOf(CloudKind.Gcp, Algorithm, "IAM API, Oidc: keys of type RSA and EC; the algorithms are not verified", "RS256", "ES256"),
        Name(CloudKind.Gcp, Pool, 4, 32, "-", "IAM API, workloadIdentityPools.create", lowerCase: true),
        Name(CloudKind.Gcp, Provider, 4, 32, "-", "IAM API, workloadIdentityPools.providers.create", lowerCase: true),

        Text(CloudKind.Entra, Issuer, 1, 600, "Entra, considerations for federated identity credentials; ours is 512"),
        OneOf(CloudKind.Entra, Audience, "Graph API, federatedIdentityCredential: audiences; the others are those of the US government and of China", "api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"),
        Count(CloudKind.Entra, Audiences, 1, 1, "for each credential", "Graph API, federatedIdentityCredential: audiences"),
        Text(CloudKind.Entra, Subject, 1, 600, "Entra, considerations for federated identity credentials"),
        Count(CloudKind.Entra, Subjects, 1, 20, "credentials for each application", "Entra, considerations for federated identity credentials"),
        Count(CloudKind.Entra, Attributes, 0, 0, "attributes: Entra compares iss, sub and aud alone", "Graph API, federatedIdentityCredential"),
        Count(CloudKind.Entra, Lifetime, 1, LifetimeSeconds, "seconds", "S-21; 25 hours for Entra, which needs iat"),
        OneOf(CloudKind.Entra, Algorithm, "microsoft-identity-web issue 3467: ES256 and ES384 are refused", "RS256"),
        Name(CloudKind.Entra, CredentialName, 3, 120, "-_", "Entra, considerations for federated identity credentials"),

        Text(CloudKind.Vault, Audience, 1, 512, Ours),
        Count(CloudKind.Vault, Audiences, 1, 100, "for each role", Ours),
        Text(CloudKind.Vault, Subject, 1, 512, Ours),
        Count(CloudKind.Vault, Subjects, 1, 50, "for each role", Ours),
        Count(CloudKind.Vault, Attributes, 0, 64, "claim mappings", Ours),
        Name(CloudKind.Vault, Attribute, 1, 128, "_-", Ours),
        Count(CloudKind.Vault, Lifetime, 1, LifetimeSeconds, "seconds", "S-21"),
        OneOf(CloudKind.Vault, Algorithm, "Vault, JWT method: jwt_supported_algs", "ES384", "ES256", "RS256"),
        Name(CloudKind.Vault, Role, 1, 128, "_-", Ours),
    ];

    /// <summary>The limit of a field; null where the cloud has none.</summary>
    internal static CloudLimit? Find(CloudKind cloud, string field) => All.FirstOrDefault(limit => limit.Cloud == cloud && limit.Field == field);

    /// <summary>The limit of a field that the cloud has.</summary>
    internal static CloudLimit Of(CloudKind cloud, string field) => Find(cloud, field) ?? throw new ArgumentException($"{cloud.Name()} has no limit of {field}", nameof(field));
}
