using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Assay.Service.Keys;
using Assay.Service.Log;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Service.Http;

/// <summary>A kind of answer that brings nothing (RFC 9457). Its type is permanent; clients decide by it.</summary>
/// <param name="Id">Behind <c>urn:assay:</c>.</param>
/// <param name="Status">Of HTTP.</param>
/// <param name="Title">The same in every answer of the kind.</param>
public sealed record ProblemKind(string Id, int Status, string Title)
{
    /// <summary>The <c>type</c>.</summary>
    public string Type => $"urn:assay:{Id}";
}

/// <summary>How an endpoint that speaks another protocol tells its clients what came before it: no credential, limits, failures. It is metadata of the endpoint.</summary>
public abstract class ProblemForm
{
    /// <summary>Writes the answer. The status is the kind's until it sets another.</summary>
    public abstract Task WriteAsync(HttpContext context, ProblemKind kind, string? detail);
}

/// <summary>The kinds of the kernel, and how all of them are written. docs/reference/service.md lists every kind.</summary>
public static class Problems
{
    /// <summary>No credential, or none that is known.</summary>
    public static ProblemKind Unauthenticated { get; } = new("unauthenticated", 401, "A valid API key, token or client certificate is needed.");

    /// <summary>The caller may not do this.</summary>
    public static ProblemKind Forbidden { get; } = new("forbidden", 403, "The caller may not do this.");

    /// <summary>Nothing is at this address, or not for this caller.</summary>
    public static ProblemKind NotFound { get; } = new("not-found", 404, "There is nothing at this address, or not for this caller.");

    /// <summary>Another method is expected.</summary>
    public static ProblemKind Method { get; } = new("method", 405, "Another method is expected.");

    /// <summary>The body is malformed.</summary>
    public static ProblemKind BadRequest { get; } = new("bad-request", 400, "The request is malformed.");

    /// <summary>The body is too large.</summary>
    public static ProblemKind TooLarge { get; } = new("too-large", 413, "The request is too large.");

    /// <summary>The body is of another type.</summary>
    public static ProblemKind MediaType { get; } = new("media-type", 415, "The body must be of another media type.");

    /// <summary>Too many requests of an address or a tenant.</summary>
    public static ProblemKind TooManyRequests { get; } = new("too-many-requests", 429, "Too many requests: come again later.");

    /// <summary>The tenant's quota of the day is used up.</summary>
    public static ProblemKind QuotaUsedUp { get; } = new("quota-used-up", 429, "The tenant has used up its appraisals of today.");

    /// <summary>The server sheds load, or is about to stop.</summary>
    public static ProblemKind Busy { get; } = new("busy", 503, "The server has too much to do: come again in a moment.");

    /// <summary>A part that the server needs does not answer.</summary>
    public static ProblemKind Unavailable { get; } = new("unavailable", 503, "A part that the server needs does not answer: come again in a moment.");

    /// <summary>The key encryption key cannot be used now.</summary>
    public static ProblemKind KekUnavailable { get; } = new("kek-unavailable", 503, "The key encryption key does not answer: nothing was decided. Come again in a moment.");

    /// <summary>A bug.</summary>
    public static ProblemKind Internal { get; } = new("internal", 500, "The server failed. The request id tells its operator which request it was.");

    /// <summary>The kinds of the kernel.</summary>
    public static ImmutableArray<ProblemKind> All { get; } = [Unauthenticated, Forbidden, NotFound, Method, BadRequest, TooLarge, MediaType, TooManyRequests, QuotaUsedUp, Busy, Unavailable, KekUnavailable, Internal];

    /// <summary>The kind of an answer that has a status and nothing else.</summary>
    internal static ProblemKind OfStatus(int status) => All.FirstOrDefault(kind => kind.Status == status) ?? (status < 500 ? BadRequest : Internal);

    /// <summary>The answer of an endpoint.</summary>
    public static ProblemHttpResult Of(ProblemKind kind, string? detail = null, params (string Name, object? Value)[] more)
    {
        ArgumentNullException.ThrowIfNull(kind);
        return TypedResults.Problem(Details(kind, detail, more));
    }

    /// <summary>The answer of something that is no endpoint.</summary>
    public static async Task WriteAsync(HttpContext context, ProblemKind kind, string? detail = null, TimeSpan? retryAfter = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(kind);
        if (context.Response.HasStarted)
        {
            return;
        }

        context.Response.StatusCode = kind.Status;
        if (retryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        // The endpoint of a request that failed is with the failure.
        var endpoint = context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        await (endpoint?.Metadata.GetMetadata<ProblemForm>() is { } form ? form.WriteAsync(context, kind, detail) : Of(kind, detail).ExecuteAsync(context)).ConfigureAwait(false);
    }

    internal static void AddTo(IServiceCollection services)
    {
        services.AddProblemDetails();
        services.AddExceptionHandler<Failures>();
    }

    private static ProblemDetails Details(ProblemKind kind, string? detail, (string Name, object? Value)[] more)
    {
        var details = new ProblemDetails { Type = kind.Type, Title = kind.Title, Status = kind.Status, Detail = detail };
        foreach (var (name, value) in more)
        {
            details.Extensions[name] = value;
        }

        return details;
    }

    // What is thrown is told to nobody outside: its text may hold addresses, paths, or what a client sent.
    private sealed class Failures(RequestLog log) : IExceptionHandler
    {
        public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
        {
            var kind = exception switch
            {
                BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => TooLarge,
                BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => MediaType,
                BadHttpRequestException => BadRequest,
                ServiceException { Id: KeyEncryptionKey.Unavailable } => KekUnavailable,
                ServiceException held when LogProblems.Of(held.Id) is { } told => told,
                ServiceException => Unavailable,
                _ => Internal,
            };
            if (kind.Status >= StatusCodes.Status500InternalServerError)
            {
                log.Failed(httpContext, exception);
            }

            // Where in the client's own text, and of which kind; none of its values.
            var detail = kind == BadRequest && exception.InnerException is JsonException malformed ? StrictJsonOptions.WhyNot(malformed)
                : LogProblems.All.Contains(kind) ? exception.Message : null;
            await WriteAsync(httpContext, kind, detail, retryAfter: kind.Status == StatusCodes.Status503ServiceUnavailable ? TimeSpan.FromSeconds(2) : null).ConfigureAwait(false);
            return true;
        }
    }
}
