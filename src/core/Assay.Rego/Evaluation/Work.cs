namespace Assay.Rego.Evaluation;

/// <summary>
/// The budget of the evaluation that runs on this thread, for what has no run at hand: values that compare, hash, sort and
/// print themselves. Outside an evaluation nothing is counted.
/// </summary>
internal static class Work
{
    [ThreadStatic]
    private static EvaluationBudget.Meter? s_meter;

    /// <summary>Sets the budget of this thread, and gives the one of before to put back.</summary>
    public static EvaluationBudget.Meter? Exchange(EvaluationBudget.Meter? meter)
    {
        var before = s_meter;
        s_meter = meter;
        return before;
    }

    /// <summary>Whether an evaluation runs on this thread.</summary>
    public static bool IsCounting => s_meter is not null;

    public static void Tick(long steps) => s_meter?.Tick(steps);

    public static void Charge(long bytes) => s_meter?.Charge(bytes);
}

/// <summary>OPA's order for sorting, with every few comparisons counted as a step. One per sort.</summary>
internal sealed class CountedOrder : IComparer<Values.RegoValue>
{
    private const int ComparisonsPerStep = 8;

    private int _comparisons;

    public int Compare(Values.RegoValue? x, Values.RegoValue? y)
    {
        if (++_comparisons % ComparisonsPerStep == 0)
        {
            Work.Tick(1);
        }

        return x is null ? (y is null ? 0 : -1) : x.CompareTo(y);
    }
}
