namespace Assay.Rego.Metering;

/// <summary>
/// The budget of the evaluation that runs on this thread, for what has no run at hand: values that compare, hash, sort and
/// print themselves. Outside an evaluation nothing is counted.
/// </summary>
internal static class Work
{
    [ThreadStatic]
    private static EvaluationMeter? s_meter;

    /// <summary>Sets the budget of this thread, and gives the one of before to put back.</summary>
    public static EvaluationMeter? Exchange(EvaluationMeter? meter)
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
