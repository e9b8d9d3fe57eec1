using System.Collections.Immutable;
using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Resolves the names of one rule or query, and turns its syntax into terms whose type says what they mean.</summary>
internal sealed partial class Lowering
{
    private readonly Source _source;
    private readonly ModuleNode? _module;
    private readonly Globals _globals;
    private readonly Errors _errors;
    private readonly bool _strict;
    private readonly CompileWork _work;
    private readonly Dictionary<string, ImportNode> _imports;
    private readonly Stack<Closure> _closures = new();

    // Slot 0 takes the result, the arguments follow.
    private int _slots = 1;

    public Lowering(Source source, ModuleNode? module, Globals globals, Errors errors, bool strict, CompileWork work, Dictionary<string, ImportNode>? imports = null)
    {
        (_source, _module, _globals, _errors, _strict, _work) = (source, module, globals, errors, strict, work);
        _imports = imports ?? [];
    }

    /// <summary>The imports of a module by name, made once for all its rules.</summary>
    public static Dictionary<string, ImportNode> ImportsOf(ModuleNode module)
    {
        var imports = new Dictionary<string, ImportNode>(StringComparer.Ordinal);
        foreach (var import in module.Imports)
        {
            imports[import.Name] = import;
        }

        return imports;
    }

    public int FrameSize => _slots;

    public List<Local> ArgumentLocals { get; } = [];

    /// <summary>What rego.metadata.rule() and .chain() give in this rule.</summary>
    public Func<RegoValue> MetadataRule { get; init; } = () => RegoObject.Empty;

    public Func<RegoValue> MetadataChain { get; init; } = () => RegoArray.Empty;

    /// <summary>Imports that something used, for the strict mode.</summary>
    public HashSet<ImportNode> UsedImports { get; } = [];

    private sealed record Closure(HashSet<Local> Own, HashSet<Local> Free);

    public LBranch[] Rule(RuleNode rule, int prefix)
    {
        var arguments = new Scope(null);
        var equations = Arguments(rule, arguments, out var patterns);
        var branches = new List<LBranch>();
        foreach (var branch in rule.Branches)
        {
            var scope = new Scope(arguments) { Pending = Names.Declared(branch.Body) };
            var used = new Names(_work);
            used.Used(branch.Body);
            used.Used(branch.Value);
            used.Used(rule.Member);
            foreach (var term in (IEnumerable<Term>)[.. rule.Path, .. patterns])
            {
                used.Used(term);
            }

            Implicit(used.Found, scope, rule.At);
            LStatement[] head = [.. equations.Select(equation => new LEquation(equation.At, equation.Local, Term(equation.Pattern, scope)))];
            LStatement[] body = [.. head, .. Body(branch.Body, scope)];
            var path = rule.Path.Skip(prefix).Select(element => Term(element, scope)).ToArray();
            var value = rule.Member ?? branch.Value;
            branches.Add(new LBranch(branch.At, body, path, value is null ? new LConst(branch.At, RegoBoolean.True) : Term(value, scope)));
            CheckUnused(scope);
            scope.Close();
        }

        return [.. branches];
    }

    public (LStatement[] Body, IReadOnlyList<Local> Named) Query(ImmutableArray<Statement> query)
    {
        var scope = new Scope(null) { Pending = Names.Declared(query) };
        var used = new Names(_work);
        used.Used(query);
        Implicit(used.Found, scope, default);
        var body = Body(query, scope);
        return (body, [.. scope.Own]);
    }

    private List<(Position At, LLocal Local, Term Pattern)> Arguments(RuleNode rule, Scope scope, out List<Term> patterns)
    {
        var equations = new List<(Position, LLocal, Term)>();
        patterns = [];
        foreach (var argument in rule.Arguments ?? [])
        {
            if (argument is VarTerm { IsWildcard: false } name && scope.FindHere(name.Name) is null)
            {
                var local = Made(name.Name, name.At);
                ArgumentLocals.Add(local);
                scope.Set(name.Name, local);
            }
            else
            {
                var local = Made("_", argument.At, generated: true);
                ArgumentLocals.Add(local);
                if (argument is not VarTerm { IsWildcard: true })
                {
                    equations.Add((argument.At, new LLocal(argument.At, local), argument));
                    patterns.Add(argument);
                }
            }
        }

        // Names inside patterns are arguments too: a body may not declare them again.
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var pattern in patterns)
        {
            Names.Pattern(pattern, names);
        }

        foreach (var name in names.Where(name => scope.FindHere(name) is null))
        {
            scope.Set(name, Made(name, rule.At));
        }

        return equations;
    }

    /// <summary>Gives the body a variable for each name that means nothing else.</summary>
    private void Implicit(HashSet<string> used, Scope scope, Position at)
    {
        foreach (var name in used.Order(StringComparer.Ordinal))
        {
            if (!scope.Pending.Contains(name) && scope.Find(name) is null && !IsGlobal(name))
            {
                scope.Set(name, Made(name, at));
            }
        }
    }

    private bool IsGlobal(string name) =>
        name is "input" or "data" || _imports.ContainsKey(name) || (_module is not null && _globals.HasRule(_module.Package, name));

    private Local Made(string name, Position at, bool generated = false)
    {
        var local = new Local(name, at, _slots++) { IsGenerated = generated };
        if (_closures.TryPeek(out var closure))
        {
            closure.Own.Add(local);
        }

        return local;
    }

    private LLocal Use(Local local, Position at)
    {
        local.Uses++;
        if (_closures.TryPeek(out var closure) && !closure.Own.Contains(local))
        {
            closure.Free.Add(local);
        }

        return new LLocal(at, local);
    }

    private LStatement[] Body(ImmutableArray<Statement> body, Scope scope)
    {
        var statements = new List<LStatement>();
        foreach (var statement in body)
        {
            if (statement is SomeStatement some)
            {
                foreach (var name in some.Names)
                {
                    Declare(name, scope);
                }

                continue;
            }

            if (Statement(statement, scope) is { } lowered)
            {
                statements.Add(lowered);
            }
        }

        return [.. statements];
    }

    private LStatement? Statement(Statement statement, Scope scope)
    {
        var with = statement.With.Select(modifier => With(modifier, scope)).OfType<LWith>().ToArray();
        LStatement lowered;
        switch (statement)
        {
            case EquationStatement { Declares: true } equation:
                var right = Term(equation.Right, scope);
                lowered = new LEquation(statement.At, DeclarePattern(equation.Left, scope), right);
                break;
            case EquationStatement equation:
                lowered = new LEquation(statement.At, Term(equation.Left, scope), Term(equation.Right, scope));
                break;
            case SomeInStatement some:
                var collection = Term(some.Collection, scope);
                lowered = new LSomeIn(statement.At, some.Key is null ? null : DeclarePattern(some.Key, scope, again: true), DeclarePattern(some.Value, scope, again: true), collection);
                break;
            case EveryStatement every:
                lowered = Every(every, scope);
                break;
            default:
                lowered = Expression(((ExpressionStatement)statement).Term, scope);
                break;
        }

        lowered = lowered with { Negated = statement.Negated, With = with, Written = statement };
        return statement.Negated ? WithOperandsBefore(lowered, statement) : lowered;
    }

    /// <summary>A bare call with one argument more than the function takes unifies its result with that.</summary>
    private LStatement Expression(Term term, Scope scope)
    {
        if (term is CallTerm call && Callee(call, scope) is { } callee && call.Arguments.Length == callee.Arity + 1)
        {
            var arguments = call.Arguments.Select(argument => Term(argument, scope)).ToArray();
            return new LEquation(call.At, Call(call.At, callee, arguments[..^1]), arguments[^1]);
        }

        return new LExpression(term.At, Term(term, scope));
    }

    private LEvery Every(EveryStatement every, Scope scope)
    {
        var domain = Term(every.Domain, scope);
        var closure = new Closure([], []);
        _closures.Push(closure);
        var names = new Scope(scope);
        Local? key = every.Key is null ? null : Made(every.Key.Name, every.Key.At, every.Key.IsWildcard);
        if (key is { IsGenerated: false })
        {
            names.Set(key.Name, key);
        }

        var value = Made(every.Value.Name, every.Value.At, every.Value.IsWildcard);
        if (!value.IsGenerated)
        {
            names.Set(value.Name, value);
        }

        var inner = new Scope(names) { Pending = Names.Declared(every.Body) };
        var used = new Names(_work);
        used.Used(every.Body);
        Implicit(used.Found, inner, every.At);
        var body = Body(every.Body, inner);
        CheckUnused(inner);
        inner.Close();
        names.Close();
        _closures.Pop();
        Outward(closure);
        return new LEvery(every.At, key, value, domain, body, closure.Free);
    }

    private LComprehension Comprehension(Position at, RegoKind kind, Term? key, Term value, ImmutableArray<Statement> written, Scope scope)
    {
        var closure = new Closure([], []);
        _closures.Push(closure);
        var inner = new Scope(scope) { Pending = Names.Declared(written) };
        var used = new Names(_work);
        used.Used(written);
        used.Used(key);
        used.Used(value);
        Implicit(used.Found, inner, at);
        var body = Body(written, inner);
        var (loweredKey, loweredValue) = (key is null ? null : Term(key, inner), Term(value, inner));
        CheckUnused(inner);
        inner.Close();
        _closures.Pop();
        Outward(closure);
        return new LComprehension(at, kind, loweredKey, loweredValue, body, closure.Free);
    }

    // What an inner closure takes from outside, the closure around it takes too, unless it is its own.
    private void Outward(Closure closure)
    {
        _work.Tick(closure.Free.Count);
        if (_closures.TryPeek(out var around))
        {
            around.Free.UnionWith(closure.Free.Where(local => !around.Own.Contains(local)));
        }
    }

    private LTerm DeclarePattern(Term term, Scope scope, bool again = false)
    {
        _work.Tick();
        switch (term)
        {
            case VarTerm { IsWildcard: false } name:
                if (again && scope.FindHere(name.Name) is { } present)
                {
                    return Use(present, name.At);
                }

                if (Declare(name, scope) is not { } declared)
                {
                    return new LConst(term.At, RegoNull.Value);
                }

                declared.IsAssigned = !again;
                return new LLocal(name.At, declared);
            case ArrayTerm array:
                return Folded(new LArray(array.At, [.. array.Items.Select(item => DeclarePattern(item, scope, again))]));
            case ObjectTerm pairs:
                return Folded(new LObject(pairs.At, [.. pairs.Pairs.Select(pair => (Term(pair.Key, scope), DeclarePattern(pair.Value, scope, again)))]));
            case VarTerm or ScalarTerm:
                return Term(term, scope);
            default:
                if (again)
                {
                    return Term(term, scope);
                }

                Error(RegoErrorCode.CompileError, term.At, $"cannot assign to {Described(term)}");
                return new LConst(term.At, RegoNull.Value);
        }
    }

    private Local? Declare(VarTerm name, Scope scope)
    {
        if (name.IsWildcard)
        {
            return Made("_", name.At, generated: true);
        }

        var present = scope.FindHere(name.Name);
        if (present is not null)
        {
            Error(RegoErrorCode.CompileError, name.At, present.IsAssigned ? $"var {name.Name} assigned above" : $"var {name.Name} declared above");
            return null;
        }

        if (scope.Outer is { Outer: null } arguments && arguments.FindHere(name.Name) is not null)
        {
            Error(RegoErrorCode.CompileError, name.At, $"arg {name.Name} redeclared");
            return null;
        }

        if (name.Name is "input" or "data" && (_module is null || _module.IsV1 || _strict))
        {
            Error(RegoErrorCode.CompileError, name.At, $"variables must not shadow {name.Name} (use a different variable name)");
            return null;
        }

        var local = Made(name.Name, name.At);
        scope.Set(name.Name, local);
        return local;
    }

    private void CheckUnused(Scope scope)
    {
        if (!_strict)
        {
            return;
        }

        foreach (var local in scope.Own.Where(local => local is { IsAssigned: true, Uses: 0 }))
        {
            Error(RegoErrorCode.CompileError, local.At, $"assigned var {local.Name} unused");
        }
    }

    private static string Described(Term term) => term switch
    {
        RefTerm => "ref",
        CallTerm or InfixTerm or MemberTerm => "call",
        SetTerm => "set",
        ComprehensionTerm comprehension => $"{RegoValue.NameOf(comprehension.Kind)}comprehension",
        TemplateTerm => "template string",
        _ => "term",
    };

    private void Error(RegoErrorCode code, Position at, string message) => _errors.Add(code, _source, at, message);
}
