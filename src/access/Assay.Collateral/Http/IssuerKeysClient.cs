using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>
/// Finds the key set of a token issuer by its name (OpenID Connect Discovery 1.0 §4) and fetches it: ISSUER/.well-known/openid-configuration,
/// then the address that this document names. What is answered is believed because of TLS and of the issuer, which the caller chose.
/// </summary>
public sealed class IssuerKeysClient : IDisposable
{
    private const string WellKnown = "/.well-known/openid-configuration";

    private readonly string _issuer;
    private readonly ServiceAddress _document;
    private readonly CollateralHttpOptions _options;
    private readonly CollateralHttp _http;

    private IssuerKeysClient(string issuer, ServiceAddress document, CollateralHttpOptions options)
    {
        (_issuer, _document, _options) = (issuer, document, options);
        _http = new CollateralHttp(document, options);
    }

    /// <summary>A client for this issuer: an https URL, or http on this machine, without a query, as tokens name it.</summary>
    /// <param name="issuer">The value of <c>iss</c> that is expected.</param>
    /// <param name="options">A service key is never sent: the document chooses who would receive it.</param>
    /// <param name="client">Whoever made it disposes it.</param>
    /// <param name="fault">Why it is no such URL.</param>
    public static bool TryCreate(string? issuer, CollateralHttpOptions options, [NotNullWhen(true)] out IssuerKeysClient? client, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(options);
        client = null;
        if (issuer is null or { Length: 0 or > Limits.TokenNameCharacters } || issuer.Contains('?', StringComparison.Ordinal))
        {
            fault = new ParseFault("issuer", 0, $"a URL of at most {Limits.TokenNameCharacters} characters without a query is expected");
            return false;
        }

        // §4.1: a slash at the end is removed first.
        if (!ServiceAddress.TryParse(issuer, out _, out fault) || !ServiceAddress.TryParse(issuer.TrimEnd('/') + WellKnown, out var document, out fault))
        {
            return false;
        }

        client = new IssuerKeysClient(issuer, document, options with { ServiceKey = null, KeyHeader = null });
        return true;
    }

    /// <summary>Two GETs, one after the other. Throws only when cancelled.</summary>
    public async Task<KeySetAnswer> FetchAsync(CancellationToken cancellation)
    {
        var answer = await _http.SendAsync(Get, Limits.IssuerMetadataBytes, cancellation).ConfigureAwait(false);
        if (answer.Body is not { } body)
        {
            return KeySetAnswer.None($"{_document}: {answer.WhyNot}", malformed: false);
        }

        if (!IssuerMetadata.TryParse(body.Span, _issuer, out var metadata, out var fault))
        {
            return KeySetAnswer.None($"{_document}: {fault}", malformed: true);
        }

        if (!ServiceAddress.TryParse(metadata.KeySetUrl, out var address, out fault))
        {
            return KeySetAnswer.None($"{_document}: jwks_uri: {fault.Problem}", malformed: true);
        }

        if (WhyNotThere(_document, address) is { } whyNot)
        {
            return KeySetAnswer.None($"{_document}: jwks_uri: {whyNot}", malformed: true);
        }

        using var keys = new JsonWebKeySetClient(address, _options);
        return await keys.FetchAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => _http.Dispose();

    /// <summary>An issuer elsewhere has no say in what is asked of this machine's own services.</summary>
    internal static string? WhyNotThere(ServiceAddress document, ServiceAddress keys) =>
        keys.IsLoopback && !document.IsLoopback ? $"{keys} is on this machine, and the issuer is not: its keys cannot be here" : null;

    private HttpRequestMessage Get()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, _document.Uri);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return request;
    }
}
