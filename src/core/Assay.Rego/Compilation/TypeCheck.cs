using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>
/// Refuses what can never hold because of kinds that are known before evaluation: of constants, composites, comprehensions,
/// results of built-ins, and variables that are equal to one of these. Of input, data and rules nothing is known.
/// </summary>
internal sealed class TypeCheck
{
    private readonly Source _source;
    private readonly Errors _errors;
    private readonly CompileWork _work;
    private readonly Dictionary<Local, RegoTypes> _known = [];

    private TypeCheck(Source source, Errors errors, CompileWork work) => (_source, _errors, _work) = (source, errors, work);

    public static void Rule(LRule rule, Errors errors, CompileWork work)
    {
        foreach (var branch in rule.Branches)
        {
            var check = new TypeCheck(rule.Source, errors, work);
            check.Body(branch.Body);
            check.Terms(branch.Path);
            check.Term(branch.Value);
        }
    }

    public static void Query(Source source, LStatement[] body, Errors errors, CompileWork work) => new TypeCheck(source, errors, work).Body(body);

    private void Body(LStatement[] body)
    {
        Learn(body);
        foreach (var statement in body)
        {
            foreach (var with in statement.With)
            {
                Term(with.Value);
            }

            // A replaced function takes and gives what it likes.
            if (!statement.With.Any(with => with.Target == WithTarget.Function))
            {
                foreach (var equation in statement.Before)
                {
                    Term(equation.Right);
                }

                Statement(statement);
            }
        }
    }

    /// <summary>What variables are, from the equations: the order of statements means nothing, so each may tell of the one before.</summary>
    private void Learn(LStatement[] body)
    {
        for (var round = 0; round < 2; round++)
        {
            var equations = body.Where(statement => statement.With.Length == 0).SelectMany(statement => statement is LEquation { Negated: false } written ? [written] : statement.Before);
            foreach (var equation in equations)
            {
                Learn(equation.Left, Of(equation.Right));
                Learn(equation.Right, Of(equation.Left));
            }
        }
    }

    // Two kinds at once are told where they meet, so the first stays.
    private void Learn(LTerm term, RegoTypes kinds)
    {
        if (term is LLocal { Local: var local } && (Of(term) & kinds) is var both and not RegoTypes.None)
        {
            _known[local] = both;
        }
    }

    private RegoTypes Of(LTerm term)
    {
        _work.Tick();
        return term switch
        {
            LConst constant => (RegoTypes)(1 << (int)constant.Value.Kind),
            LLocal local => _known.GetValueOrDefault(local.Local, RegoTypes.Any),
            LCall { Builtin: { IsRelation: false } builtin } call => IsDifference(call) ? Difference(Of(call.Arguments[0]), Of(call.Arguments[1]), builtin) : builtin.Result,
            LArray => RegoTypes.Array,
            LSet => RegoTypes.Set,
            LObject => RegoTypes.Object,
            LComprehension comprehension => (RegoTypes)(1 << (int)comprehension.Kind),
            _ => RegoTypes.Any,
        };
    }

    private static bool IsDifference(LCall call) => call is { Builtin.Name: "minus", Arguments.Length: 2 };

    // Numbers and sets do not mix: the kind of one operand is that of the difference.
    private static RegoTypes Difference(RegoTypes left, RegoTypes right, Builtin minus) =>
        (left & right & minus.Result) is var kinds and not RegoTypes.None ? kinds : minus.Result;

    private void Statement(LStatement statement)
    {
        switch (statement)
        {
            case LExpression { Term: LCall { Builtin.Name: "equal", Arguments: [var left, var right] } } equal:
                Match(Term(left), Term(right), equal.At);
                break;
            case LExpression expression:
                Term(expression.Term);
                break;
            case LEquation equation:
                Match(Term(equation.Left), Term(equation.Right), equation.At);
                break;
            case LSomeIn some:
                Term(some.Collection);
                Term(some.Value);
                break;
            case LEvery every:
                Term(every.Domain);
                Body(every.Body);
                break;
        }
    }

    private void Match(RegoTypes a, RegoTypes b, Position at)
    {
        if ((a & b) == RegoTypes.None && a != RegoTypes.None && b != RegoTypes.None)
        {
            _errors.Add(RegoErrorCode.TypeError, _source, at, $"match error\n\tleft  : {Text(a)}\n\tright : {Text(b)}");
        }
    }

    private void Terms(ReadOnlySpan<LTerm> terms)
    {
        foreach (var term in terms)
        {
            Term(term);
        }
    }

    /// <summary>Checks the term and gives its kinds: asking for them from outside at each level would be quadratic.</summary>
    private RegoTypes Term(LTerm term)
    {
        switch (term)
        {
            case LRef reference:
                Term(reference.Head);
                Terms(reference.Path);
                break;
            case LCall call:
                return Call(call, [.. call.Arguments.Select(Term)]);
            case LArray array:
                Terms(array.Items);
                break;
            case LSet set:
                Terms(set.Items);
                break;
            case LObject pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Term(key);
                    Term(value);
                }

                break;
            case LComprehension comprehension:
                Body(comprehension.Body);
                Terms([comprehension.Value, .. comprehension.Key is null ? (ReadOnlySpan<LTerm>)[] : [comprehension.Key]]);
                break;
        }

        return Of(term);
    }

    private RegoTypes Call(LCall call, RegoTypes[] kinds)
    {
        _work.Tick();
        if (call.Builtin is not { } builtin)
        {
            return RegoTypes.Any;
        }

        // print takes any number of operands of any kind; a wrong number of operands was told before.
        if (!ReferenceEquals(builtin, Lowering.Print) && kinds.Length == builtin.Arity && kinds.Zip(builtin.Arguments).Any(pair => (pair.First & pair.Second) == RegoTypes.None))
        {
            _errors.Add(RegoErrorCode.TypeError, _source, call.At, $"{builtin.Name}: invalid argument(s)\n\thave: ({string.Join(", ", kinds.Select(Text))})\n\twant: ({string.Join(", ", builtin.Arguments.Select(Text))})");
        }

        return builtin.IsRelation ? RegoTypes.Any : IsDifference(call) ? Difference(kinds[0], kinds[1], builtin) : builtin.Result;
    }

    private static string Text(RegoTypes kinds)
    {
        if (kinds == RegoTypes.Any)
        {
            return "any";
        }

        var names = Enum.GetValues<RegoKind>().Where(kind => kinds.HasFlag((RegoTypes)(1 << (int)kind))).Select(RegoValue.NameOf).ToArray();
        return names.Length == 1 ? names[0] : $"any<{string.Join(", ", names)}>";
    }
}
