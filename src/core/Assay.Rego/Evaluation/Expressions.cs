using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>Gives one value, or null for undefined.</summary>
internal abstract class Expression
{
    public abstract RegoValue? Evaluate(Run run, int frame);
}

internal sealed class ConstantExpression(RegoValue value) : Expression
{
    public RegoValue Value => value;

    public override RegoValue? Evaluate(Run run, int frame) => value;
}

internal sealed class SlotExpression(int slot) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame) => run.Stack[frame + slot];
}

internal sealed class InputExpression : Expression
{
    public static readonly InputExpression Instance = new();

    public override RegoValue? Evaluate(Run run, int frame) => run.Context.Input;
}

/// <summary>head[a][b]: all elements are bound.</summary>
internal sealed class LookupExpression(Expression head, Expression[] path) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        var value = head.Evaluate(run, frame);
        foreach (var element in path)
        {
            if (value is null || element.Evaluate(run, frame) is not { } key)
            {
                return null;
            }

            value = value.Lookup(key);
        }

        return value;
    }
}

/// <summary>head.a.b with constants only.</summary>
internal sealed class ConstantLookupExpression(Expression head, RegoValue[] path) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        var value = head.Evaluate(run, frame);
        foreach (var key in path)
        {
            if (value is null)
            {
                return null;
            }

            value = value.Lookup(key);
        }

        return value;
    }
}

/// <summary>The value of a rule.</summary>
internal sealed class GroupExpression(Group group) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame) => group.Value(run);
}

/// <summary>data[a][b] where no rule is known before evaluation; all elements are bound.</summary>
internal sealed class TreeLookupExpression(Expression[] path) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        DataNode? node = run.Program.Root;
        RegoValue? place = run.Context.Data;
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i].Evaluate(run, frame) is not { } key)
            {
                return null;
            }

            place = DataNode.Base(place, key);
            node = node?.Child(run, key);
            if (node?.Group is { } group)
            {
                var value = group is FunctionGroup ? null : group.Value(run);
                for (i++; i < path.Length && value is not null; i++)
                {
                    value = path[i].Evaluate(run, frame) is { } inner ? value.Lookup(inner) : null;
                }

                return value;
            }

            if (node is null && place is null)
            {
                return null;
            }
        }

        return node is null ? place : node.Extent(run, place);
    }
}

internal sealed class ArrayExpression(Expression[] items) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        var values = new RegoValue[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            if (items[i].Evaluate(run, frame) is not { } value)
            {
                return null;
            }

            values[i] = value;
        }

        var array = RegoArray.Over(values);
        run.Meter.Charge(array.OwnSize);
        return array;
    }
}

internal sealed class SetExpression(Expression[] items) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        var values = new RegoValue[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            if (items[i].Evaluate(run, frame) is not { } value)
            {
                return null;
            }

            values[i] = value;
        }

        var set = RegoSet.OverUnsorted(values);
        run.Meter.Charge(set.OwnSize);
        return set;
    }
}

internal sealed class ObjectExpression((Expression Key, Expression Value)[] pairs, SourceLocation at) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        var builder = new RegoObjectBuilder();
        foreach (var (key, value) in pairs)
        {
            if (key.Evaluate(run, frame) is not { } name || value.Evaluate(run, frame) is not { } member)
            {
                return null;
            }

            if (!builder.TryAdd(name, member))
            {
                throw Run.Conflict("object keys must be unique", at);
            }
        }

        var made = builder.Build();
        run.Meter.Charge(made.OwnSize);
        return made;
    }
}

/// <summary>Comparison by OPA's order, unless a <c>with</c> replaced the operator.</summary>
internal sealed class CompareExpression(Builtin builtin, Expression left, Expression right, SourceLocation at) : Expression
{
    private readonly int _kind = builtin.Name switch { "equal" => 0, "neq" => 1, "lt" => 2, "lte" => 3, "gt" => 4, _ => 5 };
    private readonly CallExpression _slow = new(builtin, [left, right], at);

    public override RegoValue? Evaluate(Run run, int frame)
    {
        if (run.Context.Mocks is not null)
        {
            return _slow.Evaluate(run, frame);
        }

        if (left.Evaluate(run, frame) is not { } a || right.Evaluate(run, frame) is not { } b)
        {
            return null;
        }

        return RegoBoolean.Of(_kind switch
        {
            0 => a.Equals(b),
            1 => !a.Equals(b),
            2 => a.CompareTo(b) < 0,
            3 => a.CompareTo(b) <= 0,
            4 => a.CompareTo(b) > 0,
            _ => a.CompareTo(b) >= 0,
        });
    }
}

/// <summary>A call of a built-in.</summary>
internal sealed class CallExpression(Builtin builtin, Expression[] arguments, SourceLocation at) : Expression
{
    private const int CharactersPerStep = 512;

    public Builtin Builtin => builtin;

    public override RegoValue? Evaluate(Run run, int frame)
    {
        run.Meter.Tick();
        // The operands stand on the stack, where the built-in sees them as a span.
        var place = run.Push(arguments.Length);
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Evaluate(run, frame) is not { } value)
            {
                run.Pop(place);
                return null;
            }

            run.Stack[place + i] = value;
        }

        var result = run.Context.Mocks is { } mocks && mocks.TryGetValue(builtin.Name, out var mock)
            ? Mocking.Call(run, builtin.Name, mock, place, arguments.Length, at)
            : Invoke(run, builtin, place, arguments.Length, at);
        run.Pop(place);
        return result;
    }

    public static RegoValue? Invoke(Run run, Builtin builtin, int place, int count, SourceLocation at)
    {
        // Hashing, decoding and searching long texts is work too, whatever the built-in counts by itself.
        foreach (var operand in run.Stack.AsSpan(place, count))
        {
            if (operand is RegoString { Value.Length: > CharactersPerStep } text)
            {
                run.Meter.Tick(text.Value.Length / CharactersPerStep);
            }
        }

        var result = builtin.Function(run.Builtins, run.Stack.AsSpan(place, count)!);
        if (result is null)
        {
            run.Check(builtin, at);
        }
        else if (result.Kind >= RegoKind.String)
        {
            run.Meter.Charge(result.OwnSize);
        }

        return result;
    }
}

/// <summary>print(…): each operand is a set of at most one value, so that undefined prints as such.</summary>
internal sealed class PrintExpression(Expression[] parts, SourceLocation at) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        if (run.Builtins.Environment.Print is { } print)
        {
            var text = new System.Text.StringBuilder();
            foreach (var part in parts)
            {
                text.Append(text.Length > 0 ? " " : "");
                var value = part.Evaluate(run, frame);
                OperatorBuiltins.Append(text, value is RegoSet { Count: > 0 } set ? set.Items[0] : new RegoString("<undefined>"));
            }

            run.Meter.Charge(2L * text.Length);
            print(at, text.ToString());
        }

        return RegoBoolean.True;
    }
}

/// <summary>A call of a function written in Rego.</summary>
internal sealed class FunctionExpression(FunctionGroup group, Expression[] arguments, SourceLocation at) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        run.Step();
        var place = run.Push(group.FrameSize);
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Evaluate(run, frame) is not { } value)
            {
                run.Pop(place);
                return null;
            }

            run.Stack[place + 1 + i] = value;
        }

        var result = run.Context.Mocks is { } mocks && mocks.TryGetValue(group, out var mock)
            ? Mocking.Call(run, group, mock, place + 1, arguments.Length, at)
            : group.Call(run, place);
        run.Pop(place);
        return result;
    }
}

/// <summary>Calls what stands for a function.</summary>
internal static class Mocking
{
    /// <summary>While the replacement runs, the function is itself again, so that a mock may call what it replaces.</summary>
    public static RegoValue? Call(Run run, object target, Mock mock, int place, int count, SourceLocation at)
    {
        if (mock.Value is not null)
        {
            return mock.Value;
        }

        var outer = run.Context;
        var mocks = new Dictionary<object, Mock>(outer.Mocks!);
        mocks.Remove(target);
        run.Context = outer.With(outer.Input, outer.Data, outer.Overrides, mocks.Count == 0 ? null : mocks);
        RegoValue? result;
        if (mock.Builtin is not null)
        {
            result = CallExpression.Invoke(run, mock.Builtin, place, count, at);
        }
        else
        {
            var frame = run.Push(mock.Group!.FrameSize);
            for (var i = 0; i < count; i++)
            {
                run.Stack[frame + 1 + i] = run.Stack[place + i];
            }

            result = mock.Group.Call(run, frame);
            run.Pop(frame);
        }

        run.Context = outer;
        return result;
    }
}

/// <summary>Runs a body and collects what its end yields.</summary>
internal sealed class ComprehensionExpression(RegoKind kind, Step body, int place, SourceLocation at) : Expression
{
    public override RegoValue? Evaluate(Run run, int frame)
    {
        run.Step();
        var outer = run.Aux[frame + place];
        RegoValue result;
        switch (kind)
        {
            case RegoKind.Array:
                var items = new List<RegoValue>();
                run.Aux[frame + place] = items;
                body.Execute(run, frame);
                result = RegoArray.Over([.. items]);
                break;
            case RegoKind.Set:
                var members = new HashSet<RegoValue>();
                run.Aux[frame + place] = members;
                body.Execute(run, frame);
                result = RegoSet.OverUnsorted([.. members]);
                break;
            default:
                var pairs = new RegoObjectBuilder();
                run.Aux[frame + place] = pairs;
                body.Execute(run, frame);
                result = pairs.Build();
                break;
        }

        run.Aux[frame + place] = outer;
        run.Meter.Charge(result.OwnSize);
        return result;
    }

    internal SourceLocation At => at;
}
