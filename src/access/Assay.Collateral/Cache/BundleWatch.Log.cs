using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Cache;

/// <summary>What is told of bundles that were brought while a server runs.</summary>
public sealed partial class BundleWatch
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.BundleTaken, LogLevel.Information, "{Bundle} was taken in: sequence {Sequence}, {Taken} items, {Passed} left out because something newer is held; valid until {Until}, when {First} ends")]
        public static partial void BundleTaken(ILogger logger, string bundle, long sequence, int taken, int passed, string until, string first);

        [LoggerMessage(EventIds.BundleRefused, LogLevel.Error, "{Bundle} is refused, and what was taken in before stays: {Reason}")]
        public static partial void BundleRefused(ILogger logger, string bundle, string reason);
    }
}
