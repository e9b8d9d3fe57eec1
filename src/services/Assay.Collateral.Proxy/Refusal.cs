using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Collateral.Proxy;

/// <summary>Answers that bring nothing: RFC 9457 problems with permanent types, except where a foreign protocol dictates the form.</summary>
internal static class Refusal
{
    public const string TooManyRequests = "too-many-requests";
    public const string Busy = "busy";
    public const string BadRequest = "bad-request";
    public const string TooLarge = "too-large";
    public const string MediaType = "media-type";
    public const string Withheld = "withheld";

    public static async Task WriteAsync(HttpContext context, int status, string type, string title, TimeSpan? retryAfter = null)
    {
        if (context.Response.HasStarted)
        {
            return;
        }

        context.Response.StatusCode = status;
        AddRetryAfter(context, retryAfter);
        await context.RequestServices.GetRequiredService<IProblemDetailsService>().WriteAsync(new ProblemDetailsContext
        {
            HttpContext = context,
            ProblemDetails = new ProblemDetails { Type = ProblemWriter.TypePrefix + type, Title = title, Status = status },
        }).ConfigureAwait(false);
    }

    public static Task BadRequestAsync(HttpContext context, string title) => WriteAsync(context, StatusCodes.Status400BadRequest, BadRequest, title);

    public static Task NotFoundAsync(HttpContext context) => WriteAsync(context, StatusCodes.Status404NotFound, "not-found", "there is nothing at this address");

    /// <summary>Whoever asks for what no endpoint has.</summary>
    public static Task UnmatchedAsync(HttpContext context)
    {
        var method = context.Request.Method;
        if (HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsPost(method))
        {
            return NotFoundAsync(context);
        }

        context.Response.Headers.Allow = "GET, HEAD, POST";
        return WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "method", "GET, HEAD or POST is expected");
    }

    public static void AddRetryAfter(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }
    }
}
