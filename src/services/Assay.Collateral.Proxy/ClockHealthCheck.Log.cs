using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>What is told of a wrong clock.</summary>
internal sealed partial class ClockHealthCheck
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.ClockBehind, LogLevel.Error, "Nothing is served: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void ClockBehind(ILogger logger, string reason, long leftOut);
    }
}
