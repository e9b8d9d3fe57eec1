using Assay.Rego.Builtins;
using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>What a <c>with</c> replaces.</summary>
internal enum WithTarget
{
    Input,
    Data,
    Function,
}

/// <summary>One replacement of a <c>with</c>, ready to apply.</summary>
internal sealed record Replacement(WithTarget Target, RegoValue[] Path, object? Function, Expression? Value, FunctionGroup? ByGroup, Builtin? ByBuiltin);

/// <summary>Runs the statement under replaced documents and functions; what follows it runs under those of before (see <see cref="EndWithStep"/>).</summary>
internal sealed class WithStep(Replacement[] replacements, Step body, EndWithStep end, int place) : Step
{
    public override void Link(Step next) => end.Link(next);

    public override bool Execute(Run run, int frame)
    {
        run.Step();
        var outer = run.Context;
        var (input, data, overrides, mocks) = (outer.Input, outer.Data, outer.Overrides, outer.Mocks);
        foreach (var replacement in replacements)
        {
            RegoValue? value = null;
            if (replacement.Value is not null && (value = replacement.Value.Evaluate(run, frame)) is null)
            {
                return true;
            }

            switch (replacement.Target)
            {
                case WithTarget.Input:
                    input = Put(input, replacement.Path, value!);
                    break;
                case WithTarget.Data:
                    data = Put(data, replacement.Path, value!);
                    overrides = [.. overrides ?? [], replacement.Path];
                    break;
                default:
                    mocks = mocks is null ? [] : new Dictionary<object, Mock>(mocks);
                    mocks[replacement.Function!] = new Mock(replacement.ByGroup, replacement.ByBuiltin, value);
                    break;
            }
        }

        run.Meter.Charge(200 + 8L * outer.Memo.Length);
        var before = run.Aux[frame + place];
        run.Aux[frame + place] = outer;
        run.Context = outer.With(input, data, overrides, mocks);
        var more = body.Execute(run, frame);
        run.Context = outer;
        run.Aux[frame + place] = before;
        return more;
    }

    /// <summary>The document with a value put at a path; objects are made where there are none.</summary>
    internal static RegoValue Put(RegoValue? document, ReadOnlySpan<RegoValue> path, RegoValue value)
    {
        if (path.IsEmpty)
        {
            return value;
        }

        var builder = new RegoObjectBuilder();
        if (document is RegoObject members)
        {
            Work.Tick(members.Count);
            Work.Charge(members.OwnSize);
            for (var i = 0; i < members.Count; i++)
            {
                builder[members.Keys[i]] = members.Values[i];
            }
        }

        builder[path[0]] = Put(builder.TryGetValue(path[0], out var inner) ? inner : null, path[1..], value);
        return builder.Build();
    }
}

/// <summary>The end of a statement that had a <c>with</c>: what follows sees the context of before.</summary>
internal sealed class EndWithStep(int place) : Step
{
    public override bool Execute(Run run, int frame)
    {
        var inner = run.Context;
        run.Context = (Context)run.Aux[frame + place]!;
        var more = Next.Execute(run, frame);
        run.Context = inner;
        return more;
    }
}
