using Assay.Rego.Builtins;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>
/// Orders the statements of a body so that each has what it needs, and turns them into steps. Which variable is bound where
/// is decided here, once; evaluation binds and compares without asking.
/// </summary>
internal sealed partial class Emitter(Source source, DataNode root, Errors errors, int firstFreeSlot, List<TracePoint>? points = null)
{
    // How often statements may be asked whether they are ready: for honest bodies a few times each.
    private const int MaxOrderingWork = 200_000;

    private int _slots = firstFreeSlot;
    private int _orderingWork;

    public int FrameSize => _slots;

    /// <summary>The steps of a rule's branch, ended by the step that <paramref name="end"/> makes.</summary>
    public Step Branch(LStatement[] body, IEnumerable<Local> bound, Func<Body, Step> end)
    {
        var steps = new Body(this, [.. bound]);
        steps.Statements(body);
        return steps.Linked(end(steps));
    }

    private List<TracePoint>? Points => points;

    private SourceLocation Locate(Position at) => source.Locate(at);

    private int Place() => _slots++;

    private void Unsafe(HashSet<Local> missing, Position at)
    {
        // Names with a dollar are the compiler's own: what they stand for is told itself.
        foreach (var local in missing.Where(local => local.Name[0] != '$').OrderBy(local => local.Name, StringComparer.Ordinal))
        {
            errors.Add(RegoErrorCode.UnsafeVarError, source, at, $"var {local.Name} is unsafe");
        }
    }

    /// <summary>A body in the making: what is bound so far, and the steps.</summary>
    internal sealed partial class Body(Emitter emitter, HashSet<Local> bound)
    {
        private readonly List<Step> _steps = [];

        public Step Linked(Step end)
        {
            for (var i = 0; i < _steps.Count; i++)
            {
                _steps[i].Link(i + 1 < _steps.Count ? _steps[i + 1] : end);
            }

            return _steps.Count > 0 ? _steps[0] : end;
        }

        /// <summary>Repeatedly takes the first statement that has all it needs. One that had not is asked again when something in it was bound.</summary>
        public void Statements(LStatement[] body)
        {
            var mentions = body.Select(Readiness.Mentions).ToArray();
            var waitingFor = new Dictionary<Local, List<int>>();
            for (var i = 0; i < body.Length; i++)
            {
                foreach (var local in mentions[i].Where(local => !bound.Contains(local)))
                {
                    if (!waitingFor.TryGetValue(local, out var waiters))
                    {
                        waitingFor[local] = waiters = [];
                    }

                    waiters.Add(i);
                }
            }

            var (toAsk, left) = (new SortedSet<int>(Enumerable.Range(0, body.Length)), new SortedSet<int>(Enumerable.Range(0, body.Length)));
            while (toAsk.Count > 0)
            {
                var next = toAsk.Min;
                toAsk.Remove(next);
                if (++emitter._orderingWork > MaxOrderingWork)
                {
                    emitter.Report(RegoErrorCode.CompileError, body[next].At, "the body is too long to order");
                    return;
                }

                if (Readiness.Missing(body[next], bound).Count > 0)
                {
                    continue;
                }

                left.Remove(next);
                Watched(body[next]);
                foreach (var local in mentions[next].Where(bound.Contains))
                {
                    if (waitingFor.Remove(local, out var waiters))
                    {
                        toAsk.UnionWith(waiters.Where(left.Contains));
                    }
                }
            }

            foreach (var statement in left.Select(index => body[index]))
            {
                emitter.Unsafe(Readiness.Missing(statement, bound), statement.At);
            }
        }

        /// <summary>The statement, between the steps that record it when explanations were asked for.</summary>
        private void Watched(LStatement statement)
        {
            if (emitter.Points is not { } points || statement.Written is not { } written)
            {
                Statement(statement);
                return;
            }

            var point = new TracePoint(emitter.Locate(statement.At), Printer.Print(written), statement.With.Length > 0 ? [] : Operands(statement));
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
            return [.. terms.Where(term => term is LRef or LLocal or LInput && !NeedsSteps(term) && Readiness.CanEvaluate(term, bound)).Select(term => (Described(term), Value(term)))];
        }

        private static string Described(LTerm term) => term switch
        {
            LInput => "input",
            LLocal local => local.Local.Name,
            LRef reference => Described(reference.Head) + string.Concat(reference.Path.Select(element => element is LConst { Value: RegoString word } && Lexer.IsName(word.Value) ? "." + word.Value : $"[{Described(element)}]")),
            LConst constant => constant.Value.ToString(),
            LData => "data",
            _ => "…",
        };

        private void Statement(LStatement statement)
        {
            if (statement.With.Length > 0)
            {
                With(statement);
            }
            else if (statement.Negated)
            {
                var inner = new Body(emitter, [.. bound]);
                inner.Plain(statement);
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
                    Equation(equation.Left, equation.Right);
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
            var inner = new Body(emitter, [.. bound]);
            inner.Bind(every.Value);
            if (every.Key is not null)
            {
                inner.Bind(every.Key);
            }

            inner.Statements(every.Body);
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
            var inner = new Body(emitter, bound);
            inner.Statement(statement with { With = [] });
            var end = new EndWithStep(place);
            _steps.Add(new WithStep([.. replacements], inner.Linked(end), end, place));
        }

        private void Bind(Local local) => bound.Add(local);
    }

    private void Report(RegoErrorCode code, Position at, string message) => errors.Add(code, source, at, message);

    private FunctionGroup? FunctionAt(RegoValue[] path)
    {
        var node = root;
        foreach (var key in path)
        {
            node = node?.Find(key);
        }

        return node?.Group as FunctionGroup;
    }
}
