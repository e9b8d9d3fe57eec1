using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Assay.Collateral.Proxy;

/// <summary>Bodies of requests: read to a bound, with one length, and malformed ones an error of whoever sent them.</summary>
internal static class RequestBody
{
    // Kestrel puts a Content-Length there that it passes over because of Transfer-Encoding.
    private const string PassedOverLength = "X-Content-Length";

    /// <summary>Whether it states its length twice: a proxy before this one may have believed the other (RFC 9112 §6.3, request smuggling).</summary>
    public static bool HasTwoLengths(HttpRequest request) =>
        !StringValues.IsNullOrEmpty(request.Headers.TransferEncoding) && (request.ContentLength is not null || request.Headers.ContainsKey(PassedOverLength));

    public static Task RefuseTwoLengthsAsync(HttpContext context)
    {
        // Where its body ends is not known, so nothing that follows on this connection is a request.
        context.Response.Headers.Connection = "close";
        return Refusal.BadRequestAsync(context, "Content-Length and Transfer-Encoding exclude each other: send one");
    }

    /// <summary>The endpoint, with malformed bodies refused by the status that the server names.</summary>
    public static RequestDelegate Guarded(RequestDelegate endpoint) => async context =>
    {
        try
        {
            await endpoint(context).ConfigureAwait(false);
        }
        catch (BadHttpRequestException exception)
        {
            await Refusal.WriteAsync(context, exception.StatusCode, Refusal.BadRequest, "the request is malformed or too large").ConfigureAwait(false);
        }
    };

    /// <summary>Fills the buffer as far as the body goes. Returns how far.</summary>
    /// <exception cref="BadHttpRequestException">It is malformed, too large, or comes too slowly.</exception>
    public static async Task<int> ReadAsync(HttpContext context, Memory<byte> buffer)
    {
        try
        {
            return await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted).ConfigureAwait(false);
        }
        catch (IOException exception) when (exception is not BadHttpRequestException)
        {
            // A chunk whose size does not fit 32 bits.
            throw new BadHttpRequestException("malformed body", exception);
        }
    }
}
