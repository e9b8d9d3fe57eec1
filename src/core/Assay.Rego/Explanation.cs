using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Values;

namespace Assay.Rego;

/// <summary>A statement of a policy as one evaluation went through it. Never tried: nothing led there, which is what coverage counts.</summary>
/// <param name="Location">Where it stands.</param>
/// <param name="Text">The statement in canonical layout.</param>
/// <param name="Tried">How often it was reached.</param>
/// <param name="Solved">How many solutions it had. Tried and never solved: here a rule ended.</param>
/// <param name="Seen">The operands' values when it was last tried.</param>
public sealed record ExplainedStatement(SourceLocation Location, string Text, long Tried, long Solved, IReadOnlyList<SeenValue> Seen)
{
    /// <summary>True where evaluation came and went no further.</summary>
    public bool Stopped => Tried > 0 && Solved == 0;

    internal static ExplainedStatement Of(TracePoint point, Recorder recorder)
    {
        var (tried, solved, seen) = recorder.Of(point);
        return new ExplainedStatement(point.Location, point.Text, tried, solved, [.. seen.Select((value, index) => new SeenValue(point.Operands[index].Name, value))]);
    }
}

/// <summary>An operand and its value; null is undefined.</summary>
public sealed record SeenValue(string Name, RegoValue? Value);
