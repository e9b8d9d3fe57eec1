using System.Globalization;
using System.Runtime.CompilerServices;

namespace Assay.Rego;

/// <summary>What one evaluation may take. Over budget is an error that says so, never an answer.</summary>
public sealed record EvaluationBudget
{
    /// <summary>20 million steps, 256 MB of values made.</summary>
    public static readonly EvaluationBudget Default = new();

    /// <summary>The most steps: statements tried, elements visited, and what built-ins count.</summary>
    public long Steps { get; init; } = 20_000_000;

    /// <summary>The most bytes of values made, in all; an estimate, counted before they are made.</summary>
    public long Bytes { get; init; } = 256L << 20;

    /// <summary>Counts what is left. One per evaluation.</summary>
    internal sealed class Meter(EvaluationBudget budget, CancellationToken cancellation, Action<long>? looked = null)
    {
        // The token is looked at every so many steps.
        private const int Interval = 1024;

        private long _steps = budget.Steps;
        private long _bytes = budget.Bytes;
        private long _nextLook = budget.Steps - Interval;

        public CancellationToken Cancellation { get; } = cancellation;

        public long StepsTaken => budget.Steps - _steps;

        public long BytesMade => budget.Bytes - _bytes;

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
                throw EvaluationHalt.OverBudget(string.Create(CultureInfo.InvariantCulture, $"the evaluation made more than {budget.Bytes} bytes of values"));
            }
        }

        private void Look()
        {
            if (_steps < 0)
            {
                throw EvaluationHalt.OverBudget(string.Create(CultureInfo.InvariantCulture, $"the evaluation took more than {budget.Steps} steps"));
            }

            _nextLook = _steps - Interval;
            if (Cancellation.IsCancellationRequested)
            {
                throw new EvaluationHalt(RegoErrorCode.EvalCancelError, "the caller cancelled the evaluation, or its time ran out");
            }

            looked?.Invoke(StepsTaken);
        }
    }
}
