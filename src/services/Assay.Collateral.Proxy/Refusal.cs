using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>Answers that are none: RFC 9457 problems with permanent types, except where a foreign protocol dictates the form.</summary>
internal static class Refusal
{
    public static async Task WriteAsync(HttpContext context, int status, string type, string detail, TimeSpan? retryAfter = null)
    {
        if (context.Response.HasStarted)
        {
            return;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        AddRetryAfter(context, retryAfter);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteString("type", $"urn:assay:collateral-{type}");
            writer.WriteString("title", detail);
            writer.WriteNumber("status", status);
            writer.WriteEndObject();
        }

        await ItemAnswers.WriteAsync(context, buffer.ToArray()).ConfigureAwait(false);
    }

    public static Task NotFoundAsync(HttpContext context) => WriteAsync(context, StatusCodes.Status404NotFound, "not-found", "there is nothing at this address");

    public static void AddRetryAfter(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }
    }
}
