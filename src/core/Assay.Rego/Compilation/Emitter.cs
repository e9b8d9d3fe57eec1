using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>
/// Orders the statements of a body so that each has what it needs, and turns them into steps. Which variable is bound where
/// is decided here, once; evaluation binds and compares without asking.
/// </summary>
internal sealed partial class Emitter
{
    // Behind these many characters of a statement its text is cut: those of nested closures would hold each other's texts.
    private const int LongestText = 1_000;

    private readonly Source _source;
    private readonly Errors _errors;
    private readonly CompileWork _work;
    private readonly List<TracePoint>? _points;
    private readonly Bindings _bound = new();
    private readonly Plan _plan = new();
    private readonly Freedom _freedom;
    private int _slots;

    public Emitter(Source source, DataNode root, Errors errors, CompileWork work, int firstFreeSlot, List<TracePoint>? points = null)
    {
        (_source, Root, _errors, _work, _slots, _points) = (source, root, errors, work, firstFreeSlot, points);
        _freedom = new Freedom(_bound, work);
    }

    public int FrameSize => _slots;

    private DataNode Root { get; }

    /// <summary>The steps of a rule's branch, ended by the step that <paramref name="end"/> makes.</summary>
    public Step Branch(LStatement[] body, IEnumerable<Local> arguments, Func<Body, Step> end)
    {
        foreach (var argument in arguments)
        {
            _work.Tick();
            _bound.Add(argument);
        }

        var steps = new Body(this);
        steps.Statements(body);
        var first = steps.Linked(end(steps));
        _bound.UndoTo(0);
        return first;
    }

    private SourceLocation Locate(Position at) => _source.Locate(at);

    private int Place() => _slots++;

    private void Unsafe(IEnumerable<Local> missing, Position at)
    {
        // Names with a dollar are the compiler's own: what they stand for is told itself.
        foreach (var local in missing.Where(local => local.Name[0] != '$').OrderBy(local => local.Name, StringComparer.Ordinal))
        {
            _errors.Add(RegoErrorCode.UnsafeVarError, _source, at, $"var {local.Name} is unsafe");
        }
    }

    /// <summary>A body in the making.</summary>
    internal sealed partial class Body(Emitter emitter)
    {
        private readonly List<Step> _steps = [];

        private Bindings Bound => emitter._bound;

        public Step Linked(Step end)
        {
            for (var i = 0; i < _steps.Count; i++)
            {
                _steps[i].Link(i + 1 < _steps.Count ? _steps[i + 1] : end);
            }

            return _steps.Count > 0 ? _steps[0] : end;
        }

        /// <summary>Repeatedly takes the first statement that has all it needs.</summary>
        public void Statements(LStatement[] body)
        {
            var order = new Ordering(body.Length, emitter._work);
            while (order.TryNext(out var next))
            {
                if (Readiness.Ask(body[next], Bound, emitter._plan, emitter._work, out var conditions))
                {
                    var mark = Bound.Mark;
                    Watched(body[next]);
                    order.Done(next, Bound, mark);
                    continue;
                }

                foreach (var (missing, all) in conditions)
                {
                    order.Block(next, missing, all);
                }
            }

            foreach (var left in order.Left)
            {
                if (emitter._errors.Full)
                {
                    return;
                }

                emitter.Unsafe(Readiness.Unsafe(body[left], Bound, emitter._plan, emitter._work), body[left].At);
            }
        }

        /// <summary>The statement, between the steps that record it when explanations were asked for.</summary>
        private void Watched(LStatement statement)
        {
            if (emitter._points is not { } points || statement.Written is not { } written)
            {
                Statement(statement);
                return;
            }

            var point = new TracePoint(emitter.Locate(statement.At), Printer.Print(written, LongestText), statement.With.Length > 0 ? [] : Operands(statement));
            points.Add(point);
            _steps.Add(new TriedStep(point));
            Statement(statement);
            _steps.Add(new SolvedStep(point));
        }

        private (string Name, Expression Value)[] Operands(LStatement statement)
        {
            LTerm[] terms = statement switch
            {
                LExpression { Term: LCall call } => call.Arguments,
                LExpression expression => [expression.Term],
                LEquation equation => [equation.Left, equation.Right],
                LSomeIn some => [some.Collection],
                LEvery every => [every.Domain],
                _ => [],
            };
            return [.. terms.Select(term => Operand(statement, term)).Where(IsTold).Select(term => (Described(term), Value(term)))];
        }

        // What was moved before a not is told under its own name.
        private static LTerm Operand(LStatement statement, LTerm term) =>
            statement.Before.FirstOrDefault(equation => term is LLocal { Local: var local } && equation.Left is LLocal moved && moved.Local == local)?.Right ?? term;

        private bool IsTold(LTerm term) =>
            term is LRef or LLocal or LInput && HoldsNoStatements(term) && !NeedsSteps(term) && MissingIn(term).Count == 0;

        // Statements in an operand would be watched twice, and those in them four times.
        private bool HoldsNoStatements(LTerm term)
        {
            emitter._work.Tick();
            return term switch
            {
                LComprehension => false,
                LRef reference => HoldsNoStatements(reference.Head) && Array.TrueForAll(reference.Path, HoldsNoStatements),
                LCall call => Array.TrueForAll(call.Arguments, HoldsNoStatements),
                LArray array => Array.TrueForAll(array.Items, HoldsNoStatements),
                LSet set => Array.TrueForAll(set.Items, HoldsNoStatements),
                LObject pairs => Array.TrueForAll(pairs.Pairs, pair => HoldsNoStatements(pair.Key) && HoldsNoStatements(pair.Value)),
                _ => true,
            };
        }

        private static string Described(LTerm term)
        {
            var text = new System.Text.StringBuilder();
            Describe(term, text);
            return text.ToString();
        }

        private static void Describe(LTerm term, System.Text.StringBuilder text)
        {
            if (term is not LRef reference)
            {
                text.Append(term switch { LInput => "input", LLocal local => local.Local.Name, LConst constant => constant.Value.ToString(), LData => "data", _ => "…" });
                return;
            }

            Describe(reference.Head, text);
            foreach (var element in reference.Path)
            {
                if (element is LConst { Value: RegoString word } && Lexer.IsName(word.Value))
                {
                    text.Append('.').Append(word.Value);
                    continue;
                }

                text.Append('[');
                Describe(element, text);
                text.Append(']');
            }
        }

        private void Statement(LStatement statement)
        {
            if (statement.With.Length > 0)
            {
                With(statement);
            }
            else if (statement.Negated)
            {
                foreach (var equation in statement.Before)
                {
                    Directed(equation.Right, equation.Left);
                }

                var mark = Bound.Mark;
                var inner = new Body(emitter);
                inner.Plain(statement);
                Bound.UndoTo(mark);
                _steps.Add(new NotStep(inner.Linked(new FoundStep())));
            }
            else
            {
                Plain(statement);
            }
        }

        private void Plain(LStatement statement)
        {
            switch (statement)
            {
                case LExpression { Term: LRef reference } when HasFree(reference):
                    Reference(reference, NotFalsePattern.Instance);
                    break;
                case LExpression expression:
                    Test(expression.Term);
                    break;
                case LEquation equation:
                    Equation(equation);
                    break;
                case LSomeIn some:
                    var collection = Value(some.Collection);
                    var key = some.Key is null ? AnyPattern.Instance : Pattern(some.Key);
                    Add(new SomeInStep(collection, key, Pattern(some.Value)));
                    break;
                case LEvery every:
                    Every(every);
                    break;
            }
        }

        private void Test(LTerm term)
        {
            if (term is LCall { Builtin.IsRelation: true } relation)
            {
                _steps.Add(new RelationStep(Value(relation, relationInPlace: true), NotFalsePattern.Instance));
            }
            else
            {
                _steps.Add(new TestStep(Value(term)));
            }
        }

        private void Every(LEvery every)
        {
            var domain = Value(every.Domain);
            var mark = Bound.Mark;
            Bound.Add(every.Value);
            if (every.Key is not null)
            {
                Bound.Add(every.Key);
            }

            var inner = new Body(emitter);
            inner.Statements(every.Body);
            Bound.UndoTo(mark);
            _steps.Add(new EveryStep(domain, every.Key?.Slot ?? -1, every.Value.Slot, inner.Linked(new FoundStep())));
        }

        private void With(LStatement statement)
        {
            var replacements = new List<Replacement>();
            foreach (var with in statement.With)
            {
                object? function = with.Target != WithTarget.Function ? null : with.Builtin is not null ? with.Builtin.Name : emitter.FunctionAt(with.Path);
                var byGroup = with.ByPath is null ? null : emitter.FunctionAt(with.ByPath);
                var value = byGroup is not null || with.ByBuiltin is not null ? null : Value(with.Value);
                replacements.Add(new Replacement(with.Target, with.Path, function, value, byGroup, with.ByBuiltin));
            }

            var place = emitter.Place();
            var inner = new Body(emitter);
            inner.Statement(statement with { With = [] });
            var end = new EndWithStep(place);
            _steps.Add(new WithStep([.. replacements], inner.Linked(end), end, place));
        }
    }

    private FunctionGroup? FunctionAt(RegoValue[] path)
    {
        var node = Root;
        foreach (var key in path)
        {
            node = node?.Find(key);
        }

        return node?.Group as FunctionGroup;
    }
}
