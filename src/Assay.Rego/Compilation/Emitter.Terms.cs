using Assay.Rego.Builtins;
using Assay.Rego.Evaluation;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

internal sealed partial class Emitter
{
    internal sealed partial class Body
    {
        private readonly List<(int Slot, LTerm Term)> _deferred = [];

        /// <summary>left = right: evaluates one side and takes it apart by the other.</summary>
        private void Equation(LTerm left, LTerm right)
        {
            if (Readiness.Parts(left, right) is not { } parts)
            {
                _steps.Add(new FailStep());
                return;
            }

            while (parts.Count > 0)
            {
                var ready = parts.FindIndex(part => Readiness.Directed(part.Left, part.Right, bound) || Readiness.Directed(part.Right, part.Left, bound));
                if (ready < 0)
                {
                    // Readiness said otherwise before: a statement is emitted only when it can run.
                    emitter.Report(RegoErrorCode.EvalInternalError, left.At, "the equation has no order");
                    return;
                }

                var (from, to) = parts[ready];
                parts.RemoveAt(ready);
                if (!Readiness.Directed(from, to, bound) || IsPattern(from) && Readiness.Directed(to, from, bound))
                {
                    (from, to) = (to, from);
                }

                Directed(from, to);
            }
        }

        private static bool IsPattern(LTerm term) => term is LArray or LObject or LConst or LLocal;

        private void Directed(LTerm from, LTerm to)
        {
            if (from is LRef reference && HasFree(reference))
            {
                Reference(reference, to);
            }
            else if (from is LCall { Builtin.IsRelation: true } relation)
            {
                var outputs = Value(relation, relationInPlace: true);
                Add(new RelationStep(outputs, Pattern(to)));
            }
            else
            {
                var value = Value(from);
                if (to is LLocal { Local: var local } && bound.Add(local))
                {
                    _steps.Add(new BindStep(value, local.Slot));
                }
                else
                {
                    Add(new MatchStep(value, Pattern(to)));
                }
            }
        }

        /// <summary>An expression for a term. References with free variables inside become steps before it.</summary>
        public Expression Value(LTerm term, bool relationInPlace = false)
        {
            switch (term)
            {
                case LConst constant:
                    return new ConstantExpression(constant.Value);
                case LLocal local:
                    return new SlotExpression(local.Local.Slot);
                case LInput:
                    return InputExpression.Instance;
                case LData:
                    return new TreeLookupExpression([]);
                case LRef reference when HasFree(reference):
                    var slot = emitter.Place();
                    Reference(reference, new BindPattern(slot));
                    return new SlotExpression(slot);
                case LRef reference:
                    return Lookup(reference);
                case LCall call:
                    return Call(call, relationInPlace);
                case LArray array:
                    return new ArrayExpression(Values(array.Items));
                case LSet set:
                    return new SetExpression(Values(set.Items));
                case LObject pairs:
                    return new ObjectExpression([.. pairs.Pairs.Select(pair => (Value(pair.Key), Value(pair.Value)))], emitter.Locate(term.At));
                default:
                    return Comprehension((LComprehension)term);
            }
        }

        public Expression[] Values(LTerm[] terms) => [.. terms.Select(term => Value(term))];

        public HashSet<Local> MissingIn(LTerm term) => Readiness.MissingIn(term, bound);

        private Expression Call(LCall call, bool relationInPlace)
        {
            var at = emitter.Locate(call.At);
            if (ReferenceEquals(call.Builtin, Lowering.Print))
            {
                // A part that is undefined prints as such: each is a set of its one value.
                return new PrintExpression([.. call.Arguments.Select(argument => Part(argument))], at);
            }

            if (call.Path is not null)
            {
                var arguments = Arguments(call.Arguments);
                return emitter.FunctionAt(call.Path) is { } group ? new FunctionExpression(group, arguments, at) : new ConstantExpression(RegoNull.Value);
            }

            var builtin = call.Builtin!;
            if (builtin.Infix is not null && builtin.Name is "equal" or "neq" or "lt" or "lte" or "gt" or "gte")
            {
                var operands = Arguments(call.Arguments);
                return new CompareExpression(builtin, operands[0], operands[1], at);
            }

            var expression = new CallExpression(builtin, Arguments(call.Arguments), at);
            if (!builtin.IsRelation || relationInPlace)
            {
                return expression;
            }

            var slot = emitter.Place();
            _steps.Add(new RelationStep(expression, new BindPattern(slot)));
            return new SlotExpression(slot);
        }

        // In the order in which Readiness found that they can be evaluated.
        private Expression[] Arguments(LTerm[] arguments)
        {
            var expressions = new Expression[arguments.Length];
            var (waiting, places) = (arguments.ToList(), Enumerable.Range(0, arguments.Length).ToList());
            while (waiting.Count > 0)
            {
                var next = Readiness.NextArgument(waiting, bound);
                expressions[places[next]] = Value(waiting[next]);
                waiting.RemoveAt(next);
                places.RemoveAt(next);
            }

            return expressions;
        }

        private ComprehensionExpression Part(LTerm term)
        {
            var place = emitter.Place();
            var inner = new Body(emitter, [.. bound]);
            var value = inner.Value(term);
            var at = emitter.Locate(term.At);
            return new ComprehensionExpression(RegoKind.Set, inner.Linked(new CollectStep(null, value, place, at)), place, at);
        }

        private ComprehensionExpression Comprehension(LComprehension comprehension)
        {
            var place = emitter.Place();
            var inner = new Body(emitter, [.. bound]);
            inner.Statements(comprehension.Body);
            var at = emitter.Locate(comprehension.At);
            var missing = inner.MissingIn(comprehension.Value);
            missing.UnionWith(comprehension.Key is null ? [] : inner.MissingIn(comprehension.Key));
            if (missing.Count > 0)
            {
                emitter.Unsafe(missing, comprehension.At);
                return new ComprehensionExpression(comprehension.Kind, new FailStep(), place, at);
            }

            var key = comprehension.Key is null ? null : inner.Value(comprehension.Key);
            var value = inner.Value(comprehension.Value);
            return new ComprehensionExpression(comprehension.Kind, inner.Linked(new CollectStep(key, value, place, at)), place, at);
        }

        private Pattern Pattern(LTerm term)
        {
            switch (term)
            {
                case LLocal local when !bound.Contains(local.Local):
                    bound.Add(local.Local);
                    return new BindPattern(local.Local.Slot);
                case LArray array when !IsBound(array):
                    return new ArrayPattern([.. array.Items.Select(Pattern)]);
                case LObject pairs when !IsBound(pairs):
                    return new ObjectPattern([.. pairs.Pairs.Select(pair => (Value(pair.Key), Pattern(pair.Value)))]);
                case LRef or LCall when NeedsSteps(term):
                    // It may use what this very pattern binds, so it is looked at afterwards.
                    var slot = emitter.Place();
                    _deferred.Add((slot, term));
                    return new BindPattern(slot);
                default:
                    return new EqualPattern(Value(term));
            }
        }

        // Whether a pattern binds nothing, so that comparing is enough.
        private bool IsBound(LTerm term) => term switch
        {
            LLocal local => bound.Contains(local.Local),
            LArray array => array.Items.All(IsBound),
            LObject pairs => pairs.Pairs.All(pair => IsBound(pair.Key) && IsBound(pair.Value)),
            LRef reference => !HasFree(reference),
            _ => true,
        };

        /// <summary>Whether walking the reference binds something: it has more than one solution then.</summary>
        private bool HasFree(LRef reference) => reference.Path.Any(element => element is LLocal or LArray or LObject && !IsBound(element));

        private Expression Lookup(LRef reference)
        {
            if (reference.Head is LData)
            {
                return Document(reference.Path, out var used) is { } group
                    ? Lookup(new GroupExpression(group), reference.Path[used..])
                    : new TreeLookupExpression(Values(reference.Path));
            }

            return Lookup(Value(reference.Head), reference.Path);
        }

        private Expression Lookup(Expression head, LTerm[] path)
        {
            if (path.Length == 0)
            {
                return head;
            }

            return path.All(element => element is LConst)
                ? new ConstantLookupExpression(head, [.. path.Select(element => ((LConst)element).Value)])
                : new LookupExpression(head, Values(path));
        }

        private void Reference(LRef reference, LTerm end)
        {
            // What the end is compared with may itself need steps, and those go first; what it binds is bound last.
            var (head, rest) = Head(reference);
            var path = Elements(rest);
            Add(head, path, Pattern(end));
        }

        private void Reference(LRef reference, Pattern end)
        {
            var (head, rest) = Head(reference);
            Add(head, Elements(rest), end);
        }

        private void Add(Expression? head, Element[] path, Pattern end) => Add(head is null ? new TreeWalkStep(path, end) : new WalkStep(head, path, end));

        /// <summary>Adds a step that matches, and behind it the comparisons that had to wait for what it binds.</summary>
        private void Add(Step step)
        {
            _steps.Add(step);
            var waiting = _deferred.ToArray();
            _deferred.Clear();
            foreach (var (slot, term) in waiting)
            {
                Expression found = new SlotExpression(slot);
                if (term is LRef reference && HasFree(reference))
                {
                    Reference(reference, new EqualPattern(found));
                }
                else
                {
                    Add(new MatchStep(Value(term), new EqualPattern(found)));
                }
            }
        }

        /// <summary>Whether evaluating the term takes steps of its own, because something in it has several solutions.</summary>
        private bool NeedsSteps(LTerm term) => term switch
        {
            LRef reference => HasFree(reference) || NeedsSteps(reference.Head) || reference.Path.Any(NeedsSteps),
            LCall call => call.Builtin is { IsRelation: true } || call.Arguments.Any(NeedsSteps),
            LArray array => array.Items.Any(NeedsSteps),
            LSet set => set.Items.Any(NeedsSteps),
            LObject pairs => pairs.Pairs.Any(pair => NeedsSteps(pair.Key) || NeedsSteps(pair.Value)),
            _ => false,
        };

        /// <summary>The value where the walk begins; null for the tree of all documents.</summary>
        private (Expression? Start, LTerm[] Path) Head(LRef reference)
        {
            if (reference.Head is not LData)
            {
                return (Value(reference.Head), reference.Path);
            }

            return Document(reference.Path, out var used) is { } group ? (new GroupExpression(group), reference.Path[used..]) : (null, reference.Path);
        }

        private Element[] Elements(LTerm[] path)
        {
            var elements = new Element[path.Length];
            var free = false;
            for (var i = 0; i < path.Length; i++)
            {
                var bound = path[i] is not (LLocal or LArray or LObject) || IsBound(path[i]);
                var later = free && NeedsSteps(path[i]);
                elements[i] = bound && !later ? new Element(Value(path[i]), null) : new Element(null, Pattern(path[i]));
                free |= !bound || later;
            }

            return elements;
        }

        /// <summary>The rules at the constant beginning of a path under data.</summary>
        private Group? Document(LTerm[] path, out int used)
        {
            var node = emitter.Root;
            for (used = 0; used < path.Length && path[used] is LConst key; used++)
            {
                if (node.Find(key.Value) is not { } child)
                {
                    return null;
                }

                node = child;
                if (node.Group is { } group and not FunctionGroup)
                {
                    used++;
                    return group;
                }
            }

            return null;
        }
    }

    private DataNode Root => root;
}
