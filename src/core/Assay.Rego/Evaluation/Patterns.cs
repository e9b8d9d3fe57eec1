using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>Takes a value apart: binds slots, or compares.</summary>
internal abstract class Pattern
{
    public abstract bool Match(Run run, int frame, RegoValue value);
}

internal sealed class AnyPattern : Pattern
{
    public static readonly AnyPattern Instance = new();

    public override bool Match(Run run, int frame, RegoValue value) => true;
}

/// <summary>Anything but false: the value of a bare reference.</summary>
internal sealed class NotFalsePattern : Pattern
{
    public static readonly NotFalsePattern Instance = new();

    public override bool Match(Run run, int frame, RegoValue value) => !value.IsFalse;
}

internal sealed class BindPattern(int slot) : Pattern
{
    public override bool Match(Run run, int frame, RegoValue value)
    {
        run.Stack[frame + slot] = value;
        return true;
    }
}

internal sealed class EqualPattern(Expression expected) : Pattern
{
    public override bool Match(Run run, int frame, RegoValue value) => expected.Evaluate(run, frame) is { } found && found.Equals(value);
}

internal sealed class ArrayPattern(Pattern[] items) : Pattern
{
    public override bool Match(Run run, int frame, RegoValue value)
    {
        if (value is not RegoArray array || array.Count != items.Length)
        {
            return false;
        }

        for (var i = 0; i < items.Length; i++)
        {
            if (!items[i].Match(run, frame, array[i]))
            {
                return false;
            }
        }

        return true;
    }
}

internal sealed class ObjectPattern((Expression Key, Pattern Value)[] pairs) : Pattern
{
    public override bool Match(Run run, int frame, RegoValue value)
    {
        if (value is not RegoObject members || members.Count != pairs.Length)
        {
            return false;
        }

        foreach (var (key, pattern) in pairs)
        {
            if (key.Evaluate(run, frame) is not { } name || members.Lookup(name) is not { } member || !pattern.Match(run, frame, member))
            {
                return false;
            }
        }

        return true;
    }
}
