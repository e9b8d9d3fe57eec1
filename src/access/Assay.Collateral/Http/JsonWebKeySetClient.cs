using System.Net.Http.Headers;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>A key set that was fetched, or why there is none.</summary>
public sealed record KeySetAnswer
{
    /// <summary>The keys; null when they could not be had.</summary>
    public JsonWebKeySet? Keys { get; private init; }

    /// <summary>Null exactly when there are keys.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>Whether something was answered that is no key set, rather than nothing.</summary>
    public bool IsMalformed { get; private init; }

    internal static KeySetAnswer Of(JsonWebKeySet keys) => new() { Keys = keys };

    internal static KeySetAnswer None(string whyNot, bool malformed) => new() { WhyNot = whyNot, IsMalformed = malformed };
}

/// <summary>Fetches the key set of a token issuer. What it answers is believed because of TLS and of the address, which the caller chose.</summary>
public sealed class JsonWebKeySetClient : IDisposable
{
    private readonly ServiceAddress _address;
    private readonly CollateralHttp _http;

    /// <summary>Asks at this address, query included.</summary>
    public JsonWebKeySetClient(ServiceAddress address, CollateralHttpOptions options)
    {
        _http = new CollateralHttp(address, options);
        _address = address;
    }

    /// <summary>One GET. Throws only when cancelled.</summary>
    public async Task<KeySetAnswer> FetchAsync(CancellationToken cancellation)
    {
        var answer = await _http.SendAsync(Get, Limits.KeySetBytes, cancellation).ConfigureAwait(false);
        return answer.Body is not { } body ? KeySetAnswer.None($"{_address}: {answer.WhyNot}", malformed: false)
            : JsonWebKeySet.TryParse(body.Span, out var keys, out var fault) ? KeySetAnswer.Of(keys)
            : KeySetAnswer.None($"{_address}: {fault}", malformed: true);
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Get()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, _address.Uri);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/jwk-set+json"));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return request;
    }
}
