using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>What is told of a server's life.</summary>
public sealed partial class CollateralProxy
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.Started, LogLevel.Information, "Serving collateral on {Listeners}; cache folder: {Folder}; items: {Items}; anchors: {Anchors}")]
        public static partial void Started(ILogger logger, string listeners, string folder, int items, string anchors);

        [LoggerMessage(EventIds.Stopping, LogLevel.Information, "Stopping: requests under way may end, and no new ones are taken")]
        public static partial void Stopping(ILogger logger);

        [LoggerMessage(EventIds.Stopped, LogLevel.Information, "Stopped")]
        public static partial void Stopped(ILogger logger);
    }
}
