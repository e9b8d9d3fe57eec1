using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Collateral;

/// <summary>Log lines as they are written, of our own categories.</summary>
internal sealed class LogLines : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, EventId Id, string Text)> _lines = new();

    public (LogLevel Level, EventId Id, string Text)[] All => [.. _lines];

    public string[] Of(int id) => [.. _lines.Where(line => line.Id.Id == id).Select(line => line.Text)];

    public ILogger CreateLogger(string categoryName) => categoryName.StartsWith("Assay.", StringComparison.Ordinal) ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => _lines.Enqueue((logLevel, eventId, formatter(state, exception)));

    public void Dispose()
    {
    }
}
