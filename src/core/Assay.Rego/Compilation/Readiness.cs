namespace Assay.Rego.Compilation;

/// <summary>
/// Asks once of a statement or a term which variables it misses, and in which order its parts can be evaluated. What is found is kept for the
/// emitter: were each of the two to search the order at every level of calls, the work would double with each level.
/// </summary>
internal sealed class Readiness(Bindings bound, Plan plan, CompileWork work)
{
    private readonly List<Local> _missing = [];
    private Dictionary<LTerm, Stuck>? _stuck;
    private bool _tells;

    // An argument that cannot be evaluated yet, what it waits for, and what it would bind then.
    private sealed record Stuck(HashSet<Local> Missing, Local[] Given);

    /// <summary>What a statement waits for: one of these variables, or all of them when nothing in it can bind another.</summary>
    public readonly record struct Condition(HashSet<Local> Missing, bool All);

    /// <summary>Whether the statement can run; if not, each condition is a way in which it could become ready.</summary>
    public static bool Ask(LStatement statement, Bindings bound, Plan plan, CompileWork work, out IReadOnlyList<Condition> conditions)
    {
        var mark = bound.Mark;
        conditions = new Readiness(bound, plan, work).Statement(statement);
        bound.UndoTo(mark);
        return conditions.Count == 0;
    }

    /// <summary>The variables that the term misses; empty when it can be evaluated.</summary>
    public static HashSet<Local> MissingIn(LTerm term, Bindings bound, Plan plan, CompileWork work)
    {
        var mark = bound.Mark;
        var asked = new Readiness(bound, plan, work);
        asked.Value(term);
        bound.UndoTo(mark);
        return [.. asked._missing];
    }

    /// <summary>The variables to tell of when the statement never becomes ready.</summary>
    public static IEnumerable<Local> Unsafe(LStatement statement, Bindings bound, Plan plan, CompileWork work)
    {
        var mark = bound.Mark;
        var asked = new Readiness(bound, plan, work) { _tells = true };
        asked.Statement(statement);
        bound.UndoTo(mark);
        return asked._missing.Distinct();
    }

    private List<Condition> Statement(LStatement statement)
    {
        var mark = bound.Mark;
        foreach (var with in statement.With)
        {
            Value(with.Value);
        }

        foreach (var equation in statement.Before)
        {
            Value(equation.Right);
            Pattern(equation.Left);
        }

        var conditions = new List<Condition>();
        switch (statement)
        {
            case LExpression expression:
                Value(expression.Term);
                break;
            case LEquation equation:
                conditions = Equation(equation);
                break;
            case LSomeIn some:
                Value(some.Collection);
                if (some.Key is not null)
                {
                    Pattern(some.Key);
                }

                Pattern(some.Value);
                break;
            case LEvery every:
                Value(every.Domain);
                Free(every.Free);
                break;
        }

        if (statement.Negated)
        {
            // Under not nothing is bound outward: named variables must be bound already.
            foreach (var local in bound.Since(mark))
            {
                if (!local.IsGenerated)
                {
                    _missing.Add(local);
                }
            }
        }

        if (_missing.Count > 0)
        {
            var all = statement is LExpression { Term.MayBind: false, With: [], Before: [] };
            conditions.Add(new Condition([.. _missing], all));
        }

        return conditions;
    }

    /// <summary>Splits an equation of composites into equations of their parts, and gives each a direction, as they become ready.</summary>
    private List<Condition> Equation(LEquation equation)
    {
        if (Composites.Parts(equation.Left, equation.Right, work) is not { } parts)
        {
            plan.Directions[equation.Left] = null;
            return [];
        }

        // Parts may wait for one another: [x, y] = [y, 1].
        var (order, directions) = (new Ordering(parts.Count, work), new List<(LTerm, LTerm)>());
        var waiting = new Dictionary<int, List<Condition>>();
        while (order.TryNext(out var next))
        {
            var mark = bound.Mark;
            if (Directed(parts[next].Left, parts[next].Right, out var conditions) is { } direction)
            {
                directions.Add(direction);
                waiting.Remove(next);
                order.Done(next, bound, mark);
                continue;
            }

            waiting[next] = conditions;
            foreach (var (missing, all) in conditions)
            {
                order.Block(next, missing, all);
            }
        }

        plan.Directions[equation.Left] = directions;
        if (_tells && waiting.Count > 0)
        {
            Tell(parts[waiting.Keys.Min()]);
        }

        return [.. waiting.Values.SelectMany(conditions => conditions)];
    }

    // The side with less missing is told, unless that is only the compiler's own name for a part of a template.
    private void Tell((LTerm Left, LTerm Right) part)
    {
        var (one, other) = (MissingIn(part.Left, part.Right), MissingIn(part.Right, part.Left));
        var fewer = one.Count <= other.Count ? one : other;
        _missing.AddRange(fewer.All(local => local.Name[0] == '$') ? one.Union(other) : fewer);
    }

    private HashSet<Local> MissingIn(LTerm from, LTerm to)
    {
        var mark = bound.Mark;
        var asked = new Readiness(bound, plan, work);
        asked.Value(from);
        asked.Pattern(to);
        bound.UndoTo(mark);
        return [.. asked._missing];
    }

    /// <summary>The direction in which one side can be evaluated and the other taken apart; null when there is none.</summary>
    private (LTerm From, LTerm To)? Directed(LTerm left, LTerm right, out List<Condition> conditions)
    {
        conditions = [];
        var mark = bound.Mark;
        var forward = Directed(left, right, conditions);
        if (forward && left is not (LArray or LObject or LConst or LLocal))
        {
            return (left, right);
        }

        // A side that is a pattern is better taken for one, when both can be evaluated.
        bound.UndoTo(mark);
        if (Directed(right, left, conditions))
        {
            return (right, left);
        }

        return forward && Directed(left, right, conditions) ? (left, right) : null;
    }

    private bool Directed(LTerm from, LTerm to, List<Condition> conditions)
    {
        var (mark, before) = (bound.Mark, _missing.Count);
        Value(from);
        var all = _missing.Count > before && !from.MayBind;
        if (!all)
        {
            Pattern(to);
        }

        if (_missing.Count == before)
        {
            return true;
        }

        conditions.Add(new Condition([.. _missing.Skip(before)], all));
        _missing.RemoveRange(before, _missing.Count - before);
        bound.UndoTo(mark);
        return false;
    }

    private void Value(LTerm term)
    {
        work.Tick();
        switch (term)
        {
            case LLocal local when !bound.Has(local.Local):
                _missing.Add(local.Local);
                break;
            case LRef reference:
                Value(reference.Head);
                foreach (var element in reference.Path)
                {
                    Pattern(element);
                }

                break;
            case LCall call:
                Arguments(call);
                break;
            case LArray array:
                Values(array.Items);
                break;
            case LSet set:
                Values(set.Items);
                break;
            case LObject pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Value(key);
                    Value(value);
                }

                break;
            case LComprehension comprehension:
                Free(comprehension.Free);
                break;
        }
    }

    private void Values(LTerm[] terms)
    {
        foreach (var term in terms)
        {
            Value(term);
        }
    }

    private void Free(HashSet<Local> free)
    {
        work.Tick(free.Count);
        _missing.AddRange(free.Where(local => !bound.Has(local)));
    }

    /// <summary>A reference among the arguments may bind what another argument needs: f(x, data.a[x]).</summary>
    private void Arguments(LCall call)
    {
        if (!call.MayBind)
        {
            Values(call.Arguments);
            return;
        }

        var (order, taken) = (new Ordering(call.Arguments.Length, work), new List<int>(call.Arguments.Length));
        while (order.TryNext(out var next))
        {
            var (argument, mark) = (call.Arguments[next], bound.Mark);
            if (WhyStuck(argument) is { } stuck)
            {
                order.Block(next, stuck.Missing, all: !argument.MayBind);
                continue;
            }

            taken.Add(next);
            order.Done(next, bound, mark);
            if (ReferenceEquals(call.Builtin, Lowering.Print))
            {
                // Each part of a print is a closure.
                bound.UndoTo(mark);
            }
        }

        if (taken.Count == call.Arguments.Length)
        {
            plan.Orders[call] = [.. taken];
            return;
        }

        // What one of them would bind for another is not what is missing, unless they wait for each other.
        var all = order.Left.Select(index => _stuck![call.Arguments[index]]).ToArray();
        var missing = all.SelectMany(stuck => stuck.Missing).ToHashSet();
        work.Tick(missing.Count);
        var outside = missing.Except(all.SelectMany(stuck => stuck.Given)).ToArray();
        _missing.AddRange(outside.Length > 0 ? outside : missing);
    }

    /// <summary>Evaluates an argument; null when that went well. One that was stuck before is looked at again only when something it waits for was bound.</summary>
    private Stuck? WhyStuck(LTerm argument)
    {
        _stuck ??= new(ReferenceEqualityComparer.Instance);
        if (_stuck.TryGetValue(argument, out var before) && !before.Missing.Any(bound.Has))
        {
            return before;
        }

        var (mark, count) = (bound.Mark, _missing.Count);
        Value(argument);
        if (_missing.Count == count)
        {
            return null;
        }

        var stuck = new Stuck([.. _missing.Skip(count)], [.. bound.Since(mark)]);
        work.Tick(stuck.Missing.Count + stuck.Given.Length);
        _missing.RemoveRange(count, _missing.Count - count);
        bound.UndoTo(mark);
        return _stuck[argument] = stuck;
    }

    private void Pattern(LTerm term)
    {
        switch (term)
        {
            case LLocal local:
                work.Tick();
                bound.Add(local.Local);
                break;
            case LArray array:
                work.Tick();
                foreach (var item in array.Items)
                {
                    Pattern(item);
                }

                break;
            case LObject pairs:
                work.Tick();
                foreach (var (key, value) in pairs.Pairs)
                {
                    Value(key);
                    Pattern(value);
                }

                break;
            default:
                Value(term);
                break;
        }
    }
}

/// <summary>What <see cref="Readiness"/> found out and the emitter follows.</summary>
internal sealed class Plan
{
    /// <summary>The order of the arguments of calls in which something may be bound.</summary>
    public Dictionary<LCall, int[]> Orders { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>For each equation, by its left side, the parts in order and which side is evaluated; null when its sides are never equal.</summary>
    public Dictionary<LTerm, List<(LTerm From, LTerm To)>?> Directions { get; } = new(ReferenceEqualityComparer.Instance);
}
