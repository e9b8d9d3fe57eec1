using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>What is told of refused requests.</summary>
internal sealed partial class RequestRefusals
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.RateExceeded, LogLevel.Warning, "{Client}, or all clients together, sent too many requests; the client was told to wait. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void RateExceeded(ILogger logger, ClientAddress client, long leftOut);

        [LoggerMessage(EventIds.ServerBusy, LogLevel.Warning, "Too many requests are in progress; further ones were told to retry. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void ServerBusy(ILogger logger, long leftOut);

        [LoggerMessage(EventIds.RequestMalformed, LogLevel.Warning, "{Method} \"{Path}\" from {Client} is malformed: {Type}. Similar lines not logged since the last one: {LeftOut}")]
        public static partial void RequestMalformed(ILogger logger, string method, string path, ClientAddress client, string type, long leftOut);
    }
}
