using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Collateral.Http;
using Assay.Service.Keys.Remote;

namespace Assay.Service.Keys.Vault;

/// <summary>What Vault answered: the document of a 200, or else the first of its errors.</summary>
internal sealed record VaultAnswer(int Status, JsonElement Root, string? Error)
{
    /// <summary>A string of a member that is an object.</summary>
    public string? Text(string part, string member) => Value(part, member) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A member of a member that is an object.</summary>
    public JsonElement? Value(string part, string member) =>
        Root.ValueKind is JsonValueKind.Object && Root.TryGetProperty(part, out var inner) && inner.ValueKind is JsonValueKind.Object && inner.TryGetProperty(member, out var value) ? value : null;
}

/// <summary>
/// The HTTP API of one Vault or OpenBao. Redirects are not followed: a token and a key are for this address alone. Statuses that say "not now" (412 eventual
/// consistency, 429 too many, 472 and 473 standby, 5xx, of which 503 is also a sealed one) are asked twice more.
/// </summary>
internal sealed class VaultClient : IDisposable
{
    private static readonly TimeSpan[] s_pauses = [TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400)];
    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    private readonly HttpClient _http;
    private readonly string _start;
    private readonly string? _namespace;

    /// <exception cref="ServiceException">The file of roots cannot be read.</exception>
    public VaultClient(VaultTerms terms, ServiceAddress address)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = !address.IsLoopback,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        if (terms.Ca is { } ca)
        {
            handler.SslOptions.CertificateChainPolicy = Roots(ca);
        }

        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = RemoteKeyWrapper.MostAnswer };
        (_start, _namespace) = ($"{address.Uri.GetLeftPart(UriPartial.Authority)}/v1/", terms.Namespace);
    }

    /// <summary>Asks, and asks again what cannot be answered just now.</summary>
    /// <exception cref="HttpRequestException">No answer came, or one that is too long or a redirect.</exception>
    public async Task<VaultAnswer> PostAsync(string path, JsonObject body, string? token, CancellationToken cancellation)
    {
        foreach (var pause in s_pauses)
        {
            var answer = await OnceAsync(path, body, token, cancellation).ConfigureAwait(false);
            if (!IsNotNow(answer.Status))
            {
                return answer;
            }

            await Task.Delay(pause, cancellation).ConfigureAwait(false);
        }

        return await OnceAsync(path, body, token, cancellation).ConfigureAwait(false);
    }

    /// <summary>Whether the status is an outage.</summary>
    public static bool IsNotNow(int status) => status is 412 or 429 or 472 or 473 or >= 500;

    public void Dispose() => _http.Dispose();

    private async Task<VaultAnswer> OnceAsync(string path, JsonObject body, string? token, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_start + path));
        request.Headers.Add("X-Vault-Request", "true");
        if (token is not null)
        {
            request.Headers.Add("X-Vault-Token", token);
        }

        if (_namespace is not null)
        {
            request.Headers.Add("X-Vault-Namespace", _namespace);
        }

        var bytes = Written(body);
        try
        {
            request.Content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            using var answer = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            var status = (int)answer.StatusCode;
            return status is >= 300 and < 400
                ? throw new HttpRequestException(string.Create(CultureInfo.InvariantCulture, $"it answers with a redirect (status {status}), which is not followed: name the active server, or an address that leads to it"))
                : WithoutSecrets(Read(status, await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)), body, token);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    // What was sent is in no message: it is a token, an id to log in with, or a key.
    private static VaultAnswer WithoutSecrets(VaultAnswer answer, JsonObject body, string? token) =>
        answer.Error is { } error && body.Select(member => member.Value!.GetValue<string>()).Append(token).Any(sent => !string.IsNullOrEmpty(sent) && error.Contains(sent, StringComparison.Ordinal))
            ? answer with { Error = "(its message repeats what was sent, and is not shown)" } : answer;

    private static byte[] Written(JsonObject body)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            body.WriteTo(writer);
        }

        var written = stream.ToArray();
        CryptographicOperations.ZeroMemory(stream.GetBuffer());
        return written;
    }

    private static VaultAnswer Read(int status, byte[] content)
    {
        try
        {
            using var document = JsonDocument.Parse(content, s_json);
            var root = document.RootElement;
            return status == 200 ? new VaultAnswer(status, root.Clone(), null)
                : new VaultAnswer(status, default, root.ValueKind is JsonValueKind.Object && root.TryGetProperty("errors", out var errors) && errors.ValueKind is JsonValueKind.Array
                    ? errors.EnumerateArray().Where(error => error.ValueKind is JsonValueKind.String).Select(error => error.GetString()).FirstOrDefault() : null);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return new VaultAnswer(status, default, null);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    private static X509ChainPolicy Roots(string path)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ServiceException(VaultKeyWrapper.FaultId, $"kek.vault.ca {path}: {exception.Message}", exception);
        }

        return policy.CustomTrustStore.Count > 0 ? policy : throw new ServiceException(VaultKeyWrapper.FaultId, $"kek.vault.ca {path}: certificates in PEM are expected");
    }
}
