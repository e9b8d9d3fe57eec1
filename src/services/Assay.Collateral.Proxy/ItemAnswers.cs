using System.Globalization;
using Assay.Collateral.Cache;
using Assay.Endorsements;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>Answers with an item of the cache: its exact bytes, how old it is, and how long it may be kept; or why there is none.</summary>
internal sealed class ItemAnswers(CollateralCache cache, TimeProvider time)
{
    public const string StateHeader = "x-assay-cache";

    /// <summary>Answers with the body of an item; <paramref name="head"/> adds what the service of a signed item states in headers.</summary>
    public async Task GetAsync(HttpContext context, CollateralKey key, string contentType, Action<HttpResponse, VerifiedItem>? head = null, Func<KeptItem, ReadOnlyMemory<byte>>? body = null)
    {
        if (!key.IsSound)
        {
            await Refusal.BadRequestAsync(context, "there is nothing at this address").ConfigureAwait(false);
            return;
        }

        var answer = await cache.GetAsync(key, context.RequestAborted).ConfigureAwait(false);
        if (answer.Item is not { } item)
        {
            await RefuseAsync(context, answer).ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = contentType;
        AddAge(context, answer);
        if (answer.Verified is { } verified)
        {
            head?.Invoke(context.Response, verified);
        }

        await WriteAsync(context, body?.Invoke(item) ?? item.Body).ConfigureAwait(false);
    }

    public void AddAge(HttpContext context, CacheAnswer answer)
    {
        var now = time.GetUtcNow();
        var headers = context.Response.Headers;
        headers[StateHeader] = answer.State switch { CacheState.Hit => "hit", CacheState.Miss => "miss", _ => "stale" };
        headers.Age = Seconds(now - answer.Fetched);
        headers.CacheControl = $"max-age={Seconds(answer.FreshUntil - now)}, public, no-transform, must-revalidate";
    }

    public static Task RefuseAsync(HttpContext context, CacheAnswer answer) => answer.Failure switch
    {
        CacheFailure.Absent => Refusal.WriteAsync(context, StatusCodes.Status404NotFound, "absent", answer.WhyNot!),
        CacheFailure.Refused => Refusal.WriteAsync(context, StatusCodes.Status502BadGateway, "refused", answer.WhyNot!, answer.RetryAfter),
        _ => Refusal.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, answer.Failure is CacheFailure.Clock ? "clock" : "unreachable", answer.WhyNot!, answer.RetryAfter),
    };

    /// <summary>The body, or its length alone for HEAD.</summary>
    public static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
        }
    }

    private static string Seconds(TimeSpan span) => Math.Max(0, (long)span.TotalSeconds).ToString(CultureInfo.InvariantCulture);
}
