using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>What is told of a wrong clock.</summary>
internal sealed partial class ClockHealthCheck
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.ClockBehind, LogLevel.Error, "Nothing is served: {Reason}. Left out since the last such line: {LeftOut}")]
        public static partial void ClockBehind(ILogger logger, string reason, long leftOut);
    }
}
