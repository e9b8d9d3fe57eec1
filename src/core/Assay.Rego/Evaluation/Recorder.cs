using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>A statement that can be watched, with the operands whose values tell why it failed.</summary>
internal sealed record TracePoint(SourceLocation Location, string Text, (string Name, Expression Value)[] Operands);

/// <summary>Counts how often each statement was tried and solved, and keeps the values that it last saw.</summary>
internal sealed class Recorder
{
    private readonly Dictionary<TracePoint, (long Tried, long Solved, RegoValue?[] Seen)> _points = [];

    public void Tried(TracePoint point, Run run, int frame)
    {
        var (tried, solved, seen) = _points.GetValueOrDefault(point, (0, 0, new RegoValue?[point.Operands.Length]));
        for (var i = 0; i < seen.Length; i++)
        {
            seen[i] = point.Operands[i].Value.Evaluate(run, frame);
        }

        _points[point] = (tried + 1, solved, seen);
    }

    public void Solved(TracePoint point)
    {
        var (tried, solved, seen) = _points[point];
        _points[point] = (tried, solved + 1, seen);
    }

    /// <summary>What became of a statement; all zero and empty when nothing led there.</summary>
    public (long Tried, long Solved, RegoValue?[] Seen) Of(TracePoint point) => _points.GetValueOrDefault(point, (0, 0, []));
}

/// <summary>Before a watched statement.</summary>
internal sealed class TriedStep(TracePoint point) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Recorder?.Tried(point, run, frame);
        return Next.Execute(run, frame);
    }
}

/// <summary>Behind a watched statement.</summary>
internal sealed class SolvedStep(TracePoint point) : Step
{
    public override bool Execute(Run run, int frame)
    {
        run.Recorder?.Solved(point);
        return Next.Execute(run, frame);
    }
}
