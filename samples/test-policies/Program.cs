using Assay.Policies;

// Compiles the policies of a folder and runs their tests, as opa test does.
var sources = Directory.EnumerateFiles(args[0], "*.rego").Order(StringComparer.Ordinal).Select(file => new PolicySource(Path.GetFileName(file), File.ReadAllText(file)));
var suite = new PolicyTestSuite(seconds: 10, TimeProvider.System);
if (!suite.TryAdd(PolicySet.Parse(sources, PolicyDialect.Detected), out var errors, CancellationToken.None))
{
    Console.Error.WriteLine(errors.Count == 0 ? "no tests were found" : string.Join('\n', errors.SelectMany(error => error.ToDisplay())));
    return 2;
}

suite.Run(CancellationToken.None);
foreach (var outcome in suite.Outcomes.Where(outcome => outcome.State is PolicyTestState.Failed))
{
    Console.WriteLine($"{outcome.File}: {outcome.Rule}: {outcome.Reason}");
}

Console.WriteLine($"{suite.Outcomes.Count(outcome => outcome.State is PolicyTestState.Passed)} of {suite.Outcomes.Count} passed; {suite.Reached} of {suite.Statements} statements were reached");
return suite.Outcomes.All(outcome => outcome.State is not PolicyTestState.Failed) ? 0 : 1;
