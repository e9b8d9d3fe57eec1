using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Cache;

/// <summary>What a cache writes to a log. Names of services and kinds, never bytes, keys or queries.</summary>
public sealed partial class CollateralCache
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.UpstreamFailed, LogLevel.Warning, "{Host} did not answer a request for {Kind}: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void UpstreamFailed(ILogger logger, string host, string kind, string reason, long leftOut);

        [LoggerMessage(EventIds.ItemRefused, LogLevel.Warning, "{Host} sent a {Kind} that is refused: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void ItemRefused(ILogger logger, string host, string kind, string reason, long leftOut);

        [LoggerMessage(EventIds.StoreFailed, LogLevel.Error, "A {Kind} could not be written to disk and is kept in memory until the next start: {Reason}. Similar lines left out since the last one: {LeftOut}")]
        public static partial void StoreFailed(ILogger logger, string kind, string reason, long leftOut);

        [LoggerMessage(EventIds.FileDamaged, LogLevel.Warning, "The file of a {Kind} does not verify and is not used: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void FileDamaged(ILogger logger, string kind, string reason, long leftOut);
    }
}
