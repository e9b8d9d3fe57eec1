using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>
/// A statement in a body. It runs the steps behind it once for each of its solutions. The result is whether to go on looking
/// for solutions: false unwinds to whoever has heard enough.
/// </summary>
internal abstract class Step
{
    public Step Next { get; private protected set; } = null!;

    /// <summary>Tells which step comes behind this one. Once, at compile time.</summary>
    public virtual void Link(Step next) => Next = next;

    public abstract bool Execute(Run run, int frame);
}

/// <summary>A value that must not be false.</summary>
internal sealed class TestStep(Expression condition) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        return condition.Evaluate(run, frame) is not { IsFalse: false } || Next.Execute(run, frame);
    }
}

internal sealed class BindStep(Expression value, int slot) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        if (value.Evaluate(run, frame) is not { } found)
        {
            return true;
        }

        run.Stack[frame + slot] = found;
        return Next.Execute(run, frame);
    }
}

internal sealed class MatchStep(Expression value, Pattern pattern) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        return value.Evaluate(run, frame) is not { } found || !pattern.Match(run, frame, found) || Next.Execute(run, frame);
    }
}

/// <summary>Nothing solves it.</summary>
internal sealed class FailStep : Step
{
    public override bool Execute(Run run, int frame) => true;
}

/// <summary>An element of a reference: bound, or to be enumerated and matched.</summary>
internal readonly record struct Element(Expression? Bound, Pattern? Free);

/// <summary>head[…] with variables to bind: walks into the value, one solution for each way.</summary>
internal sealed class WalkStep(Expression head, Element[] path, Pattern end) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        return head.Evaluate(run, frame) is not { } value || Into(run, frame, value, 0);
    }

    private bool Into(Run run, int frame, RegoValue value, int at)
    {
        if (at == path.Length)
        {
            return !end.Match(run, frame, value) || Next.Execute(run, frame);
        }

        if (path[at].Bound is { } bound)
        {
            return bound.Evaluate(run, frame) is not { } key || value.Lookup(key) is not { } element || Into(run, frame, element, at + 1);
        }

        var free = path[at].Free!;
        switch (value)
        {
            case RegoArray array:
                for (var i = 0; i < array.Count; i++)
                {
                    run.Step();
                    if (free.Match(run, frame, RegoNumber.Of(i)) && !Into(run, frame, array[i], at + 1))
                    {
                        return false;
                    }
                }

                return true;
            case RegoObject members:
                for (var i = 0; i < members.Count; i++)
                {
                    run.Step();
                    if (free.Match(run, frame, members.Keys[i]) && !Into(run, frame, members.Values[i], at + 1))
                    {
                        return false;
                    }
                }

                return true;
            case RegoSet set:
                for (var i = 0; i < set.Count; i++)
                {
                    run.Step();
                    if (free.Match(run, frame, set.Items[i]) && !Into(run, frame, set.Items[i], at + 1))
                    {
                        return false;
                    }
                }

                return true;
            default:
                return true;
        }
    }

    /// <summary>For the tree walk, which goes on here once it has met a value.</summary>
    internal static bool Continue(Run run, int frame, RegoValue value, Element[] path, int at, Pattern end, Step next)
    {
        var rest = new WalkStep(new ConstantExpression(value), path[at..], end);
        rest.Link(next);
        return rest.Execute(run, frame);
    }
}

/// <summary>data[…] with variables to bind, over rules and base documents together.</summary>
internal sealed class TreeWalkStep(Element[] path, Pattern end) : Step
{
    public override bool Execute(Run run, int frame) => Into(run, frame, run.Program.Root, run.Context.Data, 0);

    private bool Into(Run run, int frame, DataNode? node, RegoValue? place, int at)
    {
        run.Step();
        if (node?.Group is { } group)
        {
            return group is FunctionGroup || group.Value(run) is not { } value || WalkStep.Continue(run, frame, value, path, at, end, Next);
        }

        if (node is null && place is null)
        {
            return true;
        }

        if (at == path.Length)
        {
            return (node is null ? place : node.Extent(run, place)) is not { } value || !end.Match(run, frame, value) || Next.Execute(run, frame);
        }

        if (path[at].Bound is { } bound)
        {
            return bound.Evaluate(run, frame) is not { } key || Into(run, frame, node?.Child(run, key), DataNode.Base(place, key), at + 1);
        }

        if (node is null)
        {
            return Plain(run, frame, place!, at);
        }

        foreach (var key in node.Keys(place))
        {
            run.Step();
            if (path[at].Free!.Match(run, frame, key) && !Into(run, frame, node.Child(run, key), DataNode.Base(place, key), at + 1))
            {
                return false;
            }
        }

        return true;
    }

    private bool Plain(Run run, int frame, RegoValue place, int at)
    {
        var count = place switch { RegoArray array => array.Count, RegoObject members => members.Count, RegoSet set => set.Count, _ => 0 };
        for (var i = 0; i < count; i++)
        {
            run.Step();
            var (key, value) = place switch
            {
                RegoArray array => (RegoNumber.Of(i), array[i]),
                RegoObject members => (members.Keys[i], members.Values[i]),
                _ => (((RegoSet)place).Items[i], ((RegoSet)place).Items[i]),
            };
            if (path[at].Free!.Match(run, frame, key) && !Into(run, frame, null, value, at + 1))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>some key, value in collection.</summary>
internal sealed class SomeInStep(Expression collection, Pattern key, Pattern value) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        switch (collection.Evaluate(run, frame))
        {
            case RegoArray array:
                for (var i = 0; i < array.Count; i++)
                {
                    run.Step();
                    if ((key is AnyPattern || key.Match(run, frame, RegoNumber.Of(i))) && value.Match(run, frame, array[i]) && !Next.Execute(run, frame))
                    {
                        return false;
                    }
                }

                return true;
            case RegoObject members:
                for (var i = 0; i < members.Count; i++)
                {
                    run.Step();
                    if (key.Match(run, frame, members.Keys[i]) && value.Match(run, frame, members.Values[i]) && !Next.Execute(run, frame))
                    {
                        return false;
                    }
                }

                return true;
            case RegoSet set:
                for (var i = 0; i < set.Count; i++)
                {
                    run.Step();
                    if (key.Match(run, frame, set.Items[i]) && value.Match(run, frame, set.Items[i]) && !Next.Execute(run, frame))
                    {
                        return false;
                    }
                }

                return true;
            default:
                return true;
        }
    }
}

/// <summary>A call of a relation: one solution for each of its outputs.</summary>
internal sealed class RelationStep(Expression call, Pattern output) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        if (call.Evaluate(run, frame) is not RegoArray outputs)
        {
            return true;
        }

        for (var i = 0; i < outputs.Count; i++)
        {
            run.Step();
            if (output.Match(run, frame, outputs[i]) && !Next.Execute(run, frame))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Goes on when the body has no solution.</summary>
internal sealed class NotStep(Step body) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        return !body.Execute(run, frame) || Next.Execute(run, frame);
    }
}

/// <summary>The end of a body of which one solution is enough.</summary>
internal sealed class FoundStep : Step
{
    public override bool Execute(Run run, int frame) => false;
}

/// <summary>Goes on when the body has a solution for each element. A domain that is no collection fails.</summary>
internal sealed class EveryStep(Expression domain, int keySlot, int valueSlot, Step body) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Step();
        var collection = domain.Evaluate(run, frame);
        int count;
        switch (collection)
        {
            case RegoArray array:
                count = array.Count;
                break;
            case RegoObject members:
                count = members.Count;
                break;
            case RegoSet set:
                count = set.Count;
                break;
            default:
                return true;
        }

        for (var i = 0; i < count; i++)
        {
            run.Step();
            run.Stack[frame + valueSlot] = collection switch { RegoArray array => array[i], RegoObject members => members.Values[i], _ => ((RegoSet)collection).Items[i] };
            if (keySlot >= 0)
            {
                run.Stack[frame + keySlot] = collection switch { RegoArray => RegoNumber.Of(i), RegoObject members => members.Keys[i], _ => ((RegoSet)collection).Items[i] };
            }

            if (body.Execute(run, frame))
            {
                return true;
            }
        }

        return Next.Execute(run, frame);
    }
}

/// <summary>Hands a solution's value to the comprehension around it.</summary>
internal sealed class CollectStep(Expression? key, Expression value, int place, SourceLocation at) : Step
{
    public override bool Execute(Run run, int frame)
    {
        if (value.Evaluate(run, frame) is not { } found)
        {
            return true;
        }

        run.Meter.Charge(16);
        switch (run.Aux[frame + place])
        {
            case List<RegoValue> items:
                items.Add(found);
                break;
            case HashSet<RegoValue> members:
                members.Add(found);
                break;
            case RegoObjectBuilder pairs:
                if (key!.Evaluate(run, frame) is { } name && !pairs.TryAdd(name, found))
                {
                    throw Run.Conflict("object keys must be unique", at);
                }

                break;
        }

        return true;
    }
}

/// <summary>Gives a rule or function its value; a second, different one is a conflict.</summary>
internal sealed class ResultStep(Expression value, bool last, string conflict, SourceLocation at) : Step
{
    public override bool Execute(Run run, int frame)
    {
        if (value.Evaluate(run, frame) is not { } found)
        {
            return true;
        }

        var before = run.Stack[frame];
        if (before is null)
        {
            run.Stack[frame] = found;
        }
        else if (!before.Equals(found))
        {
            throw Run.Conflict(conflict, at);
        }

        return !last;
    }
}

/// <summary>Adds to the set or object that partial rules build.</summary>
internal sealed class ContributeStep(Expression[] path, Expression value, bool isSet, SourceLocation at) : Step
{
    public override bool Execute(Run run, int frame)
    {
        // The value first: a path is opened only for a value that is there.
        if (value.Evaluate(run, frame) is not { } found)
        {
            return true;
        }

        var tree = (DocumentBuilder)run.Aux[frame]!;
        foreach (var element in path)
        {
            if (element.Evaluate(run, frame) is not { } key)
            {
                return true;
            }

            run.Meter.Charge(160);
            tree = tree.Child(key, at);
        }

        run.Meter.Charge(40);
        tree.Add(found, isSet, at);
        return true;
    }
}
