using System.Collections.Immutable;
using System.CommandLine;
using Assay.Tokens;
using Assay.Tokens.Clouds;

namespace Assay.Cli.Clouds;

/// <summary>What the set-up of every cloud is asked for.</summary>
/// <param name="audience">The one that it expects by itself.</param>
/// <param name="tokenFile">Where the token is, if nothing else is said.</param>
internal sealed class CloudOptions(string audience, string tokenFile)
{
    private readonly Option<string> _issuer = new("--issuer") { Description = "the attestation service whose tokens are taken", HelpName = "URL", Required = true };
    private readonly Option<string> _policy = new("--policy") { Description = "the id of the policy under which they are written", HelpName = "ID", Required = true };
    private readonly Option<string[]> _require = Require();
    private readonly Option<string> _subject = new("--subject") { Description = "the form of their subject, as in the issuer's profile", HelpName = "TEMPLATE", DefaultValueFactory = _ => CloudProfile.DefaultSubject };
    private readonly Option<string[]> _audience = new("--audience") { Description = $"their audience, {audience} if it is not given; further ones are taken too", HelpName = "A", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string> _tokenFile = new("--token-file") { Description = "where the token is on the VM", HelpName = "FILE", DefaultValueFactory = _ => tokenFile };
    private readonly Option<string> _format = Options.Format();

    /// <summary>In the order of the help; a cloud's own come between the first two and the rest.</summary>
    public IReadOnlyList<Option> First => [_issuer, _policy];

    /// <summary>The rest.</summary>
    public IReadOnlyList<Option> Rest => [_require, _subject, _audience, _tokenFile, _format];

    /// <summary>Prints the set-up, or why there is none.</summary>
    public int Print(ParseResult parsed, CloudTarget target)
    {
        if (!TokenIssuer.TryParse(parsed.GetValue(_issuer), out var issuer, out var fault))
        {
            Output.Error("cli.issuer", $"--issuer: {fault.Problem}");
            return ExitCode.Unusable;
        }

        if (!TryConditions(parsed.GetValue(_require) ?? [], out var conditions, out var wrong))
        {
            Output.Error("cli.cloud", $"--require: CLAIM=VALUE,… is expected, found \"{wrong}\"");
            return ExitCode.Unusable;
        }

        ImmutableArray<string> audiences = [.. parsed.GetValue(_audience) ?? []];
        var terms = new CloudSetupTerms
        {
            Issuer = issuer,
            Policy = parsed.GetValue(_policy)!,
            Target = target,
            Audience = audiences.FirstOrDefault(),
            FurtherAudiences = audiences.IsEmpty ? [] : audiences[1..],
            Subject = parsed.GetValue(_subject)!,
            Conditions = conditions,
            TokenFile = parsed.GetValue(_tokenFile)!,
        };
        if (!CloudSetup.TryCreate(terms, out var setup, out fault))
        {
            Output.Error("cli.cloud", $"{fault.Field}: {fault.Problem}");
            return ExitCode.Unusable;
        }

        if (parsed.GetValue(_format) == Options.Json)
        {
            CloudPrinter.PrintJson(setup);
        }
        else
        {
            Console.Out.Write(setup.ToScript());
        }

        return ExitCode.Verified;
    }

    private static Option<string[]> Require()
    {
        var option = new Option<string[]>("--require") { Description = "a claim that a token must have, with the values of which one will do: gpu_model=GH100", HelpName = "CLAIM=VALUE,…", AllowMultipleArgumentsPerToken = true };
        option.CompletionSources.Add([.. CloudClaim.All.Select(claim => $"{claim.Name}=")]);
        return option;
    }

    private static bool TryConditions(string[] stated, out ImmutableArray<CloudCondition> conditions, out string? wrong)
    {
        wrong = stated.FirstOrDefault(text => text.StartsWith('=') || text.EndsWith('=') || !text.Contains('=', StringComparison.Ordinal));
        conditions = wrong is not null ? [] : [.. stated.Select(text => text.Split('=', 2)).Select(pair => new CloudCondition(pair[0], [.. pair[1].Split(',')]))];
        return wrong is null;
    }
}
