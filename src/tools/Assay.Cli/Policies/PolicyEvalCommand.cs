using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Files;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary>
/// <c>assay policy eval</c>: asks a query, as <c>opa eval</c> does, with the verifier's limits. The result goes to standard output as JSON;
/// prints, explanation and errors go to standard error.
/// </summary>
internal sealed class PolicyEvalCommand
{
    // Documents of a machine of 64 GPUs are below 1 MB.
    private const int MostDocumentBytes = 64 << 20;

    private static readonly ContentKind[] s_elsewhere =
    [
        ContentKind.DeviceEvidence, ContentKind.MachineEvidence, ContentKind.ProcessorEvidence, ContentKind.AzureVtpm, ContentKind.EventLog, ContentKind.TdxCollateral, ContentKind.IntelStatement,
        ContentKind.TokenBundle, ContentKind.NvattestResult, ContentKind.Verdict, ContentKind.ReferenceManifest, ContentKind.Anchors, ContentKind.JsonPolicy,
    ];

    private readonly Option<string[]> _policies = new("--policy") { Description = "policies, compiled together", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _input = new("--input") { Description = "the document input, JSON; - for standard input; without it input is undefined", HelpName = "FILE" };
    private readonly Option<string?> _data = new("--data") { Description = "base documents under data: one JSON object", HelpName = "FILE" };
    private readonly Option<string?> _query = new("--query") { Description = "the query; without it data.policy.nv_match or data.policy.allow, whichever the policy has", HelpName = "QUERY" };
    private readonly Option<bool> _explain = new("--explain") { Description = "show on standard error which statements were reached, and their values" };
    private readonly Option<string?> _at = new("--at") { Description = "the clock of the policy; without it, now", HelpName = "RFC3339" };
    private readonly Option<int> _timeout = PolicyPatience.Option();
    private readonly Option<string> _format = Options.Format();
    private readonly DialectOptions _dialect = new();

    public static DescribedCommand Create()
    {
        var options = new PolicyEvalCommand();
        var command = new DescribedCommand(
            "eval",
            "Evaluates a policy query and prints the result as JSON.",
            "0 defined · 1 undefined or false · 2 unusable input, an error of the policy, or over budget",
            [
                "assay policy eval --policy policies/strict.rego --input claims.json --explain",
                "assay policy eval --policy mine.rego --input token.json --data limits.json --query data.policy.allow",
            ])
        {
            options._policies, options._input, options._data, options._query, options._explain, options._at, options._timeout, options._format,
        };
        options._dialect.AddTo(command);
        command.SetAction(options.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_policies)!.Append(parsed.GetValue(_input)).Append(parsed.GetValue(_data)).Count(file => file == "-") > 1)
        {
            return Unusable(parsed, [("cli.file", "only one of --policy, --input and --data can be -, as standard input is read once")], []);
        }

        var sources = PolicySources.Read(parsed.GetValue(_policies)!, _dialect.Of(parsed));
        var faults = sources.Unread.ToList();
        var input = Document(parsed.GetValue(_input), _input.Name, "the input of a policy: claims, or what assay verify --policy-input-out writes", faults);
        var data = Document(parsed.GetValue(_data), _data.Name, "a policy's base documents: one JSON object", faults);
        if (data is { IsObject: false })
        {
            faults.Add(("policy.malformed", PolicyFaults.NoObject(parsed.GetValue(_data)!, data)));
        }

        foreach (var (rule, file) in data is { IsObject: true } ? sources.Set.RulesIn(data) : [])
        {
            faults.Add(("policy.malformed", $"{parsed.GetValue(_data)}: {rule} is a rule of {file}: where it is undefined, the data would be used instead"));
        }

        if (!TryClock(parsed, out var clock, out var whyNot))
        {
            faults.Add(("cli.at", whyNot));
        }

        var errors = sources.Set.Errors;
        PolicyQuestion? question = null;
        using var patience = PolicyPatience.Start(parsed.GetValue(_timeout));
        if (faults.Count == 0 && errors.Count == 0 && TryQuery(parsed, sources.Set, faults, out var query))
        {
            sources.Set.TryAsk(query, data, parsed.GetValue(_explain), out question, out errors, patience.Token);
        }

        if (question is null)
        {
            if (errors.Any(error => error is { IsUnsafeVariable: true, File: "query" }))
            {
                faults.Add(("cli.query", $"--query names a rule in full, for example {sources.Set.Rules.FirstOrDefault(RegoPolicy.TrusteeRule)}"));
            }

            return Unusable(parsed, faults, errors);
        }

        return Answer(parsed, question.Ask(input, clock, line => Console.Error.WriteLine(Printable.Of(line)), patience.Token));
    }

    private int Answer(ParseResult parsed, PolicyAnswer answer)
    {
        var explain = parsed.GetValue(_explain);
        if (parsed.GetValue(_format) == Options.Json)
        {
            JsonOutput.Print(writer => answer.Write(writer, explain));
        }
        else
        {
            Print(answer);
            foreach (var line in explain ? answer.Explain() : [])
            {
                Console.Error.WriteLine(Printable.Of(line));
            }
        }

        if (answer.Error is { } error)
        {
            PolicyFaults.Report([], [error]);
        }

        return answer.State switch
        {
            PolicyAnswerState.Defined => ExitCode.Verified,
            PolicyAnswerState.Undefined => ExitCode.Refused,
            PolicyAnswerState.Failed => ExitCode.Unusable,
            _ => ExitCode.Internal,
        };
    }

    private static void Print(PolicyAnswer answer)
    {
        if (answer.HasValue)
        {
            JsonOutput.Print(answer.WriteValue);
        }
        else if (answer.Error is null)
        {
            // Not JSON's null, which is a value.
            Console.Out.WriteLine(answer.State is PolicyAnswerState.Undefined ? "undefined" : "true");
        }
    }

    private int Unusable(ParseResult parsed, List<(string Id, string Message)> faults, IReadOnlyList<PolicyError> errors)
    {
        if (parsed.GetValue(_format) == Options.Json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("defined", false);
                PolicyFaults.Write(writer, faults, errors);
                writer.WriteEndObject();
            });
        }

        PolicyFaults.Report(faults, errors);
        return ExitCode.Unusable;
    }

    private bool TryQuery(ParseResult parsed, PolicySet set, List<(string Id, string Message)> faults, [NotNullWhen(true)] out string? query)
    {
        query = parsed.GetValue(_query);
        if (query is not null)
        {
            return true;
        }

        if (!set.TryFindKnownRule(out query, out var problem))
        {
            faults.Add(("cli.query", $"{problem} in the policy: say with --query what is asked"));
        }

        return query is not null;
    }

    private bool TryClock(ParseResult parsed, out TimeProvider clock, [NotNullWhen(false)] out string? whyNot)
    {
        (clock, whyNot) = (TimeProvider.System, null);
        if (parsed.GetValue(_at) is not { } text)
        {
            return true;
        }

        var read = Instant.TryRead(text, out var instant, out whyNot);
        clock = new FixedClock(instant);
        whyNot = read ? null : $"--at: {whyNot}";
        return read;
    }

    private PolicyDocument? Document(string? file, string option, string takes, List<(string Id, string Message)> faults)
    {
        if (file is null)
        {
            return null;
        }

        if (!InputFile.TryRead(file, MostDocumentBytes, out var bytes, out var whyNot))
        {
            faults.Add(("cli.file", whyNot));
        }
        else if (PolicyDocument.TryParse(bytes, out var value, out var problem))
        {
            // Any JSON can be a policy's input, and of these none is what ours judge: nothing of it is defined to them.
            if (option == _input.Name && s_elsewhere.Contains(FileContent.Of(bytes).Kind))
            {
                Output.Error("cli.input", $"warning: {WrongFile.Message(InputFile.NameOf(file), option, takes, bytes, "")}");
            }

            return value;
        }
        else
        {
            faults.Add(("cli.input", WrongFile.Message(InputFile.NameOf(file), option, takes, bytes, problem, ContentKind.MalformedJson, ContentKind.Json, ContentKind.Claims)));
        }

        return null;
    }
}
