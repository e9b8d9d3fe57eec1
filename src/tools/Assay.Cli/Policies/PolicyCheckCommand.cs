using System.CommandLine;
using Assay.Rego;
using Assay.Rego.Syntax;

namespace Assay.Cli.Policies;

/// <summary><c>assay policy check</c>: parses and compiles files together, and shows every error at its place.</summary>
internal static class PolicyCheckCommand
{
    public static Command Create()
    {
        var files = new Argument<string[]>("file") { Description = "policies, compiled together; - for standard input", HelpName = "FILE", Arity = ArgumentArity.OneOrMore };
        var strict = new Option<bool>("--strict") { Description = "unused assignments and imports are errors as well" };
        var dialect = new PolicyDialect();
        var format = Options.Format();
        var command = new Command("check", "Parses and compiles policies, and shows all errors.") { files, strict, format };
        dialect.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetValue(files)!, new CompileOptions { Strict = parsed.GetValue(strict), Budget = new CompileBudget { Cancellation = cancellation } }, dialect.Of(parsed), parsed.GetValue(format) == Options.Json)));
        return command;
    }

    private static int Run(string[] files, CompileOptions options, RegoVersion version, bool json)
    {
        var sources = PolicySources.Read(files, version);
        var errors = sources.Errors;
        // A name that a file with an error would have defined is no second error.
        if (sources.AllRead)
        {
            CompiledPolicy.TryCompile(sources.Modules, null, out _, out errors, options);
        }

        var count = sources.Unread.Count + errors.Count;
        if (json)
        {
            PolicyJson.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("ok", count == 0);
                PolicyFaults.Write(writer, sources.Unread, errors);
                writer.WriteEndObject();
            });
        }

        PolicyFaults.Report(sources.Unread, errors);
        if (errors.Count > 0 && sources is { AllRead: true, Modules.Count: > 1 } && sources.Modules.All(module => CompiledPolicy.TryCompile([module], null, out _, out var _, options)))
        {
            Output.Error("cli.policy", "each of these files compiles alone: check policies that are not meant to stand together one by one");
        }

        if (count == 0 && !json)
        {
            var dialects = string.Join(" and ", sources.Modules.Select(module => module.Version is RegoVersion.V0 ? "v0" : "v1").Distinct().Order(StringComparer.Ordinal));
            Console.Out.WriteLine($"{(sources.Modules.Count == 1 ? "1 policy compiles." : $"{sources.Modules.Count} policies compile together.")} Read as Rego {dialects}.");
        }

        return count == 0 ? ExitCode.Verified : ExitCode.Unusable;
    }
}
