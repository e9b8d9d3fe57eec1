using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Assay.Collateral.Proxy;

/// <summary>
/// An OCSP responder that signs nothing: <c>POST /</c> and <c>/ocsp</c>, and GET with the request in base64 behind either (RFC 6960
/// appendix A.1). What is no answer has the form of the protocol, unsigned as it always is.
/// </summary>
internal sealed class OcspEndpoints(
    ItemAnswers answers, CollateralCache cache, HttpUpstream? upstream, ItemVerification verification, OcspNonceMode nonceMode, RequestRefusals refusals, TimeProvider time)
{
    private const string RequestType = "application/ocsp-request";
    private const string ResponseType = "application/ocsp-response";
    private const string Header = "x-assay-ocsp";
    private const int MostBytes = CollateralRoute.MostBodyBytes;

    // OCSPResponse { responseStatus ENUMERATED } (RFC 6960 §4.2.1).
    private static byte[] Status(OcspResponseStatus status) => [0x30, 0x03, 0x0A, 0x01, status switch
    {
        OcspResponseStatus.MalformedRequest => 1,
        OcspResponseStatus.InternalError => 2,
        OcspResponseStatus.TryLater => 3,
        _ => 6,
    }];

    public async Task PostAsync(HttpContext context)
    {
        if (context.Request.ContentType is not { } type || !type.Split(';')[0].Trim().Equals(RequestType, StringComparison.OrdinalIgnoreCase))
        {
            await Refusal.WriteAsync(context, StatusCodes.Status415UnsupportedMediaType, Refusal.MediaType, $"{RequestType} is expected").ConfigureAwait(false);
            return;
        }

        var buffer = new byte[(int)Math.Min(context.Request.ContentLength ?? MostBytes, MostBytes)];
        var length = await RequestBody.ReadAsync(context, buffer).ConfigureAwait(false);
        await AnswerAsync(context, buffer.AsMemory(0, length)).ConfigureAwait(false);
    }

    /// <summary>Answers the request in base64 that is behind the literal part of the route.</summary>
    /// <param name="context">The request.</param>
    /// <param name="isOcspOnly">Whether what is no OCSP request is a malformed one; else there is nothing at such an address.</param>
    public Task GetAsync(HttpContext context, bool isOcspOnly)
    {
        // The server unescapes all but slashes, which base64 has: the path is taken as it was sent.
        var pattern = ((RouteEndpoint)context.GetEndpoint()!).RoutePattern.RawText!;
        var prefix = context.Request.PathBase + pattern[..pattern.IndexOf('{', StringComparison.Ordinal)];
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var text = Uri.UnescapeDataString(target.Split('?')[0]);
        // Some clients end the responder's address with a slash and add another.
        text = text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..].TrimStart('/') : "";
        var der = new byte[text.Length];
        return text.Length > 0 && Convert.TryFromBase64String(text, der, out var length) && OcspQuestion.TryParse(der.AsSpan(0, length), out _, out _)
            ? AnswerAsync(context, der.AsMemory(0, length))
            : isOcspOnly ? RefuseMalformedAsync(context, "malformed")
            : Refusal.NotFoundAsync(context);
    }

    private async Task AnswerAsync(HttpContext context, ReadOnlyMemory<byte> der)
    {
        if (!OcspQuestion.TryParse(der.Span, out var question, out _))
        {
            await RefuseMalformedAsync(context, "malformed").ConfigureAwait(false);
            return;
        }

        // Signed answers cannot be put together, and every known client asks about one.
        if (question.CertIds is not [var asked])
        {
            await RefuseMalformedAsync(context, "one-certificate-per-request").ConfigureAwait(false);
            return;
        }

        if (cache.FindIssuer(asked) is not { } issuer)
        {
            await RefuseAsync(context, OcspResponseStatus.Unauthorized, "unknown-issuer").ConfigureAwait(false);
            return;
        }

        if (question.Nonce is not null && nonceMode is OcspNonceMode.Forward)
        {
            await ForwardAsync(context, der, asked, issuer).ConfigureAwait(false);
            return;
        }

        var answer = await cache.GetAsync(ItemVerification.KeyOf(asked, issuer), context.RequestAborted).ConfigureAwait(false);
        if (answer.Item is not { } item)
        {
            await RefuseAsync(context, OcspResponseStatus.TryLater, answer.Failure.ToString().ToLowerInvariant(), StatusCodes.Status503ServiceUnavailable, answer.RetryAfter).ConfigureAwait(false);
            return;
        }

        answers.AddAge(context, answer);
        await SendAsync(context, item.Body, "cached").ConfigureAwait(false);
    }

    private async Task ForwardAsync(HttpContext context, ReadOnlyMemory<byte> der, OcspCertId asked, CertifiedAuthority issuer)
    {
        if (cache.WhyNotClock() is not null)
        {
            await RefuseAsync(context, OcspResponseStatus.TryLater, "clock", StatusCodes.Status503ServiceUnavailable, TimeSpan.FromSeconds(5)).ConfigureAwait(false);
            return;
        }

        var answer = upstream is null ? null : await upstream.ForwardOcspAsync(der, context.RequestAborted).ConfigureAwait(false);
        if (answer?.Item is not { Body: var body })
        {
            await RefuseAsync(context, OcspResponseStatus.TryLater, "unreachable", StatusCodes.Status503ServiceUnavailable, answer?.RetryAfter ?? TimeSpan.FromSeconds(5)).ConfigureAwait(false);
            return;
        }

        // Nothing unverified leaves, also where nothing is kept.
        if (!verification.TryVerifyOcsp(asked, issuer, body, out var item, out var fault) || !item.IsCurrent(time.GetUtcNow(), out fault))
        {
            await RefuseAsync(context, OcspResponseStatus.TryLater, fault.Name, StatusCodes.Status502BadGateway).ConfigureAwait(false);
            return;
        }

        // Nor does an answer from before a revocation that was seen, and one that revokes is remembered.
        if (!cache.TrySee(item))
        {
            await RefuseAsync(context, OcspResponseStatus.TryLater, "older", StatusCodes.Status502BadGateway).ConfigureAwait(false);
            return;
        }

        context.Response.Headers.CacheControl = "no-store";
        await SendAsync(context, item.Body, "forwarded").ConfigureAwait(false);
    }

    private static Task SendAsync(HttpContext context, ReadOnlyMemory<byte> der, string how)
    {
        context.Response.ContentType = ResponseType;
        context.Response.Headers[Header] = how;
        return ItemAnswers.WriteAsync(context, der);
    }

    private Task RefuseMalformedAsync(HttpContext context, string why)
    {
        refusals.Count(context, Refusal.BadRequest);
        return RefuseAsync(context, OcspResponseStatus.MalformedRequest, why);
    }

    private static Task RefuseAsync(HttpContext context, OcspResponseStatus status, string why, int http = StatusCodes.Status200OK, TimeSpan? retryAfter = null)
    {
        context.Response.StatusCode = http;
        context.Response.Headers.CacheControl = "no-store";
        Refusal.AddRetryAfter(context, retryAfter);
        return SendAsync(context, Status(status), $"refused; reason={why}");
    }
}
