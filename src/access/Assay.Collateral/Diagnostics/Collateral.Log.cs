using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Diagnostics;

/// <summary>
/// What this library writes to a log. Names of services, files and kinds, never bytes, keys or queries. One class for all of it: the generator writes several
/// in an order that changes from build to build, and packages of one commit are the same byte for byte.
/// </summary>
internal static partial class CollateralLog
{
    [LoggerMessage(EventIds.UpstreamFailed, LogLevel.Warning, "{Host} did not answer a request for {Kind}: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
    public static partial void UpstreamFailed(ILogger logger, string host, string kind, string reason, long leftOut);

    [LoggerMessage(EventIds.ItemRefused, LogLevel.Warning, "{Host} sent a {Kind} that is refused: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
    public static partial void ItemRefused(ILogger logger, string host, string kind, string reason, long leftOut);

    [LoggerMessage(EventIds.StoreFailed, LogLevel.Error, "A {Kind} could not be written to disk and is kept in memory until the next start: {Reason}. Similar lines left out since the last one: {LeftOut}")]
    public static partial void StoreFailed(ILogger logger, string kind, string reason, long leftOut);

    [LoggerMessage(EventIds.FileDamaged, LogLevel.Warning, "The file of a {Kind} does not verify and is not used: {Reason}. Similar lines not logged since the last one: {LeftOut}")]
    public static partial void FileDamaged(ILogger logger, string kind, string reason, long leftOut);

    [LoggerMessage(EventIds.BundleTaken, LogLevel.Information, "{Bundle} was taken in: sequence {Sequence}, {Taken} items, {Passed} left out because something newer is held; valid until {Until}, when {First} ends")]
    public static partial void BundleTaken(ILogger logger, string bundle, long sequence, int taken, int passed, string until, string first);

    [LoggerMessage(EventIds.BundleRefused, LogLevel.Error, "{Bundle} is refused, and what was taken in before stays: {Reason}")]
    public static partial void BundleRefused(ILogger logger, string bundle, string reason);
}
