using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>What is told of refused requests.</summary>
internal sealed partial class RequestRefusals
{
    private static partial class Log
    {
        [LoggerMessage(EventIds.RateExceeded, LogLevel.Warning, "{Client} asks too often, or all clients together do, and is told to wait. Left out since the last such line: {LeftOut}")]
        public static partial void RateExceeded(ILogger logger, ClientAddress client, long leftOut);

        [LoggerMessage(EventIds.ServerBusy, LogLevel.Warning, "Too many requests are under way, and more are told to come again. Left out since the last such line: {LeftOut}")]
        public static partial void ServerBusy(ILogger logger, long leftOut);

        [LoggerMessage(EventIds.RequestMalformed, LogLevel.Warning, "{Method} \"{Path}\" of {Client} is malformed: {Type}. Left out since the last such line: {LeftOut}")]
        public static partial void RequestMalformed(ILogger logger, string method, string path, ClientAddress client, string type, long leftOut);
    }
}
