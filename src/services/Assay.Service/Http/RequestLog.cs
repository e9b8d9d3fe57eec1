using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Assay.Service.Http;

/// <summary>
/// What is logged of requests, by an allow-list: method, route pattern, status, milliseconds, tenant and request id. Never a path as it came, a query, a
/// header, a body, or the text of what was thrown but for its kind.
/// </summary>
internal sealed partial class RequestLog(ILogger<RequestLog> logger)
{
    public void Served(HttpContext context, string? tenant, double milliseconds) =>
        Log.Served(logger, context.Request.Method, RouteOf(context), context.Response.StatusCode, milliseconds, tenant ?? "", context.TraceIdentifier);

    public void Failed(HttpContext context, Exception exception) =>
        Log.Failed(logger, RouteOf(context), exception is ServiceException service ? service.Id : exception.GetType().Name, exception is ServiceException ? exception.Message : exception.StackTrace ?? "", context.TraceIdentifier);

    internal static string RouteOf(HttpContext context) => (context.GetEndpoint() as Microsoft.AspNetCore.Routing.RouteEndpoint)?.RoutePattern.RawText ?? "none";

    private static partial class Log
    {
        [LoggerMessage(2001, LogLevel.Information, "{Method} {Route} {Status} in {Milliseconds} ms, tenant \"{Tenant}\", request {RequestId}")]
        public static partial void Served(ILogger logger, string method, string route, int status, double milliseconds, string tenant, string requestId);

        [LoggerMessage(2002, LogLevel.Error, "{Route} failed with {Kind}: {Where}, request {RequestId}")]
        public static partial void Failed(ILogger logger, string route, string kind, string where, string requestId);
    }
}
