using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Assay.Cli.Collateral;

/// <summary>
/// The log of <c>assay collateral serve</c>: lines on standard error. On a terminal only warnings and worse, for there standard output has
/// told the rest; in a journal or a file also the start and the end.
/// </summary>
internal static class ServeLog
{
    public static ILoggerFactory Create() => LoggerFactory.Create(logging => logging
        .SetMinimumLevel(Console.IsErrorRedirected ? LogLevel.Information : LogLevel.Warning)
        // The server warns of each connection beyond its bound: a flood of them would fill the disk.
        .AddFilter("Microsoft", LogLevel.Error)
        // Why the server cannot start is told as an error of the command; the host would add a stack trace.
        .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
        // It would write a line for each probe of a server whose clock is wrong; the check of the clock itself writes one each minute.
        .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None)
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = CultureInfo.InvariantCulture.DateTimeFormat.UniversalSortableDateTimePattern + " ";
            console.ColorBehavior = Console.IsErrorRedirected ? LoggerColorBehavior.Disabled : LoggerColorBehavior.Default;
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
}
