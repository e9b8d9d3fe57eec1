using System.Collections.Immutable;
using System.Globalization;
using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

internal sealed partial class Lowering
{
    /// <summary>print is variadic and has its own place in the evaluator.</summary>
    internal static readonly Builtin Print = new(OperatorBuiltins.Print, [RegoTypes.Array], RegoTypes.Boolean, (_, _) => RegoBoolean.True) { NotMockable = true };

    private int _parts;

    private sealed record Target(string Name, int Arity, Builtin? Builtin, RegoValue[]? Path);

    private LTerm Term(Term term, Scope scope)
    {
        _work.Tick();
        switch (term)
        {
            case ScalarTerm scalar:
                return new LConst(term.At, scalar.Value);
            case VarTerm name:
                return Name(name, scope);
            case RefTerm reference:
                return Reference(reference, scope);
            case CallTerm call:
                return CallInTerm(call, scope);
            case InfixTerm infix:
                return Infix(infix, scope);
            case MemberTerm member:
                return new LCall(term.At, _globals.Builtin(OperatorBuiltins.MemberWithKey), null, [Term(member.Key, scope), Term(member.Value, scope), Term(member.Collection, scope)]);
            case ArrayTerm array:
                return Folded(new LArray(term.At, [.. array.Items.Select(item => Term(item, scope))]));
            case SetTerm set:
                return Folded(new LSet(term.At, [.. set.Items.Select(item => Term(item, scope))]));
            case ObjectTerm pairs:
                return Folded(new LObject(term.At, [.. pairs.Pairs.Select(pair => (Term(pair.Key, scope), Term(pair.Value, scope)))]));
            case ComprehensionTerm comprehension:
                return Comprehension(term.At, comprehension.Kind, comprehension.Key, comprehension.Value, comprehension.Body, scope);
            default:
                return Template((TemplateTerm)term, scope);
        }
    }

    private LTerm Name(VarTerm name, Scope scope)
    {
        if (name.IsWildcard)
        {
            return new LLocal(name.At, Made("_", name.At, generated: true));
        }

        if (scope.Find(name.Name) is { } local)
        {
            if (scope.Pending.Contains(name.Name) && scope.FindHere(name.Name) is null && !IsArgument(name.Name, scope))
            {
                Error(RegoErrorCode.CompileError, name.At, $"var {name.Name} referenced above");
            }

            return Use(local, name.At);
        }

        if (Global(name) is { } global)
        {
            return global;
        }

        // Only a name that a later statement declares gets here.
        if (scope.Pending.Contains(name.Name))
        {
            Error(RegoErrorCode.CompileError, name.At, $"var {name.Name} referenced above");
        }

        var made = Made(name.Name, name.At);
        if (!scope.Pending.Contains(name.Name))
        {
            scope.Set(name.Name, made);
        }

        return Use(made, name.At);
    }

    // Declaring an argument again is told where it is declared.
    private static bool IsArgument(string name, Scope scope) => scope.Outer is { Outer: null } arguments && arguments.FindHere(name) is not null;

    private LTerm? Global(VarTerm name)
    {
        if (_module is not null && _globals.HasRule(_module.Package, name.Name))
        {
            return new LRef(name.At, new LData(name.At), [.. Path(_module.Package, name.At), new LConst(name.At, new RegoString(name.Name))]);
        }

        if (_imports.TryGetValue(name.Name, out var import) && import.Path[0] is "data" or "input")
        {
            UsedImports.Add(import);
            LTerm root = import.Path[0] == "data" ? new LData(name.At) : new LInput(name.At);
            return import.Path.Length == 1 ? root : new LRef(name.At, root, [.. Path([.. import.Path.Skip(1)], name.At)]);
        }

        return name.Name switch { "input" => new LInput(name.At), "data" => new LData(name.At), _ => null };
    }

    private static IEnumerable<LTerm> Path(ImmutableArray<string> path, Position at) => path.Select(word => new LConst(at, new RegoString(word)));

    private LRef Reference(RefTerm reference, Scope scope)
    {
        // ((a.b).c).d is one path, put together once.
        var parts = new Stack<RefTerm>([reference]);
        while (parts.Peek().Head is RefTerm inner)
        {
            _work.Tick();
            parts.Push(inner);
        }

        var head = Term(parts.Peek().Head, scope);
        var path = new List<LTerm>(head is LRef global ? global.Path : []);
        foreach (var element in parts.SelectMany(part => part.Path))
        {
            path.Add(Term(element, scope));
        }

        return new LRef(reference.At, head is LRef root ? root.Head : head, [.. path]);
    }

    private LCall Infix(InfixTerm infix, Scope scope)
    {
        var name = infix.Symbol switch
        {
            "+" => "plus",
            "-" => "minus",
            "*" => "mul",
            "/" => "div",
            "%" => "rem",
            "&" => "and",
            "|" => "or",
            "==" => "equal",
            "!=" => "neq",
            "<" => "lt",
            "<=" => "lte",
            ">" => "gt",
            ">=" => "gte",
            _ => OperatorBuiltins.Member,
        };
        return new LCall(infix.At, _globals.Builtin(name), null, [Term(infix.Left, scope), Term(infix.Right, scope)]);
    }

    private LTerm CallInTerm(CallTerm call, Scope scope)
    {
        var arguments = call.Arguments.Select(argument => Term(argument, scope)).ToArray();
        if (Callee(call, scope) is not { } callee)
        {
            return new LConst(call.At, RegoNull.Value);
        }

        if (callee.Arity >= 0 && arguments.Length != callee.Arity)
        {
            Error(RegoErrorCode.TypeError, call.At, string.Create(CultureInfo.InvariantCulture, $"{callee.Name}: arity mismatch: got {arguments.Length} arguments, expected {callee.Arity}"));
        }

        return Call(call.At, callee, arguments);
    }

    private LTerm Call(Position at, Target callee, LTerm[] arguments)
    {
        switch (callee.Name)
        {
            case "rego.metadata.rule" when callee.Builtin is not null && callee.Path is null:
                return new LConst(at, MetadataRule());
            case "rego.metadata.chain" when callee.Builtin is not null && callee.Path is null:
                return new LConst(at, MetadataChain());
            default:
                return new LCall(at, callee.Builtin, callee.Path, arguments);
        }
    }

    /// <summary>The function that a call names; null after an error.</summary>
    private Target? Callee(CallTerm call, Scope scope)
    {
        if (FunctionAt(call.Function, scope) is { } target)
        {
            if (target.Builtin is { Deprecated: true } old && (_module is null || _module.IsV1 || _strict))
            {
                Error(RegoErrorCode.TypeError, call.At, $"deprecated built-in function calls in expression: {old.Name}");
            }

            if (target.Builtin is not null && target.Name == OperatorBuiltins.Print)
            {
                return target with { Arity = -1 };
            }

            return target;
        }

        Error(RegoErrorCode.TypeError, call.At, $"undefined function {Printer.Print(call.Function)}");
        return null;
    }

    private Target? FunctionAt(Term function, Scope scope)
    {
        var (head, path) = Split(function);
        if (path.Any(element => element is not ScalarTerm { Value: RegoString }))
        {
            return null;
        }

        var words = path.Select(element => ((ScalarTerm)element).Value).ToArray();
        if (scope.Find(head.Name) is null && Global(head) is { } global && global is LData or LRef { Head: LData })
        {
            RegoValue[] full = [.. global is LRef root ? root.Path.Select(element => ((LConst)element).Value) : [], .. words];
            var name = PathWriter.Write(full);
            if (_globals.Arities.TryGetValue(name, out var arity) && arity >= 0)
            {
                return new Target(name, arity, null, full);
            }
        }

        var dotted = string.Join('.', [head.Name, .. words.Select(word => ((RegoString)word).Value)]);
        if (dotted == OperatorBuiltins.Print)
        {
            return new Target(dotted, -1, Print, null);
        }

        if (dotted is "rego.metadata.rule" or "rego.metadata.chain")
        {
            return new Target(dotted, 0, Print, null);
        }

        return _globals.Builtin(dotted) is { } builtin ? new Target(dotted, builtin.Arity, builtin, null) : null;
    }

    private static (VarTerm Head, ImmutableArray<Term> Path) Split(Term name) =>
        name is RefTerm reference ? ((VarTerm)reference.Head, reference.Path) : ((VarTerm)name, []);

    /// <summary>Each part becomes a set of at most one value, so that an undefined part is an empty set.</summary>
    private LCall Template(TemplateTerm template, Scope scope)
    {
        var parts = template.Parts.Select(part => part.Text is not null ? (LTerm)new LConst(template.At, new RegoString(part.Text)) : Part(part.Expression!, scope)).ToArray();
        return new LCall(template.At, _globals.Builtin(OperatorBuiltins.Template), null, [new LArray(template.At, parts)]);
    }

    private LComprehension Part(Statement expression, Scope scope)
    {
        // {x | x = expression with …}: a name that no source can hold.
        var name = new VarTerm(expression.At, string.Create(CultureInfo.InvariantCulture, $"$part{_parts++}"));
        var equation = new EquationStatement(expression.At, name, ((ExpressionStatement)expression).Term, declares: false) { With = expression.With };
        return Comprehension(expression.At, RegoKind.Set, null, name, [equation], scope);
    }

    private LWith? With(WithModifier modifier, Scope scope)
    {
        var (head, path) = Split(modifier.Target);
        if (path.Any(element => element is not ScalarTerm))
        {
            Error(RegoErrorCode.TypeError, modifier.At, "with keyword target must be a path without variables");
            return null;
        }

        var words = path.Select(element => ((ScalarTerm)element).Value).ToArray();
        var global = scope.Find(head.Name) is null ? Global(head) : null;
        switch (global)
        {
            case LInput:
                return new LWith(modifier.At, WithTarget.Input, words, null, Term(modifier.Value, scope), null, null);
            case LRef { Head: LInput } input:
                return new LWith(modifier.At, WithTarget.Input, [.. input.Path.Select(element => ((LConst)element).Value), .. words], null, Term(modifier.Value, scope), null, null);
            case LData or LRef { Head: LData }:
                RegoValue[] full = [.. global is LRef root ? root.Path.Select(element => ((LConst)element).Value) : [], .. words];
                if (_globals.Arities.TryGetValue(PathWriter.Write(full), out var arity) && arity >= 0)
                {
                    return Mock(modifier, full, null, arity, scope);
                }

                return new LWith(modifier.At, WithTarget.Data, full, null, Term(modifier.Value, scope), null, null);
            default:
                if (FunctionAt(modifier.Target, scope) is { Builtin: { NotMockable: false } builtin })
                {
                    return Mock(modifier, [], builtin, builtin.Arity, scope);
                }

                Error(RegoErrorCode.TypeError, modifier.At, $"with keyword target must reference existing input, data, or a function: {Printer.Print(modifier.Target)}");
                return null;
        }
    }

    private LWith? Mock(WithModifier modifier, RegoValue[] path, Builtin? builtin, int arity, Scope scope)
    {
        if (modifier.Value is VarTerm or RefTerm { Head: VarTerm } && !IsLocal(modifier.Value, scope) && FunctionAt(modifier.Value, scope) is { } by)
        {
            if (by.Arity != arity)
            {
                Error(RegoErrorCode.TypeError, modifier.At, string.Create(CultureInfo.InvariantCulture, $"{by.Name}: arity mismatch: got {arity} arguments, expected {by.Arity}"));
                return null;
            }

            return new LWith(modifier.At, WithTarget.Function, path, builtin, new LConst(modifier.At, RegoNull.Value), by.Builtin, by.Path);
        }

        return new LWith(modifier.At, WithTarget.Function, path, builtin, Term(modifier.Value, scope), null, null);
    }

    private static bool IsLocal(Term term, Scope scope) => scope.Find(term is RefTerm reference ? ((VarTerm)reference.Head).Name : ((VarTerm)term).Name) is not null;

    /// <summary>Composites of constants are constants, made once.</summary>
    private static LTerm Folded(LTerm term)
    {
        switch (term)
        {
            case LArray array when array.Items.All(item => item is LConst):
                return new LConst(term.At, RegoArray.From(array.Items.Select(item => ((LConst)item).Value)));
            case LSet set when set.Items.All(item => item is LConst):
                return new LConst(term.At, RegoSet.From(set.Items.Select(item => ((LConst)item).Value)));
            case LObject pairs when pairs.Pairs.All(pair => pair is (LConst, LConst)):
                var builder = new RegoObjectBuilder();
                foreach (var (key, value) in pairs.Pairs)
                {
                    if (!builder.TryAdd(((LConst)key).Value, ((LConst)value).Value))
                    {
                        return term;
                    }
                }

                return new LConst(term.At, builder.Build());
            default:
                return term;
        }
    }
}
