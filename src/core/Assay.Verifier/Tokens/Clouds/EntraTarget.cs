using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>An application of a Microsoft Entra tenant.</summary>
public sealed record EntraTarget : CloudTarget
{
    /// <summary>The tenant: its id, or a domain of it.</summary>
    public required string Tenant { get; init; }

    /// <summary>The application's client id.</summary>
    public required string Client { get; init; }

    /// <summary>What the names of its credentials begin with.</summary>
    public string Name { get; init; } = "assay";

    /// <inheritdoc/>
    public override CloudKind Cloud => CloudKind.Entra;

    /// <inheritdoc/>
    public override string DefaultAudience => CloudProfile.EntraAudience;

    internal override ParseFault? WhyNot() =>
        WhyNotPlain("tenant", Tenant, "-.") ?? (Guid.TryParseExact(Client, "D", out _) ? null : new ParseFault("client", 0, "the application's client id is expected, for example 11111111-2222-3333-4444-555555555555"))
        ?? (Name.Length > 0 && char.IsAsciiLetterOrDigit(Name[0]) ? null : new ParseFault(CloudLimits.CredentialName, 0, "a letter or a digit is expected first"));

    internal override ParseFault? TryWrite(SetupFacts facts, [NotNull] out CloudSetup? setup)
    {
        ImmutableArray<string> names = [.. facts.Subjects.Select((_, index) => string.Create(CultureInfo.InvariantCulture, $"{Name}-{index + 1}"))];
        setup = facts.Setup(
            [.. names.Select(name => ShellText.Line("az", "ad", "app", "federated-credential", "create", "--id", Client, "--parameters", $"@{name}.json"))],
            [
                new("AZURE_CLIENT_ID", Client), new("AZURE_TENANT_ID", Tenant), new("AZURE_FEDERATED_TOKEN_FILE", facts.TokenFile), new("AZURE_AUTHORITY_HOST", Authority(facts.Profile.Audience)),
                // Of all that DefaultAzureCredential would try, the token alone.
                new("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential"),
            ]) with
        {
            Files = [.. names.Select((name, index) => new CloudFile($"{name}.json", Credential(facts, name, facts.Subjects[index])))],
        };
        return names.Select(CloudLimits.Of(Cloud, CloudLimits.CredentialName).OfText).FirstOrDefault(fault => fault is not null);
    }

    private static string Authority(string audience) => audience switch
    {
        "api://AzureADTokenExchangeUSGov" => "https://login.microsoftonline.us/",
        "api://AzureADTokenExchangeChina" => "https://login.chinacloudapi.cn/",
        _ => "https://login.microsoftonline.com/",
    };

    private static string Credential(SetupFacts facts, string name, string subject) => Json(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("issuer", $"{facts.Issuer}");
        writer.WriteString("subject", subject);
        writer.WriteString("description", "Machines that Assay verified");
        WriteArray(writer, "audiences", [facts.Profile.Audience]);
        writer.WriteEndObject();
    });
}
