using Assay.Rego.Syntax;

namespace Assay.Rego.Compilation;

/// <summary>
/// What <c>not</c> negates. OPA moves the operands of an expression before it (its compiler's stages RewriteExprTerms and RewriteDynamicTerms):
/// references and calls among the operands of a call, calls among the operands of an equation, and what stands in brackets of a reference. Only
/// what is left is negated, so <c>not f(input.x)</c> is undefined where <c>input.x</c> is. A reference alone stays, and so does one that is a
/// whole side of <c>=</c> or <c>==</c> (which OPA's stage RewriteEquals makes an equation): <c>not input.x</c> and <c>not input.x == 1</c> hold
/// where <c>input.x</c> is undefined. (Queries have no stage RewriteEquals: there <c>==</c> is a call like any other.) Closures stay too: an undefined body makes them empty, not undefined.
/// </summary>
internal sealed partial class Lowering
{
    private LStatement WithOperandsBefore(LStatement statement, Statement written)
    {
        var before = new List<LEquation>();
        LStatement left = statement switch
        {
            LExpression { Term: LCall { Builtin.Name: "equal", Arguments: [var one, var other] } call } equal when _module is not null =>
                equal with { Term = call with { Arguments = [Inside(one, before).Term, Inside(other, before).Term] } },
            LExpression { Term: LCall call } expression => expression with { Term = Operands(call, before) },
            LExpression expression => expression with { Term = Inside(expression.Term, before).Term },
            // f(x, y) where f takes one: the call stays, as it is what is negated.
            LEquation { Left: LCall call } equation when written is ExpressionStatement =>
                equation with { Left = Operands(call, before), Right = Moved(equation.Right, before).Term },
            LEquation equation => equation with { Left = Inside(equation.Left, before).Term, Right = Inside(equation.Right, before).Term },
            _ => statement,
        };
        return left with { Before = [.. before] };
    }

    // The parts of print and of a template are closures.
    private LCall Operands(LCall call, List<LEquation> before) =>
        ReferenceEquals(call.Builtin, Print) ? call : call with { Arguments = [.. call.Arguments.Select(argument => Moved(argument, before).Term)] };

    /// <summary>A term that is not an operand: a reference stays, and what is in its brackets is moved.</summary>
    private (LTerm Term, bool Closes) Inside(LTerm term, List<LEquation> before)
    {
        if (term is LInput)
        {
            return (term, false);
        }

        if (term is not LRef reference)
        {
            return Moved(term, before);
        }

        var head = reference.Head is LInput or LData ? (reference.Head, false) : Moved(reference.Head, before);
        var (path, closes) = Moved(reference.Path, before);
        return (new LRef(reference.At, head.Item1, path), head.Item2 || closes);
    }

    /// <summary>
    /// The operand, evaluated before: a variable stands for it. What holds a wildcard stays, as <c>not f(xs[_])</c> says that f holds of no
    /// element; OPA refuses such a statement as unsafe.
    /// </summary>
    private (LTerm Term, bool Closes) Moved(LTerm term, List<LEquation> before)
    {
        _work.Tick();
        var (mark, slot) = (before.Count, _slots);
        var (inside, closes) = term switch
        {
            LInput => (term, false),
            LLocal { Local: var local } => (term, local.IsGenerated),
            LRef => Inside(term, before),
            LCall call => Moved(call.Arguments, before) is var (arguments, has) ? (call with { Arguments = arguments }, has) : default,
            LArray array => Moved(array.Items, before) is var (items, has) ? (array with { Items = items }, has) : default,
            LSet set => Moved(set.Items, before) is var (items, has) ? (set with { Items = items }, has) : default,
            LObject pairs => Moved(pairs, before),
            _ => (term, false),
        };
        if (closes || term is not (LRef or LCall or LInput))
        {
            return (inside, closes);
        }

        // The whole of it is moved: what was moved out of it goes back.
        before.RemoveRange(mark, before.Count - mark);
        _slots = slot;
        var name = new LLocal(term.At, Made("$operand", term.At, generated: true));
        before.Add(new LEquation(term.At, name, term));
        return (name, false);
    }

    private (LTerm[] Terms, bool Closes) Moved(LTerm[] terms, List<LEquation> before)
    {
        var moved = Array.ConvertAll(terms, term => Moved(term, before));
        return ([.. moved.Select(one => one.Term)], moved.Any(one => one.Closes));
    }

    private (LTerm Term, bool Closes) Moved(LObject pairs, List<LEquation> before)
    {
        var moved = Array.ConvertAll(pairs.Pairs, pair => (Key: Moved(pair.Key, before), Value: Moved(pair.Value, before)));
        return (pairs with { Pairs = [.. moved.Select(pair => (pair.Key.Term, pair.Value.Term))] }, moved.Any(pair => pair.Key.Closes || pair.Value.Closes));
    }
}
