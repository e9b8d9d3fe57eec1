using System.CommandLine;
using Assay.Tokens.Clouds;

namespace Assay.Cli.Clouds;

/// <summary><c>assay cloud-profile</c>: what to set up so that a cloud takes the tokens of an attestation service.</summary>
internal static class CloudProfileCommand
{
    private const string ExitCodes = "0 printed · 2 unusable command line, or the cloud would not take it";
    private const string Tokens = "/run/assay/tokens";

    public static DescribedCommand Create() => new(
        "cloud-profile",
        "Prints what to set up in a cloud that takes tokens of an attestation service.",
        DescribedCommand.OfItsCommands,
        [
            "assay cloud-profile aws --issuer https://as.example.org --policy prod --require gpu_model=GH100 --account 123456789012 --role model-keys > setup.sh",
        ])
    {
        Aws(), Gcp(), Azure(), Vault(),
    };

    private static DescribedCommand Aws()
    {
        var account = new Option<string>("--account") { Description = "the AWS account, twelve digits", HelpName = "ID", Required = true };
        var role = new Option<string>("--role") { Description = "the role that the machines get", HelpName = "NAME", Required = true };
        var session = new Option<string>("--session") { Description = "what CloudTrail calls their sessions", HelpName = "NAME", DefaultValueFactory = _ => "assay" };
        var region = new Option<string?>("--region") { Description = "the region of the workload", HelpName = "REGION" };
        return Of(
            "aws", "Prints provider, trust policy and role for AWS.", CloudProfile.AwsAudience,
            ["assay cloud-profile aws --issuer https://as.example.org --policy prod --require gpu_model=GH100,GB100 tee=tdx --account 123456789012 --role model-keys"],
            [account, role, session, region],
            parsed => new AwsTarget { Account = parsed.GetValue(account)!, Role = parsed.GetValue(role)!, Session = parsed.GetValue(session)!, Region = parsed.GetValue(region) });
    }

    private static DescribedCommand Gcp()
    {
        var project = new Option<string>("--project") { Description = "the project's id", HelpName = "ID", Required = true };
        var number = new Option<string>("--project-number") { Description = "its number", HelpName = "N", Required = true };
        var pool = new Option<string>("--pool") { Description = "the workload identity pool", HelpName = "ID", DefaultValueFactory = _ => "assay" };
        var provider = new Option<string>("--provider") { Description = "the provider in it", HelpName = "ID", DefaultValueFactory = _ => "attestation" };
        var account = new Option<string?>("--service-account") { Description = "the service account that the machines become", HelpName = "EMAIL" };
        return Of(
            "gcp", "Prints pool, provider and credential file for Google Cloud.", "the provider's own name",
            ["assay cloud-profile gcp --issuer https://as.example.org --policy prod --require gpu_model=GH100 --project acme --project-number 123456789 --service-account model-keys@acme.iam.gserviceaccount.com"],
            [project, number, pool, provider, account],
            parsed => new GcpTarget { Project = parsed.GetValue(project)!, ProjectNumber = parsed.GetValue(number)!, Pool = parsed.GetValue(pool)!, Provider = parsed.GetValue(provider)!, ServiceAccount = parsed.GetValue(account) });
    }

    private static DescribedCommand Azure()
    {
        var tenant = new Option<string>("--tenant") { Description = "the tenant's id or domain", HelpName = "ID", Required = true };
        var client = new Option<string>("--client") { Description = "the application's client id", HelpName = "ID", Required = true };
        var name = new Option<string>("--name") { Description = "what the names of its credentials begin with", HelpName = "NAME", DefaultValueFactory = _ => "assay" };
        return Of(
            "azure", "Prints federated credentials for Microsoft Entra ID, one for each subject.", CloudProfile.EntraAudience,
            ["assay cloud-profile azure --issuer https://as.example.org --policy prod --require gpu_model=GH100 tee=tdx,snp --subject gpu:{gpu}:tee:{tee}:policy:{policy}:{verdict} --tenant acme.example --client 11111111-2222-3333-4444-555555555555"],
            [tenant, client, name],
            parsed => new EntraTarget { Tenant = parsed.GetValue(tenant)!, Client = parsed.GetValue(client)!, Name = parsed.GetValue(name)! });
    }

    private static DescribedCommand Vault()
    {
        var mount = new Option<string>("--mount") { Description = "where the JWT method is mounted, below auth/", HelpName = "PATH", DefaultValueFactory = _ => "jwt" };
        var role = new Option<string>("--role") { Description = "the role that the machines get", HelpName = "NAME", Required = true };
        var policies = new Option<string[]>("--vault-policy") { Description = "Vault's policies of that role", HelpName = "NAME", Required = true, AllowMultipleArgumentsPerToken = true };
        var address = new Option<string?>("--address") { Description = "Vault's address", HelpName = "URL" };
        return Of(
            "vault", "Prints configuration and role for the JWT method of Vault or OpenBao.", "vault",
            ["assay cloud-profile vault --issuer https://as.example.org --policy prod --require gpu_model=GH100 --role model-keys --vault-policy read-model-keys"],
            [mount, role, policies, address],
            parsed => new VaultTarget { Mount = parsed.GetValue(mount)!, Role = parsed.GetValue(role)!, Policies = [.. parsed.GetValue(policies)!], Address = parsed.GetValue(address) });
    }

    private static DescribedCommand Of(string word, string description, string audience, string[] examples, Option[] own, Func<ParseResult, CloudTarget> target)
    {
        var options = new CloudOptions(audience, $"{Tokens}/{word}.jwt");
        var command = new DescribedCommand(word, description, ExitCodes, examples);
        foreach (var option in options.First.Concat(own).Concat(options.Rest))
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => options.Print(parsed, target(parsed)));
        return command;
    }
}
