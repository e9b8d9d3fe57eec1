using Assay.Rego;
using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;

namespace Assay.Policies;

/// <summary>
/// Tests of policies. A folder is compiled as one, as OPA does it. A folder whose files cannot stand together, because each is a policy for
/// itself, is run by pairs instead: NAME_test.rego with NAME.rego alone, provided that every file of tests has its NAME.rego; what has no tests
/// is compiled alone, so that an error in it, or that nothing of it is tested, is seen. One thread uses a suite.
/// </summary>
/// <param name="seconds">The longest time for compiling a folder, and for one test.</param>
/// <param name="clock">Times the tests, and is the clock that they read.</param>
public sealed class PolicyTestSuite(int seconds, TimeProvider clock)
{
    private const string TestEnding = "_test.rego";
    private const string TestRule = "test_";
    private const string SkippedRule = "todo_test_";

    private readonly List<Unit> _units = [];
    private readonly List<PolicyTestOutcome> _outcomes = [];
    private readonly Dictionary<(string File, int Line, int Column), bool> _reached = [];

    /// <summary>The tests that ran or were skipped, in order.</summary>
    public IReadOnlyList<PolicyTestOutcome> Outcomes => _outcomes;

    /// <summary>The statements of the policies (not of the tests).</summary>
    public int Statements => _reached.Count;

    /// <summary>How many of them some test reached.</summary>
    public int Reached => _reached.Count(statement => statement.Value);

    /// <summary>File and line of what no test reached.</summary>
    public IEnumerable<(string File, int Line)> NotReached =>
        _reached.Where(statement => !statement.Value).Select(statement => (statement.Key.File, statement.Key.Line)).Distinct().Order();

    /// <summary>
    /// Compiles the policies and tests of one folder, which have no error so far. False when it cannot be run: with errors, or without any where nothing in it is a test.
    /// </summary>
    public bool TryAdd(PolicySet folder, out IReadOnlyList<PolicyError> errors, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        errors = folder.Errors;
        if (errors.Count > 0 || !folder.Modules.SelectMany(TestsOf).Any())
        {
            // Nothing tested is no pass.
            return false;
        }

        if (TryCompile(folder.Modules, out var found, cancellation))
        {
            return true;
        }

        var pairs = folder.Modules.Where(IsTest)
            .Select(test => folder.Modules.FirstOrDefault(module => module.File == test.File[..^TestEnding.Length] + ".rego") is { } tested ? (RegoModule[])[tested, test] : null).ToArray();
        if (Array.TrueForAll(pairs, pair => pair is not null))
        {
            var untested = folder.Modules.Except(pairs.SelectMany(pair => pair!)).Select(module => (RegoModule[])[module]);
            found = [.. pairs.Concat(untested).SelectMany(unit => TryCompile(unit!, out var wrong, cancellation) ? [] : wrong)];
        }

        errors = PolicyError.Of(found);
        return errors.Count == 0;
    }

    /// <summary>Runs every test of the folders that were added.</summary>
    public void Run(CancellationToken cancellation)
    {
        foreach (var unit in _units)
        {
            Count(StatementsOf(unit.Policy));
            foreach (var test in unit.Modules)
            {
                foreach (var (path, name) in TestsOf(test))
                {
                    cancellation.ThrowIfCancellationRequested();
                    _outcomes.Add(Run(unit.Policy, test.File, path, name, cancellation));
                }
            }
        }
    }

    private PolicyTestOutcome Run(CompiledPolicy policy, string file, string path, string name, CancellationToken cancellation)
    {
        if (name.StartsWith(SkippedRule, StringComparison.Ordinal))
        {
            return new PolicyTestOutcome(file, path, PolicyTestState.Skipped, "not to be run yet", TimeSpan.Zero, []);
        }

        if (!policy.TryPrepare(path, out var query, out var errors, new CompileBudget { Cancellation = cancellation }))
        {
            return new PolicyTestOutcome(file, path, PolicyTestState.Failed, string.Join("; ", errors), TimeSpan.Zero, []);
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var prints = new List<string>();
        var environment = new EvaluationEnvironment { Clock = clock, Print = (at, text) => prints.Add($"{at}: {text}") };
        var started = clock.GetTimestamp();
        var result = query.Evaluate(null, new EvaluationOptions { Environment = environment }, either.Token);
        cancellation.ThrowIfCancellationRequested();
        Count(result.Explanation);
        var reason = WhyNot(result, file, patience.IsCancellationRequested);
        return new PolicyTestOutcome(file, path, reason is null ? PolicyTestState.Passed : PolicyTestState.Failed, reason, clock.GetElapsedTime(started), prints);
    }

    private string? WhyNot(EvaluationResult result, string file, bool late) => result switch
    {
        { Error: not null } when late => $"it took more than {seconds} seconds",
        { Error: { } error } => error.ToString(),
        { IsTrue: true } => null,
        { Value: null } => $"undefined{Where(result, file)}",
        { Value.IsFalse: true } => "false",
        _ => $"a test is true or it failed; this one is a {result.Value!.KindName}",
    };

    // The statement of the test at which it ended says more than those of the policy, which end in many tests as they should.
    private static string Where(EvaluationResult result, string file)
    {
        var stopped = result.Explanation.LastOrDefault(statement => statement.Stopped && statement.Location.File == file);
        return stopped is null ? "" : $" at line {stopped.Location.Line}: {stopped.Text}";
    }

    private void Count(IReadOnlyList<ExplainedStatement> explanation)
    {
        foreach (var statement in explanation.Where(statement => !statement.Location.File.EndsWith(TestEnding, StringComparison.Ordinal)))
        {
            var key = (statement.Location.File, statement.Location.Line, statement.Location.Column);
            _reached[key] = _reached.GetValueOrDefault(key) || statement.Tried > 0;
        }
    }

    // A question that reaches no rule lists them all: what no test touches counts as well.
    private static IReadOnlyList<ExplainedStatement> StatementsOf(CompiledPolicy policy) =>
        policy.TryPrepare("true", out var query, out _) ? query.Evaluate(null).Explanation : [];

    private bool TryCompile(IReadOnlyList<RegoModule> modules, out IReadOnlyList<RegoError> errors, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var compiles = CompiledPolicy.TryCompile(modules, null, out var policy, out errors, new CompileOptions { Explain = true, Budget = new CompileBudget { Cancellation = either.Token } });
        if (compiles)
        {
            _units.Add(new Unit(policy!, modules));
        }

        return compiles;
    }

    private static bool IsTest(RegoModule module) => module.File.EndsWith(TestEnding, StringComparison.Ordinal);

    private static IEnumerable<(string Path, string Name)> TestsOf(RegoModule module) =>
        from rule in module.Rules.Distinct()
        where rule.StartsWith(module.Package + ".", StringComparison.Ordinal)
        let name = rule[(module.Package.Length + 1)..]
        where name.StartsWith(TestRule, StringComparison.Ordinal) || name.StartsWith(SkippedRule, StringComparison.Ordinal)
        select (rule, name);

    private sealed record Unit(CompiledPolicy Policy, IReadOnlyList<RegoModule> Modules);
}
