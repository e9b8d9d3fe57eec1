using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Cli.Channels;

/// <summary>An answer of the proxy's own: a problem (RFC 9457) whose type ends with a permanent id.</summary>
internal static class ChannelProblem
{
    public const string ContentType = "application/problem+json";
    public const string TypePrefix = "urn:assay:";

    public static async Task WriteAsync(HttpContext context, int status, string id, string reason)
    {
        var body = HarmlessJson.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("type", TypePrefix + id);
            writer.WriteString("title", reason);
            writer.WriteNumber("status", status);
            writer.WriteEndObject();
        });
        context.Response.Clear();
        context.Response.StatusCode = status;
        context.Response.ContentType = ContentType;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }
}
