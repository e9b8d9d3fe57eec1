using Amazon.Runtime;
using Assay.Service.Keys.Remote;

namespace Assay.Service.Keys.Aws;

/// <summary>
/// The HTTP client under the SDK. The SDK signs a request anew for the place that a redirect names and sends it there, with the key that is to be wrapped; and
/// reads an answer of any length. Neither happens here.
/// </summary>
internal sealed class AwsHttp : HttpClientFactory, IDisposable
{
    private readonly HttpClient _client;

    public AwsHttp(bool isLoopback) => _client = new HttpClient(new Bounds(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = !isLoopback,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        // An address that moved is found.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    }))
    {
        // Each operation has a patience of its own.
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => _client.Dispose();

    private sealed class Bounds(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            try
            {
                if ((int)answer.StatusCode is >= 300 and < 400)
                {
                    throw new HttpRequestException($"it answers with a redirect (status {(int)answer.StatusCode}), which is not followed");
                }

                await answer.Content.LoadIntoBufferAsync(RemoteKeyWrapper.MostAnswer, cancellationToken).ConfigureAwait(false);
                return answer;
            }
            catch
            {
                answer.Dispose();
                throw;
            }
        }
    }
}
