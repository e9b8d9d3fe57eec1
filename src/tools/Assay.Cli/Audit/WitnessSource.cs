using System.Net;
using System.Security.Cryptography;
using System.Text;
using Assay.Client.Service;
using Assay.Collateral.Http;

namespace Assay.Cli.Audit;

/// <summary>A witness over HTTP, without a credential (C2SP tlog-witness): what it shows is believed by its cosignature.</summary>
internal sealed class WitnessSource(ServiceAddress address) : IDisposable
{
    private const string Prefix = "/v1/witness";
    private const int LargestAnswer = 64 * 1024;

    // As the broker's configuration has it, or the witness's address alone.
    private readonly string _base = address.Uri.GetLeftPart(UriPartial.Path).TrimEnd('/') + (address.Uri.AbsolutePath is "/" ? Prefix : "");
    private readonly HttpClient _http = new(ServiceConnection.Handler(address)) { Timeout = TimeSpan.FromSeconds(20), MaxResponseContentBufferSize = LargestAnswer };

    /// <summary>The checkpoint of a log that the witness cosigned last; null: it has cosigned none.</summary>
    /// <param name="origin">The log's.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="WitnessUnreachableException">It could not be asked.</exception>
    public async Task<byte[]?> GetAsync(string origin, CancellationToken cancellation)
    {
        var url = new Uri($"{_base}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)))}/checkpoint");
        try
        {
            using var answer = await _http.GetAsync(url, cancellation).ConfigureAwait(false);
            return answer.StatusCode is HttpStatusCode.NotFound ? null
                : answer.IsSuccessStatusCode ? await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)
                : throw new WitnessUnreachableException($"{url}: status {(int)answer.StatusCode}");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new WitnessUnreachableException($"{url}: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}

/// <summary>A witness that could not be asked.</summary>
internal sealed class WitnessUnreachableException(string message) : Exception(message);
