using Assay.Rego.Evaluation;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

internal sealed partial class Emitter
{
    internal sealed partial class Body
    {
        private readonly List<(int Slot, LTerm Term)> _deferred = [];

        /// <summary>left = right: evaluates one side and takes it apart by the other.</summary>
        private void Equation(LEquation equation)
        {
            if (emitter._plan.Directions[equation.Left] is not { } directions)
            {
                _steps.Add(new FailStep());
                return;
            }

            foreach (var (from, to) in directions)
            {
                Directed(from, to);
            }
        }

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
                if (to is LLocal { Local: var local } && Bound.Add(local))
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
            emitter._work.Tick();
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

        public HashSet<Local> MissingIn(LTerm term) => Readiness.MissingIn(term, Bound, emitter._plan, emitter._work);

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
                var arguments = Arguments(call);
                return emitter.FunctionAt(call.Path) is { } group ? new FunctionExpression(group, arguments, at) : new ConstantExpression(RegoNull.Value);
            }

            var builtin = call.Builtin!;
            if (builtin.Infix is not null && builtin.Name is "equal" or "neq" or "lt" or "lte" or "gt" or "gte")
            {
                var operands = Arguments(call);
                return new CompareExpression(builtin, operands[0], operands[1], at);
            }

            var expression = new CallExpression(builtin, Arguments(call), at);
            if (!builtin.IsRelation || relationInPlace)
            {
                return expression;
            }

            var slot = emitter.Place();
            _steps.Add(new RelationStep(expression, new BindPattern(slot)));
            return new SlotExpression(slot);
        }

        // In the order in which Readiness found that they can be evaluated.
        private Expression[] Arguments(LCall call)
        {
            if (!emitter._plan.Orders.TryGetValue(call, out var order))
            {
                return Values(call.Arguments);
            }

            var expressions = new Expression[order.Length];
            foreach (var next in order)
            {
                expressions[next] = Value(call.Arguments[next]);
            }

            return expressions;
        }

        private ComprehensionExpression Part(LTerm term)
        {
            var place = emitter.Place();
            var (inner, mark) = (new Body(emitter), Bound.Mark);
            var value = inner.Value(term);
            Bound.UndoTo(mark);
            var at = emitter.Locate(term.At);
            return new ComprehensionExpression(RegoKind.Set, inner.Linked(new CollectStep(null, value, place, at)), place, at);
        }

        private ComprehensionExpression Comprehension(LComprehension comprehension)
        {
            var place = emitter.Place();
            var (inner, mark) = (new Body(emitter), Bound.Mark);
            inner.Statements(comprehension.Body);
            var collect = inner.Collect(comprehension, place);
            Bound.UndoTo(mark);
            return new ComprehensionExpression(comprehension.Kind, inner.Linked(collect), place, emitter.Locate(comprehension.At));
        }

        private Step Collect(LComprehension comprehension, int place)
        {
            var missing = MissingIn(comprehension.Value);
            missing.UnionWith(comprehension.Key is null ? [] : MissingIn(comprehension.Key));
            if (missing.Count > 0)
            {
                emitter.Unsafe(missing, comprehension.At);
                return new FailStep();
            }

            var key = comprehension.Key is null ? null : Value(comprehension.Key);
            return new CollectStep(key, Value(comprehension.Value), place, emitter.Locate(comprehension.At));
        }

        private Pattern Pattern(LTerm term)
        {
            emitter._work.Tick();
            switch (term)
            {
                case LLocal local when !Bound.Has(local.Local):
                    Bound.Add(local.Local);
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

        private bool IsBound(LTerm term) => emitter._freedom.IsBound(term);

        private bool HasFree(LRef reference) => emitter._freedom.HasFree(reference);

        private bool NeedsSteps(LTerm term) => emitter._freedom.NeedsSteps(term);

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
}
