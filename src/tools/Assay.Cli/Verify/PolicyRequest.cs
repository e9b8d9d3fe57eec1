using System.CommandLine;
using Assay.Cli.Policies;
using Assay.Evidence.Files;
using Assay.Policies;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>The policy of <c>--policy</c>, with its query and data.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="refuse">Takes id and message of each fault.</param>
internal sealed class PolicyRequest(VerifyOptions options, ParseResult parsed, Action<string, string> refuse)
{
    public RelyingPartyPolicy Read()
    {
        var file = parsed.GetValue(options.Policy);
        if (file is null)
        {
            // Passed over, they would leave the default policy to decide in the place of the one that was meant.
            if ((parsed.GetValue(options.Query) ?? parsed.GetValue(options.PolicyData)) is not null)
            {
                refuse("cli.policy", "--query and --policy-data belong to a policy in Rego: name it with --policy");
            }

            return RelyingPartyPolicy.Default;
        }

        var isRego = Path.GetExtension(file) is ".rego";
        if (!isRego && (parsed.GetValue(options.Query) ?? parsed.GetValue(options.PolicyData)) is not null)
        {
            refuse("cli.policy", "--query and --policy-data belong to a policy in Rego");
        }

        if (isRego)
        {
            return ReadRego(file);
        }

        // Told by the name alone, so that a policy in another language is not called malformed JSON.
        if (Path.GetExtension(file) is not (".json" or ".plc"))
        {
            refuse("cli.policy", $"--policy: a .rego file, or a .json or .plc file with authorization-rules, is expected, found {file}");
        }
        else if (!InputFile.TryRead(file, JsonPolicy.MostBytes, out var bytes, out var whyNot))
        {
            refuse("cli.file", whyNot);
        }
        else if (JsonPolicy.TryParse(bytes, out var policy, out var fault))
        {
            return policy.Named(InputFile.NameOf(file));
        }
        else
        {
            refuse("policy.malformed", WrongFile.Message(InputFile.NameOf(file), "--policy", "a policy in Rego, or in NVIDIA's JSON with authorization-rules", bytes, $"{fault}", ContentKind.JsonPolicy, ContentKind.Json));
        }

        return RelyingPartyPolicy.Default;
    }

    private RelyingPartyPolicy ReadRego(string file)
    {
        PolicyDocument? data = null;
        if (parsed.GetValue(options.PolicyData) is { } dataFile)
        {
            if (!InputFile.TryRead(dataFile, RegoPolicy.MostBytes, out var json, out var whyNoData))
            {
                refuse("cli.file", whyNoData);
            }
            else if (!PolicyDocument.TryParse(json, out var value, out var problem))
            {
                refuse("policy.malformed", $"{dataFile}: {problem}");
            }
            else if (!value.IsObject)
            {
                refuse("policy.malformed", PolicyFaults.NoObject(dataFile, value));
            }
            else
            {
                data = value;
            }
        }

        if (!InputFile.TryRead(file, RegoPolicy.MostBytes, out var source, out var whyNot))
        {
            refuse("cli.file", whyNot);
        }
        else if (RegoPolicy.TryParse(InputFile.NameOf(file), source, data, parsed.GetValue(options.Query), out var policy, out var fault))
        {
            return policy.Named(InputFile.NameOf(file));
        }
        else
        {
            refuse("policy.malformed", FileContent.Of(source).Kind is ContentKind.RegoPolicy or ContentKind.Text ? PolicyFaults.Of(fault)
                : WrongFile.Message(InputFile.NameOf(file), "--policy", "a policy in Rego, or in NVIDIA's JSON with authorization-rules", source, ""));
        }

        return RelyingPartyPolicy.Default;
    }
}
