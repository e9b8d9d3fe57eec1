using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Rego;
using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Cli.Policies;

/// <summary>
/// <c>assay policy eval</c>: asks a query, as <c>opa eval</c> does, with the verifier's limits. The result goes to standard output as JSON;
/// prints, explanation and errors go to standard error.
/// </summary>
internal sealed class PolicyEvalCommand
{
    // Documents of a machine of 64 GPUs are below 1 MB.
    private const int MostDocumentBytes = 64 << 20;

    private readonly Option<string[]> _policies = new("--policy") { Description = "policies, compiled together", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _input = new("--input") { Description = "the document input, JSON; - for standard input; without it input is undefined", HelpName = "FILE" };
    private readonly Option<string?> _data = new("--data") { Description = "base documents under data: one JSON object", HelpName = "FILE" };
    private readonly Option<string?> _query = new("--query") { Description = "what is asked; without it data.policy.nv_match or data.policy.allow, whichever the policy has", HelpName = "QUERY" };
    private readonly Option<bool> _explain = new("--explain") { Description = "show on standard error which statements were reached, and what they saw" };
    private readonly Option<string?> _at = new("--at") { Description = "the clock of the policy; without it, now", HelpName = "RFC3339" };
    private readonly Option<int> _timeout = PolicyPatience.Option();
    private readonly Option<string> _format = Options.Format();
    private readonly PolicyDialect _dialect = new();

    public static Command Create()
    {
        var options = new PolicyEvalCommand();
        var command = new Command("eval", "Asks a policy a question and prints the answer as JSON.")
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
        var input = Document(parsed.GetValue(_input), faults);
        var data = Document(parsed.GetValue(_data), faults);
        if (data is not null and not RegoObject)
        {
            faults.Add(("policy.malformed", PolicyDocuments.NoObject(parsed.GetValue(_data)!, data)));
        }

        foreach (var module in data is RegoObject ? sources.Modules : [])
        {
            if (module.FirstRuleIn((RegoObject)data!) is { } covered)
            {
                faults.Add(("policy.malformed", $"{parsed.GetValue(_data)}: {covered} is a rule of {module.File}, and where it is undefined, the data would answer for it"));
            }
        }

        if (!TryClock(parsed, out var clock, out var whyNot))
        {
            faults.Add(("cli.at", whyNot));
        }

        var errors = sources.Errors;
        PreparedQuery? prepared = null;
        using var patience = PolicyPatience.Start(parsed.GetValue(_timeout));
        var budget = new CompileBudget { Cancellation = patience.Token };
        if (faults.Count == 0 && errors.Count == 0 && TryQuery(parsed, sources.Modules, faults, out var query)
            && CompiledPolicy.TryCompile(sources.Modules, (RegoObject?)data, out var compiled, out errors, new CompileOptions { Explain = parsed.GetValue(_explain), Budget = budget }))
        {
            compiled.TryPrepare(query, out prepared, out errors, budget);
        }

        if (prepared is null)
        {
            if (errors.Any(error => error is { Code: RegoErrorCode.UnsafeVarError, Location.File: "query" }))
            {
                faults.Add(("cli.query", $"--query names a rule in full, for example {sources.Modules.SelectMany(module => module.Rules).FirstOrDefault(RegoPolicy.TrusteeRule)}"));
            }

            return Unusable(parsed, faults, errors);
        }

        var environment = new EvaluationEnvironment { Clock = clock, Print = (at, text) => Console.Error.WriteLine(Printable.Of($"{at}: {text}")) };
        return Answer(parsed, prepared.Evaluate(input, new EvaluationOptions { Environment = environment }, patience.Token));
    }

    private int Answer(ParseResult parsed, EvaluationResult result)
    {
        var answer = new PolicyAnswer(result);
        var explain = parsed.GetValue(_explain);
        if (parsed.GetValue(_format) == Options.Json)
        {
            PolicyJson.Print(writer => answer.Write(writer, explain));
        }
        else
        {
            answer.Print();
            if (explain)
            {
                answer.Explain();
            }
        }

        if (result.Error is { } error)
        {
            PolicyFaults.Report([], [error]);
        }

        return answer.ExitCode;
    }

    private int Unusable(ParseResult parsed, List<(string Id, string Message)> faults, IReadOnlyList<RegoError> errors)
    {
        if (parsed.GetValue(_format) == Options.Json)
        {
            PolicyJson.Print(writer =>
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

    private bool TryQuery(ParseResult parsed, IReadOnlyList<RegoModule> modules, List<(string Id, string Message)> faults, [NotNullWhen(true)] out string? query)
    {
        query = parsed.GetValue(_query);
        if (query is not null)
        {
            return true;
        }

        var known = modules.SelectMany(module => module.Rules).Where(rule => rule is RegoPolicy.NvidiaRule or RegoPolicy.TrusteeRule).Distinct().ToArray();
        query = known.Length == 1 ? known[0] : null;
        if (query is null)
        {
            faults.Add(("cli.query", $"{(known.Length == 0 ? "neither" : "both")} {RegoPolicy.NvidiaRule} {(known.Length == 0 ? "nor" : "and")} {RegoPolicy.TrusteeRule} {(known.Length == 0 ? "stands" : "stand")} in the policy: say with --query what is asked"));
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
        clock = new Stated(instant);
        whyNot = read ? null : $"--at: {whyNot}";
        return read;
    }

    private static RegoValue? Document(string? file, List<(string Id, string Message)> faults)
    {
        if (file is null)
        {
            return null;
        }

        if (!InputFile.TryRead(file, MostDocumentBytes, out var bytes, out var whyNot))
        {
            faults.Add(("cli.file", whyNot));
        }
        else if (RegoJson.TryRead(bytes, out var value, out var problem))
        {
            return value;
        }
        else
        {
            faults.Add(("cli.input", string.Create(CultureInfo.InvariantCulture, $"{file}: {problem}")));
        }

        return null;
    }

    private sealed class Stated(DateTimeOffset instant) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => instant;
    }
}
