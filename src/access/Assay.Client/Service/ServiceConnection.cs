using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Text.Json;
using Assay.Collateral.Http;

namespace Assay.Client.Service;

/// <summary>One Assay service over HTTP, with a credential: strict JSON in and out, problems as exceptions, no redirection. Safe for concurrent use.</summary>
internal sealed class ServiceConnection : IDisposable
{
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    private readonly HttpClient _http;

    /// <param name="address">The service's.</param>
    /// <param name="key">An API key or bearer token.</param>
    /// <param name="timeout">For one call; null: a minute.</param>
    /// <param name="largestAnswer">In bytes.</param>
    public ServiceConnection(ServiceAddress address, string key, TimeSpan? timeout, int largestAnswer)
        : this(address, Handler(address), largestAnswer, timeout)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Without a credential.</summary>
    /// <param name="address">The service's.</param>
    /// <param name="handler">It is disposed with this.</param>
    /// <param name="largestAnswer">In bytes.</param>
    /// <param name="timeout">For one call; null: a minute.</param>
    public ServiceConnection(ServiceAddress address, SocketsHttpHandler handler, int largestAnswer, TimeSpan? timeout = null) =>
        _http = new HttpClient(handler) { BaseAddress = new Uri(address.Uri.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/"), Timeout = timeout ?? TimeSpan.FromMinutes(1), MaxResponseContentBufferSize = largestAnswer };

    /// <summary>What every connection to a service goes through: without redirections, which would send a key elsewhere.</summary>
    public static SocketsHttpHandler Handler(ServiceAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = !address.IsLoopback };
    }

    /// <summary>Posts JSON and reads the JSON of the answer.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public async Task<T> PostAsync<T>(string path, ReadOnlyMemory<byte> body, Func<JsonElement, T> read, CancellationToken cancellation) =>
        Read(await PostAsync(path, body, cancellation).ConfigureAwait(false), read);

    /// <summary>Posts JSON; the bytes of the answer, which may be none.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public async Task<byte[]> PostAsync(string path, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        using var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await SendAsync(HttpMethod.Post, path, content, cancellation).ConfigureAwait(false);
    }

    /// <summary>Deletes.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public Task DeleteAsync(string path, CancellationToken cancellation) => SendAsync(HttpMethod.Delete, path, content: null, cancellation);

    /// <summary>Gets JSON.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public async Task<T> GetAsync<T>(string path, Func<JsonElement, T> read, CancellationToken cancellation) => Read(await GetAsync(path, cancellation).ConfigureAwait(false), read);

    /// <summary>Gets bytes.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public Task<byte[]> GetAsync(string path, CancellationToken cancellation) => SendAsync(HttpMethod.Get, path, content: null, cancellation);

    /// <summary>The JSON object of a request.</summary>
    public static byte[] Body(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<byte[]> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellation)
    {
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
            using var answer = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            var bytes = await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? bytes : throw Read(bytes, root => Refused((int)answer.StatusCode, root), (int)answer.StatusCode);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new ServiceRefusedException("urn:assay:unreachable", 0, $"{_http.BaseAddress}: {exception.Message}", inner: exception);
        }
    }

    // A proxy's refusal keeps its status: it is no reason to try the same again.
    private T Read<T>(byte[] json, Func<JsonElement, T> read, int status = 0)
    {
        try
        {
            using var document = JsonDocument.Parse(json, s_strict);
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new ServiceRefusedException("urn:assay:unreachable", status, $"{_http.BaseAddress}: the answer is not one of an Assay service", inner: exception);
        }
    }

    private static ServiceRefusedException Refused(int status, JsonElement root)
    {
        var appraisal = root.TryGetProperty("appraisal", out var id) ? id.GetString() : null;
        long? position = root.TryGetProperty("logPosition", out var at) ? at.GetInt64() : null;
        ImmutableArray<string> failed = [.. Ids(root, "failed"), .. Ids(root, "notChecked"), .. Ids(root, "weakened")];
        var detail = root.TryGetProperty("detail", out var text) ? text.GetString() : null;
        return new ServiceRefusedException(root.GetProperty("type").GetString()!, status, detail ?? root.GetProperty("title").GetString()!, failed, appraisal, position);
    }

    private static IEnumerable<string> Ids(JsonElement root, string name) =>
        root.TryGetProperty(name, out var ids) && ids.ValueKind is JsonValueKind.Array ? ids.EnumerateArray().Select(id => id.GetString()!) : [];
}
