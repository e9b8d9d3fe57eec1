using System.Globalization;
using System.Runtime.CompilerServices;
using Assay.Rego.Diagnostics;

namespace Assay.Rego.Metering;

/// <summary>Counts what is left of the steps and bytes of one evaluation.</summary>
internal sealed class EvaluationMeter
{
    // The token is looked at every so many steps.
    private const int Interval = 1024;

    private readonly long _mostSteps;
    private readonly long _mostBytes;
    private readonly Action<long>? _looked;
    private long _steps;
    private long _bytes;
    private long _nextLook;

    /// <param name="steps">The most steps.</param>
    /// <param name="bytes">The most bytes of values.</param>
    /// <param name="cancellation">Ends the evaluation.</param>
    /// <param name="looked">Told the steps taken so far, behind each look at the token.</param>
    public EvaluationMeter(long steps, long bytes, CancellationToken cancellation, Action<long>? looked = null)
    {
        (_mostSteps, _mostBytes, _looked, Cancellation) = (steps, bytes, looked, cancellation);
        (_steps, _bytes, _nextLook) = (steps, bytes, steps - Interval);
    }

    public CancellationToken Cancellation { get; }

    public long StepsTaken => _mostSteps - _steps;

    public long BytesMade => _mostBytes - _bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Tick(long steps = 1)
    {
        _steps -= steps;
        if (_steps < _nextLook)
        {
            Look();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Charge(long bytes)
    {
        _bytes -= bytes;
        if (_bytes < 0)
        {
            throw EvaluationHalt.OverBudget(string.Create(CultureInfo.InvariantCulture, $"the evaluation made more than {_mostBytes} bytes of values"));
        }
    }

    private void Look()
    {
        if (_steps < 0)
        {
            throw EvaluationHalt.OverBudget(string.Create(CultureInfo.InvariantCulture, $"the evaluation took more than {_mostSteps} steps"));
        }

        _nextLook = _steps - Interval;
        if (Cancellation.IsCancellationRequested)
        {
            throw new EvaluationHalt(RegoErrorCode.EvalCancelError, "the caller cancelled the evaluation, or its time ran out");
        }

        _looked?.Invoke(StepsTaken);
    }
}
