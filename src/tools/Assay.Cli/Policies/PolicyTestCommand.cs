using System.CommandLine;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary><c>assay policy test</c>: runs the rules test_…, and says which statements of the files that are not named *_test.rego none of them reached.</summary>
internal static class PolicyTestCommand
{
    private const string JUnit = "junit";

    public static DescribedCommand Create()
    {
        var folders = new Argument<string[]>("dir") { Description = "folders with policies and their tests, the rules test_…; each is compiled as one, with the folders in it, or, where its policies exclude each other, as pairs of NAME.rego and NAME_test.rego", HelpName = "DIR", Arity = ArgumentArity.OneOrMore };
        var timeout = PolicyPatience.Option();
        var dialect = new DialectOptions();
        var format = new Option<string>("--format") { Description = "text for people, json for programs, junit for build servers", DefaultValueFactory = _ => "text" };
        format.OneOf("text", Options.Json, JUnit);
        var command = new DescribedCommand(
            "test",
            "Runs the tests of policies, with coverage.",
            "0 all passed · 1 one failed · 2 unusable input, or nothing to run",
            [
                "assay policy test policies",
                "assay policy test policies --format junit > policies.xml",
            ])
        {
            folders, timeout, format,
        };
        dialect.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetValue(folders)!, parsed.GetValue(timeout), dialect.Of(parsed), parsed.GetValue(format)!, cancellation)));
        return command;
    }

    private static int Run(string[] folders, int seconds, PolicyDialect dialect, string format, CancellationToken cancellation)
    {
        var suite = new PolicyTestSuite(seconds, TimeProvider.System);
        var (unread, errors) = (new List<(string Id, string Message)>(), new List<PolicyError>());
        // All are read before any runs: a suite that runs in part looks as if it had passed.
        foreach (var folder in folders.Distinct(StringComparer.Ordinal))
        {
            var sources = PolicySources.ReadFolder(folder, dialect);
            unread.AddRange(sources.Unread);
            if (sources.Unread.Count > 0)
            {
                errors.AddRange(sources.Set.Errors);
            }
            else if (!suite.TryAdd(sources.Set, out var found, cancellation))
            {
                errors.AddRange(found);
                if (found.Count == 0)
                {
                    unread.Add(("cli.tests", $"{folder}: no file *.rego in it has a rule test_…"));
                }
            }
        }

        if (unread.Count + errors.Count > 0)
        {
            PolicyFaults.Report(unread, errors);
            return ExitCode.Unusable;
        }

        suite.Run(cancellation);
        switch (format)
        {
            case Options.Json:
                PolicyTestReport.PrintJson(suite);
                break;
            case JUnit:
                PolicyTestReport.PrintJUnit(suite);
                break;
            default:
                PolicyTestReport.PrintText(suite);
                break;
        }

        // A suite of which nothing ran has not passed.
        return suite.Outcomes.Any(outcome => outcome.State is PolicyTestState.Passed) && suite.Outcomes.All(outcome => outcome.State is PolicyTestState.Passed or PolicyTestState.Skipped) ? ExitCode.Verified : ExitCode.Refused;
    }
}
