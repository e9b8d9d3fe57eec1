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

/// <summary>A document in the making: an object of documents, a set, or a value.</summary>
internal sealed class DocumentBuilder
{
    private Dictionary<RegoValue, DocumentBuilder>? _children;
    private HashSet<RegoValue>? _members;
    private RegoValue? _value;

    public void BeSet() => _members = [];

    public void BeObject() => _children = [];

    public DocumentBuilder Child(RegoValue key, SourceLocation at)
    {
        if (_value is not null || _members is not null)
        {
            throw Run.Conflict("object keys must be unique", at);
        }

        _children ??= [];
        if (!_children.TryGetValue(key, out var child))
        {
            _children[key] = child = new DocumentBuilder();
        }

        return child;
    }

    public void Add(RegoValue value, bool toSet, SourceLocation at)
    {
        if (toSet)
        {
            if (_value is not null || _children is not null)
            {
                throw Run.Conflict("object keys must be unique", at);
            }

            (_members ??= []).Add(value);
        }
        else if (_members is not null || _children is not null || _value is not null && !_value.Equals(value))
        {
            throw Run.Conflict("object keys must be unique", at);
        }
        else
        {
            _value = value;
        }
    }

    /// <summary>Adds the document of a rule with a constant path: sets unite.</summary>
    public void Put(RegoValue value, bool isSet, SourceLocation at)
    {
        if (isSet && value is RegoSet set)
        {
            if (_members is null && _value is null && _children is null)
            {
                _members = [];
            }

            foreach (var member in set)
            {
                Add(member, true, at);
            }
        }
        else
        {
            Add(value, false, at);
        }
    }

    public RegoValue Build(EvaluationBudget.Meter meter)
    {
        RegoValue made;
        if (_members is not null)
        {
            made = RegoSet.OverUnsorted([.. _members]);
        }
        else if (_children is not null)
        {
            var builder = new RegoObjectBuilder();
            foreach (var (key, child) in _children)
            {
                builder[key] = child.Build(meter);
            }

            made = builder.Build();
        }
        else
        {
            return _value!;
        }

        meter.Charge(made.OwnSize);
        return made;
    }
}

/// <summary>A place in the tree of documents that rules and packages make.</summary>
internal sealed class DataNode(RegoValue[] path)
{
    private readonly Dictionary<RegoValue, DataNode> _children = [];

    public RegoValue[] Path { get; } = path;

    public Group? Group { get; set; }

    public IReadOnlyCollection<DataNode> Children => _children.Values;

    public DataNode? Find(RegoValue key) => _children.GetValueOrDefault(key);

    public DataNode Make(RegoValue key)
    {
        if (!_children.TryGetValue(key, out var child))
        {
            _children[key] = child = new DataNode([.. Path, key]);
        }

        return child;
    }

    /// <summary>The node below, unless a <c>with</c> hides it.</summary>
    public DataNode? Child(Run run, RegoValue key) =>
        _children.TryGetValue(key, out var child) && (run.Context.Overrides is null || !run.Context.Hides(child.Path)) ? child : null;

    /// <summary>What base data hold under a key. Keys of objects there are strings: a number finds the key with its digits.</summary>
    public static RegoValue? Base(RegoValue? place, RegoValue key) => place switch
    {
        null => null,
        RegoObject members => members.Lookup(key) ?? (key is RegoNumber number ? members.Lookup(new RegoString(number.ToText())) : null),
        _ => place.Lookup(key),
    };

    /// <summary>The keys of rules and base data together, in order.</summary>
    public IReadOnlyList<RegoValue> Keys(RegoValue? place)
    {
        var keys = new SortedSet<RegoValue>(_children.Keys);
        if (place is RegoObject members)
        {
            Work.Tick(members.Count);
            foreach (var key in members.Keys)
            {
                keys.Add(key);
            }
        }

        return [.. keys];
    }

    /// <summary>The whole document: every defined rule and package below, and base data, which win where both have a leaf.</summary>
    public RegoValue? Extent(Run run, RegoValue? place)
    {
        run.Step();
        if (place is not null and not RegoObject)
        {
            return place;
        }

        var builder = new RegoObjectBuilder();
        if (place is RegoObject members)
        {
            Work.Tick(members.Count / 4);
            for (var i = 0; i < members.Count; i++)
            {
                builder[members.Keys[i]] = members.Values[i];
            }
        }

        foreach (var (key, listed) in _children)
        {
            if (listed.Group is FunctionGroup || Child(run, key) is not { } child)
            {
                continue;
            }

            builder.TryGetValue(key, out var below);
            if (child.Group is { } group)
            {
                if (below is null && group.Value(run) is { } value)
                {
                    builder[key] = value;
                }
                else if (below is RegoObject && group.Value(run) is RegoObject made)
                {
                    builder[key] = Merged(made, (RegoObject)below);
                }
            }
            else
            {
                builder[key] = child.Extent(run, below)!;
            }
        }

        var extent = builder.Build();
        run.Meter.Charge(extent.OwnSize);
        return extent;
    }

    private static RegoObject Merged(RegoObject rules, RegoObject data)
    {
        var builder = new RegoObjectBuilder();
        for (var i = 0; i < rules.Count; i++)
        {
            builder[rules.Keys[i]] = rules.Values[i];
        }

        for (var i = 0; i < data.Count; i++)
        {
            builder[data.Keys[i]] = data.Values[i];
        }

        return builder.Build();
    }
}
