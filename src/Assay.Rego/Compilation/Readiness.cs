using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>
/// Which variables a term needs and which it gives, when some are bound already. A statement can run when it needs none
/// that is unbound.
/// </summary>
internal sealed class Readiness(HashSet<Local> bound)
{
    private readonly HashSet<Local> _given = [];
    private readonly HashSet<Local> _missing = [];

    /// <summary>Missing variables; empty when the statement can run.</summary>
    public static HashSet<Local> Missing(LStatement statement, HashSet<Local> bound)
    {
        var needs = new Readiness(bound);
        foreach (var with in statement.With)
        {
            needs.Value(with.Value);
        }

        if (!statement.Negated)
        {
            needs.Statement(statement);
            return needs._missing;
        }

        // Under not nothing is bound outward: named variables must be bound already.
        needs.Statement(statement);
        needs._missing.UnionWith(needs._given.Where(local => !local.IsGenerated));
        return needs._missing;
    }

    /// <summary>All variables of the statement that are not its own closures': only when one of them is bound can it become ready.</summary>
    public static HashSet<Local> Mentions(LStatement statement)
    {
        var found = new HashSet<Local>();
        foreach (var with in statement.With)
        {
            Mentions(with.Value, found);
        }

        switch (statement)
        {
            case LExpression expression:
                Mentions(expression.Term, found);
                break;
            case LEquation equation:
                Mentions(equation.Left, found);
                Mentions(equation.Right, found);
                break;
            case LSomeIn some:
                Mentions(some.Collection, found);
                Mentions(some.Value, found);
                if (some.Key is not null)
                {
                    Mentions(some.Key, found);
                }

                break;
            case LEvery every:
                Mentions(every.Domain, found);
                found.UnionWith(every.Free);
                break;
        }

        return found;
    }

    private static void Mentions(LTerm term, HashSet<Local> found)
    {
        switch (term)
        {
            case LLocal local:
                found.Add(local.Local);
                break;
            case LRef reference:
                Mentions(reference.Head, found);
                Mentions(reference.Path, found);
                break;
            case LCall call:
                Mentions(call.Arguments, found);
                break;
            case LArray array:
                Mentions(array.Items, found);
                break;
            case LSet set:
                Mentions(set.Items, found);
                break;
            case LObject pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Mentions(key, found);
                    Mentions(value, found);
                }

                break;
            case LComprehension comprehension:
                found.UnionWith(comprehension.Free);
                break;
        }
    }

    private static void Mentions(LTerm[] terms, HashSet<Local> found)
    {
        foreach (var term in terms)
        {
            Mentions(term, found);
        }
    }

    public static bool CanEvaluate(LTerm term, HashSet<Local> bound)
    {
        var needs = new Readiness(bound);
        needs.Value(term);
        return needs._missing.Count == 0;
    }

    public static bool CanMatch(LTerm term, HashSet<Local> bound)
    {
        var needs = new Readiness(bound);
        needs.Pattern(term);
        return needs._missing.Count == 0;
    }

    public static HashSet<Local> MissingIn(LTerm term, HashSet<Local> bound)
    {
        var needs = new Readiness(bound);
        needs.Value(term);
        return needs._missing;
    }

    /// <summary>Splits an equation of composites into equations of their parts, as deep as both sides are written out. Null when they cannot be equal.</summary>
    public static List<(LTerm Left, LTerm Right)>? Parts(LTerm left, LTerm right)
    {
        var parts = new List<(LTerm, LTerm)>();
        return Split(left, right, parts) ? parts : null;
    }

    /// <summary>Whether evaluating the left side and matching the right can be done: the order that the emitter follows too.</summary>
    public static bool Directed(LTerm from, LTerm to, HashSet<Local> bound)
    {
        var needs = new Readiness(bound);
        needs.Value(from);
        needs.Pattern(to);
        return needs._missing.Count == 0;
    }

    private bool IsBound(Local local) => bound.Contains(local) || _given.Contains(local);

    private void Statement(LStatement statement)
    {
        switch (statement)
        {
            case LExpression expression:
                Value(expression.Term);
                break;
            case LEquation equation:
                Equation(equation);
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
                _missing.UnionWith(every.Free.Where(local => !IsBound(local)));
                break;
        }
    }

    private void Equation(LEquation equation)
    {
        if (Parts(equation.Left, equation.Right) is not { } parts)
        {
            return;
        }

        // Parts may wait for one another: [x, y] = [y, 1].
        while (parts.Count > 0)
        {
            var known = new HashSet<Local>(bound);
            known.UnionWith(_given);
            var ready = parts.FindIndex(part => Directed(part.Left, part.Right, known) || Directed(part.Right, part.Left, known));
            if (ready < 0)
            {
                var (left, right) = parts[0];
                var (one, other) = (new Readiness(known), new Readiness(known));
                one.Value(left);
                one.Pattern(right);
                other.Value(right);
                other.Pattern(left);
                // The side with less missing is told, unless that is only the compiler's own name for a part of a template.
                var fewer = one._missing.Count <= other._missing.Count ? one : other;
                _missing.UnionWith(fewer._missing.All(local => local.Name[0] == '$') ? one._missing.Union(other._missing) : fewer._missing);
                return;
            }

            var (a, b) = parts[ready];
            if (!Directed(a, b, known))
            {
                (a, b) = (b, a);
            }

            Value(a);
            Pattern(b);
            parts.RemoveAt(ready);
        }
    }

    private void Value(LTerm term)
    {
        switch (term)
        {
            case LLocal local when !IsBound(local.Local):
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
                foreach (var item in array.Items)
                {
                    Value(item);
                }

                break;
            case LSet set:
                foreach (var item in set.Items)
                {
                    Value(item);
                }

                break;
            case LObject pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Value(key);
                    Value(value);
                }

                break;
            case LComprehension comprehension:
                _missing.UnionWith(comprehension.Free.Where(local => !IsBound(local)));
                break;
        }
    }

    /// <summary>A reference among the arguments may bind what another argument needs: f(x, data.a[x]).</summary>
    public static int NextArgument(List<LTerm> waiting, HashSet<Local> bound)
    {
        var ready = waiting.FindIndex(argument => CanEvaluate(argument, bound));
        return Math.Max(ready, 0);
    }

    private void Arguments(LCall call)
    {
        var waiting = call.Arguments.ToList();
        while (waiting.Count > 0)
        {
            var known = new HashSet<Local>(bound);
            known.UnionWith(_given);
            var next = NextArgument(waiting, known);
            Value(waiting[next]);
            waiting.RemoveAt(next);
        }
    }

    private void Pattern(LTerm term)
    {
        switch (term)
        {
            case LLocal local:
                if (!IsBound(local.Local))
                {
                    _given.Add(local.Local);
                }

                break;
            case LArray array:
                foreach (var item in array.Items)
                {
                    Pattern(item);
                }

                break;
            case LObject pairs:
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

    private static bool Split(LTerm left, LTerm right, List<(LTerm, LTerm)> parts)
    {
        if (Items(left) is { } a && Items(right) is { } b && !(left is LConst && right is LConst))
        {
            if (a.Length != b.Length)
            {
                return false;
            }

            for (var i = 0; i < a.Length; i++)
            {
                if (!Split(a[i], b[i], parts))
                {
                    return false;
                }
            }

            return true;
        }

        if (Pairs(left) is { } c && Pairs(right) is { } d && !(left is LConst && right is LConst))
        {
            if (c.Count != d.Count)
            {
                return false;
            }

            foreach (var (key, value) in c)
            {
                if (!d.TryGetValue(key, out var other) || !Split(value, other, parts))
                {
                    return false;
                }
            }

            return true;
        }

        parts.Add((left, right));
        return true;
    }

    private static LTerm[]? Items(LTerm term) => term switch
    {
        LArray array => array.Items,
        LConst { Value: RegoArray array } => [.. array.Items.ToArray().Select(item => new LConst(term.At, item))],
        _ => null,
    };

    // Objects are split only when all their keys are constants, and different.
    private static Dictionary<RegoValue, LTerm>? Pairs(LTerm term)
    {
        var pairs = new Dictionary<RegoValue, LTerm>();
        switch (term)
        {
            case LObject written:
                foreach (var (key, value) in written.Pairs)
                {
                    if (key is not LConst constant || !pairs.TryAdd(constant.Value, value))
                    {
                        return null;
                    }
                }

                return pairs;
            case LConst { Value: RegoObject members }:
                foreach (var (key, value) in members)
                {
                    pairs[key] = new LConst(term.At, value);
                }

                return pairs;
            default:
                return null;
        }
    }
}
