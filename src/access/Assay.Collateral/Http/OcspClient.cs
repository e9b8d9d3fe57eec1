using System.Net.Http.Headers;
using System.Security.Cryptography;
using Assay.Endorsements;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>
/// An OCSP responder over HTTP (RFC 6960 appendix A): POST to exactly one URL, whatever certificates name, with a fresh nonce each time.
/// Answers are judged by the verifier; here only answers that answer nothing are told apart.
/// </summary>
public sealed class OcspClient : ICollateralSource, IDisposable
{
    private const string RequestType = "application/ocsp-request";
    private const string ResponseType = "application/ocsp-response";

    private readonly ServiceAddress _address;
    private readonly CollateralHttp _http;

    /// <summary>Asks the responder at this address.</summary>
    public OcspClient(ServiceAddress address, CollateralHttpOptions options)
    {
        _http = new CollateralHttp(address, options);
        _address = address;
    }

    /// <summary>NVIDIA's responder.</summary>
    public static ServiceAddress NvidiaAddress { get; } = ServiceAddress.Known("https://ocsp.ndis.nvidia.com");

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (question.Status is not { } query)
        {
            return Fetched.Absent("", "an OCSP responder answers only about certificates");
        }

        // One nonce for all tries: each of them asks the same question.
        var nonce = RandomNumberGenerator.GetBytes(OcspRequest.LargestNonce);
        var der = OcspRequest.Encode(query.Certificate, query.Issuer, nonce);
        var answer = await _http.SendAsync(() => Request(der), Limits.OcspResponseBytes, cancellation).ConfigureAwait(false);
        var whyNot = answer.Body is { } body ? WhyNoAnswer(body.Span, answer.MediaType) : answer.WhyNot;
        return whyNot is null
            ? Fetched.Of($"{_address}", new CollateralItem(answer.Body!.Value, NonceSent: nonce))
            : Fetched.Failed($"{_address}", $"{_address}: {whyNot}");
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Request(byte[] der)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _address.Uri) { Content = new ByteArrayContent(der) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(RequestType);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(ResponseType));
        return request;
    }

    private static string? WhyNoAnswer(ReadOnlySpan<byte> der, string? mediaType)
    {
        if (!OcspResponse.TryParse(der, out var response, out var fault))
        {
            var type = mediaType is null or ResponseType ? "" : $", sent as {mediaType}";
            return $"the answer is not an OCSP response{type} ({fault}): check the URL";
        }

        return WhyNot(response.Status);
    }

    /// <summary>What a status means, and what to do; null for an answer.</summary>
    internal static string? WhyNot(OcspResponseStatus status) => status switch
    {
        OcspResponseStatus.Successful => null,
        OcspResponseStatus.TryLater => "the responder is busy (tryLater): try again later",
        OcspResponseStatus.InternalError => "the responder has an internal error (internalError): try again later",
        OcspResponseStatus.MalformedRequest => "the responder does not understand the request (malformedRequest): check the URL",
        OcspResponseStatus.SigRequired => "the responder requires signed requests (sigRequired), which are not supported: use another",
        OcspResponseStatus.Unauthorized => "the responder does not know this certificate (unauthorized): ask its issuer's responder",
        _ => "the responder gave no answer",
    };
}
