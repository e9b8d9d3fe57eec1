using Microsoft.AspNetCore.Http;

namespace Assay.Service.Http;

/// <summary>The body of a request whose bytes count as they came: for a digest, or for a reader of its own.</summary>
public static class RequestBody
{
    /// <summary>All of it. How long it may be says the endpoint's <see cref="BodyLimit"/>.</summary>
    /// <exception cref="BadHttpRequestException">It is longer, or comes too slowly.</exception>
    public static async Task<byte[]> ReadAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted).ConfigureAwait(false);
        return buffer.ToArray();
    }
}
