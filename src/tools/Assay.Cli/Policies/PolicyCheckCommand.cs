using System.CommandLine;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary><c>assay policy check</c>: parses and compiles files together, and shows every error at its place.</summary>
internal static class PolicyCheckCommand
{
    public static DescribedCommand Create()
    {
        var files = new Argument<string[]>("file") { Description = "policies, compiled together; - for standard input", HelpName = "FILE", Arity = ArgumentArity.OneOrMore };
        var strict = new Option<bool>("--strict") { Description = "unused assignments and imports are errors as well" };
        var dialect = new DialectOptions();
        var format = Options.Format();
        var command = new DescribedCommand(
            "check",
            "Parses and compiles policies, and shows all errors.",
            "0 all compile · 2 an error, or unusable input",
            [
                "assay policy check mine.rego",
                "assay policy check mine.rego library.rego --strict --format json",
            ])
        {
            files, strict, format,
        };
        dialect.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetValue(files)!, parsed.GetValue(strict), dialect.Of(parsed), parsed.GetValue(format) == Options.Json, cancellation)));
        return command;
    }

    private static int Run(string[] files, bool strict, PolicyDialect dialect, bool json, CancellationToken cancellation)
    {
        var sources = PolicySources.Read(files, dialect);
        var set = sources.Set;
        // A name that a file with an error would have defined is no second error.
        var errors = sources.AllRead ? set.Check(strict, cancellation) : set.Errors;
        var count = sources.Unread.Count + errors.Count;
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("ok", count == 0);
                PolicyFaults.Write(writer, sources.Unread, errors);
                writer.WriteEndObject();
            });
        }

        PolicyFaults.Report(sources.Unread, errors);
        if (errors.Count > 0 && sources is { AllRead: true, Set.Count: > 1 } && set.CompilesOneByOne(strict, cancellation))
        {
            Output.Error("cli.policy", "each of these files compiles alone: check policies that are not meant to stand together one by one");
        }

        if (count == 0 && !json)
        {
            var dialects = string.Join(" and ", set.Dialects.Select(one => one is PolicyDialect.V0 ? "v0" : "v1"));
            Console.Out.WriteLine($"{(set.Count == 1 ? "1 policy compiles." : $"{set.Count} policies compile together.")} Read as Rego {dialects}.");
        }

        return count == 0 ? ExitCode.Verified : ExitCode.Unusable;
    }
}
