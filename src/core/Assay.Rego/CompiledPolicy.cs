using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Compilation;
using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego;

/// <summary>
/// Modules compiled together with their data: immutable, and evaluated by any number of threads at once without locks.
/// </summary>
public sealed class CompiledPolicy
{
    private readonly Compiler _compiler;
    private readonly CompileOptions _options;
    private readonly ConcurrentDictionary<object, object> _shared = new();

    private CompiledPolicy(Compiler compiler, Evaluation.Program program, RegoObject data, CompileOptions options) =>
        (_compiler, Program, Data, _options) = (compiler, program, data, options);

    /// <summary>The base documents under <c>data</c>.</summary>
    public RegoObject Data { get; }

    /// <summary>How much of the step budget compiling took.</summary>
    public long CompileSteps { get; private init; }

    internal Evaluation.Program Program { get; }

    internal ConcurrentDictionary<object, object> Shared => _shared;

    /// <summary>
    /// Compiles modules. Every error has file, line and column, but that of a compilation that took too much or was cancelled; the list is
    /// sorted by them.
    /// </summary>
    public static bool TryCompile(
        IEnumerable<RegoModule> modules,
        RegoObject? data,
        [NotNullWhen(true)] out CompiledPolicy? policy,
        out IReadOnlyList<RegoError> errors,
        CompileOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(modules);
        options ??= CompileOptions.Default;
        var work = WorkOf(options.Budget);
        var compiler = new Compiler([.. modules.Select(module => (module.Source, module.Node))], options.Builtins, options.Strict, options.Explain, work);
        policy = compiler.Compile() is { } program ? new CompiledPolicy(compiler, program, data ?? RegoObject.Empty, options) { CompileSteps = work.Steps } : null;
        errors = compiler.Errors;
        return policy is not null;
    }

    /// <summary>The same rules over other base documents.</summary>
    public CompiledPolicy WithData(RegoObject data) => new(_compiler, Program, data, _options) { CompileSteps = CompileSteps };

    /// <summary>Compiles a query: statements such as <c>data.policy.allow</c> or <c>x := data.users[_]; x.age > 17</c>. Without a budget it may take as many steps as the policy might.</summary>
    public bool TryPrepare(string query, [NotNullWhen(true)] out PreparedQuery? prepared, out IReadOnlyList<RegoError> errors, CompileBudget? budget = null)
    {
        ArgumentNullException.ThrowIfNull(query);
        var source = new Source("query", query);
        var (statements, error) = Parser.ParseQuery(source, v1: true);
        if (error is not null)
        {
            (prepared, errors) = (null, [error]);
            return false;
        }

        var faults = new Errors();
        prepared = null;
        try
        {
            prepared = Planned(source, statements, faults, WorkOf(budget ?? new CompileBudget { Steps = _options.Budget.Steps }));
        }
        catch (CompileHalt halt)
        {
            faults.Add(halt.Error);
        }

        errors = faults.All;
        return prepared is not null;
    }

    private PreparedQuery? Planned(Source source, ImmutableArray<Statement> statements, Errors faults, CompileWork work)
    {
        // The value of a query that is one expression is told as well.
        var alone = statements is [ExpressionStatement { Negated: false } only] && IsValue(only.Term) ? only : null;
        if (alone is not null)
        {
            statements = [new EquationStatement(alone.At, new VarTerm(alone.At, RowStep.ValueName), alone.Term, declares: false) { With = alone.With }];
        }

        var lowering = new Lowering(source, null, _compiler.Globals, faults, _options.Strict, work);
        var (body, locals) = lowering.Query(statements);
        TypeCheck.Query(source, body, faults, work);
        if (faults.Any)
        {
            return null;
        }

        var emitter = new Emitter(source, Program.Root, faults, work, lowering.FrameSize);
        var row = new RowStep([.. locals.Where(local => !local.IsGenerated).Select(local => (new RegoString(local.Name), local.Slot))]);
        var first = emitter.Branch(body, [], _ => row);
        return faults.Any ? null : new PreparedQuery(this, first, emitter.FrameSize) { CompileSteps = work.Steps };
    }

    private static CompileWork WorkOf(CompileBudget budget) => new(budget.Steps, budget.Cancellation);

    // A call with one argument too many is a statement, not a value.
    private bool IsValue(Term term) =>
        term is not CallTerm call || call.Function is VarTerm or RefTerm && _compiler.Globals.Builtin(Printer.Print(call.Function)) is { IsRelation: false } builtin && builtin.Arity == call.Arguments.Length
        || _compiler.Globals.Arities.GetValueOrDefault(Printer.Print(call.Function), -1) == call.Arguments.Length;
}
