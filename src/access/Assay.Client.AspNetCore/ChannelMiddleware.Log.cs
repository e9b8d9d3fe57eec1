using Microsoft.Extensions.Logging;

namespace Assay.Client.AspNetCore;

/// <summary>What is told of connections that become no channel.</summary>
internal sealed partial class ChannelMiddleware
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.ChannelRefused, LogLevel.Warning, "Connection {Connection} is no attested channel: {Id}: {Reason}")]
        public static partial void Refused(ILogger logger, string connection, string id, string reason);

        [LoggerMessage(EventIds.ConnectionGone, LogLevel.Debug, "Connection {Connection} was closed before there was a channel")]
        public static partial void Gone(ILogger logger, string connection);
    }
}
