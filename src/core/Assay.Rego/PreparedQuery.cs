using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego;

/// <summary>What one evaluation is given besides the policy.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Default budget, nothing of the outside world, errors of built-ins make their expression undefined.</summary>
    public static readonly EvaluationOptions Default = new();

    /// <summary>What the evaluation may take.</summary>
    public EvaluationBudget Budget { get; init; } = EvaluationBudget.Default;

    /// <summary>Clock, randomness and the like: nothing by default.</summary>
    public EvaluationEnvironment Environment { get; init; } = EvaluationEnvironment.Empty;

    /// <summary>A failure of a built-in ends the query with its error.</summary>
    public bool StrictBuiltinErrors { get; init; }

    /// <summary>Told the steps taken so far, each time behind the look at the token: for tests of what is still done after it was cancelled.</summary>
    internal Action<long>? Looked { get; init; }
}

/// <summary>What a query gave: rows of bindings, or an error. An error is never an answer.</summary>
public sealed class EvaluationResult
{
    internal EvaluationResult(RegoError error) => Error = error;

    internal EvaluationResult(IReadOnlyList<RegoObject> rows, RegoValue? value) => (Rows, Value) = (rows, value);

    /// <summary>The bindings of the query's variables, one object for each solution. Empty: undefined.</summary>
    public IReadOnlyList<RegoObject> Rows { get; } = [];

    /// <summary>The value, when the query is one expression such as <c>data.policy.allow</c>; null when it is undefined.</summary>
    public RegoValue? Value { get; }

    /// <summary>Why there is no answer; null when there is one, be it undefined.</summary>
    public RegoError? Error { get; }

    /// <summary>True only when there is no error and the value is <c>true</c> itself.</summary>
    public bool IsTrue => Error is null && ReferenceEquals(Value, RegoBoolean.True);

    /// <summary>What became of each statement of the policy, when it was compiled with <see cref="CompileOptions.Explain"/>.</summary>
    public IReadOnlyList<ExplainedStatement> Explanation { get; internal init; } = [];

    /// <summary>How much of the step budget was used.</summary>
    public long Steps { get; internal init; }

    /// <summary>How many bytes of values were counted.</summary>
    public long Bytes { get; internal init; }
}

/// <summary>A query ready to be evaluated, by any number of threads at once.</summary>
public sealed class PreparedQuery
{
    private readonly CompiledPolicy _policy;
    private readonly Step _first;
    private readonly int _frameSize;

    internal PreparedQuery(CompiledPolicy policy, Step first, int frameSize) => (_policy, _first, _frameSize) = (policy, first, frameSize);

    /// <summary>How many steps compiling the query took.</summary>
    public long CompileSteps { get; internal init; }

    /// <summary>Evaluates over an input; null means that there is none, and <c>input</c> is undefined.</summary>
    public EvaluationResult Evaluate(RegoValue? input, EvaluationOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= EvaluationOptions.Default;
        var meter = new EvaluationMeter(options.Budget.Steps, options.Budget.Bytes, cancellation, options.Looked);
        var points = _policy.Program.Points;
        var recorder = points.Count > 0 ? new Recorder() : null;
        var outer = Work.Exchange(meter);
        try
        {
            var context = new Context(_policy.Program.Groups) { Input = input, Data = _policy.Data };
            var run = new Run(_policy.Program, context, meter, new BuiltinContext(options.Environment, meter, _policy.Shared), options.StrictBuiltinErrors) { Recorder = recorder };
            if (cancellation.IsCancellationRequested)
            {
                throw new EvaluationHalt(RegoErrorCode.EvalCancelError, "the caller cancelled the evaluation, or its time ran out");
            }

            var frame = run.Push(_frameSize);
            _first.Execute(run, frame);
            return new EvaluationResult(run.Rows ?? [], run.Value) { Explanation = Report(recorder, points), Steps = meter.StepsTaken, Bytes = meter.BytesMade };
        }
        catch (Exception thrown) when (Halted(thrown) is { } halt)
        {
            return new EvaluationResult(new RegoError(halt.Code, halt.Message, halt.Location)) { Explanation = Report(recorder, points), Steps = meter.StepsTaken, Bytes = meter.BytesMade };
        }
        catch (Exception fault) when (IsFault(fault))
        {
            return new EvaluationResult(new RegoError(RegoErrorCode.EvalInternalError, $"a fault of the engine: {fault.GetType().Name}: {fault.Message}")) { Steps = meter.StepsTaken, Bytes = meter.BytesMade };
        }
        finally
        {
            Work.Exchange(outer);
        }
    }

    private static IReadOnlyList<ExplainedStatement> Report(Recorder? recorder, IReadOnlyCollection<TracePoint> points) =>
        recorder is null ? [] : [.. points.Select(point => ExplainedStatement.Of(point, recorder)).OrderBy(statement => statement.Location.File, StringComparer.Ordinal).ThenBy(statement => statement.Location.Line).ThenBy(statement => statement.Location.Column)];

    // The framework's sorting wraps what a comparison throws.
    private static EvaluationHalt? Halted(Exception thrown) => thrown as EvaluationHalt ?? thrown.InnerException as EvaluationHalt;

    // What a fault of our own code throws. It must not bring down the host, and must not pass for an answer.
    private static bool IsFault(Exception thrown) => thrown is ArithmeticException or ArgumentException or InvalidOperationException or FormatException
        or IndexOutOfRangeException or NullReferenceException or InvalidCastException or KeyNotFoundException or NotSupportedException
        or System.Security.Cryptography.CryptographicException or InsufficientExecutionStackException;
}
