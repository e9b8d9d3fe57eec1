using System.Globalization;
using Assay.Rego.Diagnostics;

namespace Assay.Rego.Compilation;

/// <summary>What compiling takes at most.</summary>
internal static class CompileLimits
{
    /// <summary>
    /// Steps of one compilation. A term costs five to ten, whatever it stands in: the largest of the ready-made policies and of the modules of
    /// OPA's suite takes 4,000, ten thousand rules that compare one value each take 400,000. The limit is for sources that were made to hurt, and
    /// is reached in a few seconds and some hundred megabytes.
    /// </summary>
    public const long Steps = 10_000_000;
}

/// <summary>
/// Counts what compiling does: a step for each visit of a term and for each variable put into a set. One per compilation, of modules or of
/// a query.
/// </summary>
internal sealed class CompileWork(long most, CancellationToken cancellation)
{
    // The token is looked at every so many steps.
    private const int Interval = 1024;

    private long _nextLook;

    public long Steps { get; private set; }

    public void Tick(long steps = 1)
    {
        Steps += steps;
        if (Steps >= _nextLook)
        {
            Look();
        }
    }

    private void Look()
    {
        _nextLook = Math.Min(Steps + Interval, most + 1);
        if (Steps > most)
        {
            throw new CompileHalt(RegoErrorCode.CompileBudgetError, string.Create(CultureInfo.InvariantCulture, $"compiling took more than {most} steps"));
        }

        if (cancellation.IsCancellationRequested)
        {
            throw new CompileHalt(RegoErrorCode.CompileCancelError, "the caller cancelled the compilation, or its time ran out");
        }
    }
}

/// <summary>Ends a compilation that may not go on. It is caught where compiling begins, and becomes an error like any other.</summary>
internal sealed class CompileHalt(RegoErrorCode code, string message) : Exception(message)
{
    public RegoError Error { get; } = new(code, message);
}
