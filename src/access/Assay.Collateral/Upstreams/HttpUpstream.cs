using System.Collections.Immutable;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Upstreams;

/// <summary>Asks the manufacturers' services, or others of the same shape, each with connections and a circuit breaker of its own.</summary>
public sealed class HttpUpstream : ICollateralSource, IDisposable
{
    /// <summary>A list of 8 MiB in hexadecimal, as some PCCS send it.</summary>
    private const int MostListBytes = 2 * Limits.CrlBytes;

    private const string SgxPath = "/sgx/certification/v4";
    private static readonly System.Buffers.SearchValues<byte> s_hexadecimal = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF"u8);

    private readonly UpstreamOptions _options;
    private readonly RimServiceClient? _rim;
    private readonly Dictionary<ServiceAddress, CollateralHttp> _clients = [];

    /// <param name="options">Whom to ask, and how.</param>
    public HttpUpstream(UpstreamOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _rim = options.Rim is { } rim ? new RimServiceClient(rim, options.Http) : null;
        // The key is NVIDIA's: nobody else sees it.
        var others = options.Http with { ServiceKey = null };
        var intel = others with { ServiceKey = options.IntelKey, KeyHeader = "Ocp-Apim-Subscription-Key" };
        Add(options.Ocsp, options.Http);
        Add(options.Crl, others);
        Add(options.Intel, intel);
        Add(options.IntelRootCrl, others);
        Add(options.Amd, others);
        foreach (var address in options.KeySets.Values)
        {
            Add(address, others);
        }
    }

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        var id = question.Key.Id;
        return question.Key.Kind switch
        {
            CollateralKind.Rim => await RimAsync(id, cancellation).ConfigureAwait(false),
            // A cache asks about a CertID, a verifier about a certificate.
            CollateralKind.Ocsp when question.CertId is { } asked => await OcspAsync(OcspRequest.Encode(asked), cancellation).ConfigureAwait(false),
            CollateralKind.Ocsp when question.Status is { } query => await OcspAsync(OcspRequest.Encode(query.Certificate, query.Issuer), cancellation).ConfigureAwait(false),
            CollateralKind.Crl => await GetAsync(_options.Crl, "/" + id, null, null, Limits.CrlBytes, cancellation).ConfigureAwait(false),
            CollateralKind.TcbInfo when id.Split('/') is [var technology, var fmspc, var update] =>
                await GetAsync(_options.Intel, $"/{technology}/certification/v4/tcb", $"fmspc={fmspc}&update={update}", "TCB-Info-Issuer-Chain", Limits.IntelStatementBytes, cancellation).ConfigureAwait(false),
            CollateralKind.QeIdentity when id.Split('/') is [var technology, var update] =>
                await GetAsync(_options.Intel, $"/{technology}/certification/v4/qe/identity", $"update={update}", "SGX-Enclave-Identity-Issuer-Chain", Limits.IntelStatementBytes, cancellation).ConfigureAwait(false),
            CollateralKind.PckCrl => FromHexadecimal(await GetAsync(_options.Intel, $"{SgxPath}/pckcrl", $"ca={id}&encoding=der", "SGX-PCK-CRL-Issuer-Chain", MostListBytes, cancellation).ConfigureAwait(false)),
            CollateralKind.RootCrl when !_options.OmitIntelRootCrl => FromHexadecimal(_options.IntelRootCrl is { } address
                ? await GetAsync(address, "", null, null, MostListBytes, cancellation).ConfigureAwait(false)
                : await GetAsync(_options.Intel, $"{SgxPath}/rootcacrl", null, null, MostListBytes, cancellation).ConfigureAwait(false)),
            CollateralKind.PckCertificate => await GetAsync(_options.Intel, $"{SgxPath}/pckcert", id, "SGX-PCK-Certificate-Issuer-Chain", Limits.ChainTextBytes, cancellation).ConfigureAwait(false),
            CollateralKind.AmdChain when id.Split('/') is [var leaf, var product] => await GetAsync(_options.Amd, $"/{leaf}/v1/{product}/cert_chain", null, null, Limits.ChainTextBytes, cancellation).ConfigureAwait(false),
            CollateralKind.AmdCrl when id.Split('/') is [var leaf, var product] => await GetAsync(_options.Amd, $"/{leaf}/v1/{product}/crl", null, null, Limits.CrlBytes, cancellation).ConfigureAwait(false),
            CollateralKind.Vcek => await VcekAsync(id, cancellation).ConfigureAwait(false),
            CollateralKind.KeySet when _options.KeySets.TryGetValue(id, out var address) => await GetAsync(address, "", null, null, Limits.KeySetBytes, cancellation).ConfigureAwait(false),
            _ => Fetched.Absent("", _options.WhyNotConfigured),
        };
    }

    /// <summary>Passes an OCSP request on as it is, for whoever wants an answer made for his nonce. The answer is kept by nobody.</summary>
    public Task<Fetched<CollateralItem>> ForwardOcspAsync(ReadOnlyMemory<byte> request, CancellationToken cancellation) => OcspAsync(request.ToArray(), cancellation);

    /// <summary>The ids that the RIM service lists: a hint for people, which nobody signs.</summary>
    public async Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) =>
        _rim is null ? [] : await _rim.ListRimsAsync(cancellation).ConfigureAwait(false);

    /// <summary>Closes its connections.</summary>
    public void Dispose()
    {
        _rim?.Dispose();
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private void Add(ServiceAddress? address, CollateralHttpOptions options)
    {
        if (address is not null && !_clients.ContainsKey(address))
        {
            _clients.Add(address, new CollateralHttp(address, options));
        }
    }

    private async Task<Fetched<CollateralItem>> RimAsync(string id, CancellationToken cancellation)
    {
        if (_rim is null)
        {
            return Fetched.Failed("RIM", _options.WhyNotConfigured);
        }

        return await _rim.FetchAsync(CollateralQuestion.OfRim(id), cancellation).ConfigureAwait(false);
    }

    private async Task<Fetched<CollateralItem>> OcspAsync(byte[] der, CancellationToken cancellation)
    {
        if (_options.Ocsp is not { } address)
        {
            return Fetched.Failed("OCSP", _options.WhyNotConfigured);
        }

        var answer = await _clients[address].SendAsync(() => Post(address, der), Limits.OcspResponseBytes, cancellation).ConfigureAwait(false);
        // What is no success nobody signed: it is an outage, and never an answer about a certificate.
        return answer.Body is not { } body ? Fetched.Failed($"{address}", answer.WhyNot!, answer.RetryAfter)
            : OcspResponse.TryParse(body.Span, out var response, out _) && response.Status is not OcspResponseStatus.Successful ? Fetched.Failed($"{address}", WhyNot(response.Status))
            : Fetched.Item($"{address}", body);
    }

    private static string WhyNot(OcspResponseStatus status) =>
        OcspClient.WhyNot(status) + (status is OcspResponseStatus.Unauthorized ? "; a collateral proxy is told chains by --learn or POST /v1/chains" : "");

    private async Task<Fetched<CollateralItem>> VcekAsync(string id, CancellationToken cancellation) =>
        AmdPath.TryReadVcek(id, out var path, out var query)
            ? await GetAsync(_options.Amd, path, query, null, Limits.CertificateBytes, cancellation).ConfigureAwait(false)
            : Fetched.Absent("AMD", "no chip and TCB are named");

    private async Task<Fetched<CollateralItem>> GetAsync(ServiceAddress? address, string path, string? query, string? chainHeader, int most, CancellationToken cancellation)
    {
        if (address is null)
        {
            return Fetched.Failed("", _options.WhyNotConfigured);
        }

        var below = path.Length == 0 ? address.Uri : address.Below(path);
        var uri = query is null ? below : new UriBuilder(below) { Query = query }.Uri;
        var answer = await _clients[address].SendAsync(() => new HttpRequestMessage(HttpMethod.Get, uri), most, cancellation).ConfigureAwait(false);
        var source = ServiceAddress.Show(uri);
        return answer.Body is { } body ? Fetched.Item(source, body, ChainOf(answer, chainHeader))
            : answer.Status is HttpStatusCode.NotFound ? Fetched.Absent(source, answer.WhyNot!)
            : Fetched.Failed(source, answer.WhyNot!, answer.RetryAfter);
    }

    private static HttpRequestMessage Post(ServiceAddress address, byte[] der)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, address.Uri) { Content = new ByteArrayContent(der) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/ocsp-request");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/ocsp-response"));
        return request;
    }

    // Intel sends PEM, escaped as in a URL. What it is worth the verifier finds out.
    private static ReadOnlyMemory<byte> ChainOf(HttpAnswer answer, string? header) =>
        header is not null && answer.Header(header) is { Length: <= 3 * Limits.ChainTextBytes } escaped ? Encoding.UTF8.GetBytes(Uri.UnescapeDataString(escaped)) : default;

    // A PCCS sends lists as hexadecimal text where DER was not asked for, and of the root always. Intel's own service sends DER.
    private static Fetched<CollateralItem> FromHexadecimal(Fetched<CollateralItem> answer)
    {
        if (answer.Item is not { Body: var body } || body.Length % 2 != 0 || body.Span.ContainsAnyExcept(s_hexadecimal))
        {
            return answer;
        }

        return Fetched.Item(answer.Source, Convert.FromHexString(Encoding.ASCII.GetString(body.Span)), answer.Item.Chain);
    }
}
