using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>A policy ready to run: the tree of documents and their rules.</summary>
internal sealed class Program
{
    public required DataNode Root { get; init; }

    public int Groups { get; set; }

    /// <summary>The statements that can be watched; none unless compiled for explanations.</summary>
    public IReadOnlyList<TracePoint> Points { get; init; } = [];
}

/// <summary>A rule with its branches, each the first step of a body.</summary>
internal sealed record RulePlan(Step[] Branches);

/// <summary>All rules that make one document.</summary>
internal abstract class Group
{
    public required int Id { get; init; }

    public required RegoValue[] Path { get; init; }

    public RulePlan[] Rules { get; set; } = [];

    /// <summary>Tells which rules to ask; null when they have nothing to be told apart by.</summary>
    public RuleIndex? Index { get; set; }

    public int FrameSize { get; set; } = 1;

    /// <summary>The rules to ask. A replaced operator may make anything hold, and then all are asked.</summary>
    public RuleIndex.Candidates Candidates(Run run, int frame) =>
        Index is { } index && run.Context.Mocks is null ? index.For(run, frame) : new(Rules.Length);

    /// <summary>The document's value in the present context, from the cache when it was made before.</summary>
    public RegoValue? Value(Run run)
    {
        var context = run.Context;
        if (context.Memo[Id] is { } kept)
        {
            return ReferenceEquals(kept, Undefined.Value) ? null : kept;
        }

        RegoValue? value = null;
        if (context.Overrides is null || !context.Hides(Path))
        {
            run.Step();
            var frame = run.Push(FrameSize);
            value = Make(run, frame);
            run.Pop(frame);
        }

        value ??= Base(context.Data);
        context.Memo[Id] = value ?? Undefined.Value;
        return value;
    }

    protected abstract RegoValue? Make(Run run, int frame);

    private RegoValue? Base(RegoValue? place)
    {
        foreach (var key in Path)
        {
            place = DataNode.Base(place, key);
        }

        return place;
    }
}

/// <summary>Complete rules: one value.</summary>
internal sealed class CompleteGroup : Group
{
    public Step? Default { get; set; }

    /// <summary>All rules give the same constant: the first success decides.</summary>
    public bool FirstDecides { get; set; }

    public SourceLocation At { get; set; } = null!;

    protected override RegoValue? Make(Run run, int frame) => Alternatives.Evaluate(run, frame, this, Default, FirstDecides, "complete rules must not produce multiple outputs", At);
}

/// <summary>Functions: one value for each tuple of arguments.</summary>
internal sealed class FunctionGroup : Group
{
    public required int Arity { get; init; }

    public Step? Default { get; set; }

    public bool FirstDecides { get; set; }

    public SourceLocation At { get; set; } = null!;

    // The result of a function that is called rarely is not worth keeping.
    private const int CallsBeforeKeeping = 16;

    private const long KeptSize = 160;

    /// <summary>The arguments stand in the frame behind slot 0. Results are kept for the rest of the query, in this context.</summary>
    public RegoValue? Call(Run run, int frame)
    {
        if (!run.KeepsResults)
        {
            return Fresh(run, frame);
        }

        var calls = run.Context.CallsOf(this);
        if (++calls.Count <= CallsBeforeKeeping || Arguments(run, frame) is not { } arguments)
        {
            return Fresh(run, frame);
        }

        if (calls.Results.TryGetValue(arguments, out var kept))
        {
            return ReferenceEquals(kept, Undefined.Value) ? null : kept;
        }

        var result = Fresh(run, frame);
        run.Meter.Charge(KeptSize);
        calls.Results[arguments] = result ?? Undefined.Value;
        return result;
    }

    private RegoValue? Fresh(Run run, int frame) => Alternatives.Evaluate(run, frame, this, Default, FirstDecides, "functions must not produce multiple outputs for same inputs", At);

    // The arguments as one value; null when it would nest too deeply.
    private RegoValue? Arguments(Run run, int frame)
    {
        if (Arity == 1)
        {
            return run.Stack[frame + 1];
        }

        var arguments = new RegoValue[Arity];
        for (var i = 0; i < Arity; i++)
        {
            arguments[i] = run.Stack[frame + 1 + i]!;
            if (arguments[i].Depth == RegoValue.MaxDepth || arguments[i].FullSize > ValueLimits.MaxSize / (2 * Arity))
            {
                return null;
            }
        }

        return RegoArray.Over(arguments);
    }

    protected override RegoValue? Make(Run run, int frame) => null;
}

internal static class Alternatives
{
    /// <summary>Every rule is asked; those that have a value must agree. Within a rule the first branch with a value ends it.</summary>
    public static RegoValue? Evaluate(Run run, int frame, Group group, Step? otherwise, bool firstDecides, string conflict, SourceLocation at)
    {
        RegoValue? result = null;
        for (var candidates = group.Candidates(run, frame); candidates.Next(out var rule);)
        {
            foreach (var branch in group.Rules[rule].Branches)
            {
                run.Stack[frame] = null;
                branch.Execute(run, frame);
                if (run.Stack[frame] is not null)
                {
                    break;
                }
            }

            if (run.Stack[frame] is not { } value)
            {
                continue;
            }

            if (result is not null && !result.Equals(value))
            {
                throw Run.Conflict(conflict, at);
            }

            result = value;
            if (firstDecides)
            {
                break;
            }
        }

        if (result is null && otherwise is not null)
        {
            run.Stack[frame] = null;
            otherwise.Execute(run, frame);
            result = run.Stack[frame];
        }

        return result;
    }
}

/// <summary>
/// Partial rules: a set, or an object that rules with variables in their path build, together with all rules below it.
/// </summary>
internal sealed class PartialGroup : Group
{
    public required bool IsSet { get; init; }

    /// <summary>Groups of constant paths below this one, with the rest of their path. Functions are not among them.</summary>
    public List<(RegoValue[] Inner, Group Group)> Below { get; } = [];

    public SourceLocation At { get; set; } = null!;

    protected override RegoValue? Make(Run run, int frame)
    {
        var document = new DocumentBuilder();
        if (IsSet)
        {
            document.BeSet();
        }
        else
        {
            document.BeObject();
        }

        run.Aux[frame] = document;
        for (var candidates = Candidates(run, frame); candidates.Next(out var rule);)
        {
            foreach (var branch in Rules[rule].Branches)
            {
                branch.Execute(run, frame);
            }
        }

        foreach (var (rest, group) in Below)
        {
            if (group.Value(run) is { } value)
            {
                var place = document;
                foreach (var key in rest)
                {
                    place = place.Child(key, At);
                }

                place.Put(value, group is PartialGroup { IsSet: true }, At);
            }
        }

        run.Aux[frame] = null;
        var made = document.Build(run.Meter);
        foreach (var over in run.Context.Overrides ?? [])
        {
            // A with below this document shows in it.
            if (over.Length > Path.Length && Ordering.Same(over.AsSpan(0, Path.Length), Path) && Find(run.Context.Data, over) is { } replaced)
            {
                made = WithStep.Put(made, over.AsSpan(Path.Length), replaced);
            }
        }

        return made;
    }

    private static RegoValue? Find(RegoValue? place, RegoValue[] path)
    {
        foreach (var key in path)
        {
            place = DataNode.Base(place, key);
        }

        return place;
    }
}
