using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>A role of the JWT method of Vault or OpenBao.</summary>
public sealed record VaultTarget : CloudTarget
{
    private const string RoleFile = "role.json";

    private static readonly ImmutableArray<string> s_algorithms = ["ES384", "ES256", "RS256"];

    /// <summary>Where the method is mounted, below <c>auth/</c>.</summary>
    public string Mount { get; init; } = "jwt";

    /// <summary>The role.</summary>
    public required string Role { get; init; }

    /// <summary>What its tokens may do; at least one.</summary>
    public required ImmutableArray<string> Policies { get; init; }

    /// <summary>Vault's address; null: the workload's own configuration says.</summary>
    public string? Address { get; init; }

    /// <inheritdoc/>
    public override CloudKind Cloud => CloudKind.Vault;

    /// <inheritdoc/>
    public override string DefaultAudience => "vault";

    internal override ParseFault? WhyNot() =>
        WhyNotPlain("mount", Mount, "_-/") ?? CloudLimits.Of(Cloud, CloudLimits.Role).OfText(Role)
        ?? (Policies.IsDefaultOrEmpty ? new ParseFault("policies of Vault", 0, "at least one is expected") : Policies.Select(policy => WhyNotPlain("policies of Vault", policy, "_-/.")).FirstOrDefault(fault => fault is not null))
        ?? (Address is null || (Uri.TryCreate(Address, UriKind.Absolute, out var uri) && uri is { Scheme: "https" or "http", UserInfo: "", PathAndQuery: "/", Fragment: "" }) ? null : new ParseFault("address", 0, "Vault's address is expected, for example https://vault.example.org:8200"));

    internal override ParseFault? TryWrite(SetupFacts facts, [NotNull] out CloudSetup? setup)
    {
        setup = facts.Setup(
        [
            ShellText.Line("vault", "auth", "enable", $"-path={Mount}", "jwt"),
            ShellText.Line("vault", "write", $"auth/{Mount}/config", $"oidc_discovery_url={facts.Issuer}", $"bound_issuer={facts.Issuer}", $"jwt_supported_algs={string.Join(',', s_algorithms)}"),
            ShellText.Line("vault", "write", $"auth/{Mount}/role/{Role}", $"@{RoleFile}"),
        ],
        [.. Address is null ? [] : new KeyValuePair<string, string>[] { new("VAULT_ADDR", new Uri(Address).GetLeftPart(UriPartial.Authority)) }]) with
        {
            Files = [new CloudFile(RoleFile, RoleOf(facts))],
            WorkloadCommands = [ShellText.Line("vault", "write", $"auth/{Mount}/login", $"role={Role}", $"jwt=@{facts.TokenFile}")],
        };
        return null;
    }

    // Vault compares strings; of several values a token must have one.
    private string RoleOf(SetupFacts facts) => Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("role_type", "jwt");
        writer.WriteString("user_claim", "sub");
        WriteArray(writer, "bound_audiences", facts.Audiences);
        writer.WriteStartObject("bound_claims");
        WriteValues(writer, "sub", facts.Subjects);
        foreach (var condition in facts.Conditions)
        {
            WriteValues(writer, condition.Claim, condition.Values);
        }

        writer.WriteEndObject();
        writer.WriteStartObject("claim_mappings");
        foreach (var attribute in facts.Profile.Terms.Attributes)
        {
            writer.WriteString(attribute.Claim, attribute.Name);
        }

        writer.WriteEndObject();
        WriteArray(writer, "token_policies", Policies);
        writer.WriteString("token_ttl", "5m");
        writer.WriteEndObject();
    });
}
