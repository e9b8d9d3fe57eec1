using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Client.Guest;

/// <summary>
/// Asks the guest agent of this VM on its unix socket (docs/reference/guest.md). The agent is inside the same measured VM: its word is that of the
/// VM itself. A relying party elsewhere asks for evidence and judges it.
/// </summary>
public sealed class GuestAgentClient : IDisposable
{
    /// <summary>Where the agent listens.</summary>
    public const string DefaultSocket = "/run/assay/agent.sock";

    // Evidence of the largest machine has some megabytes.
    private const int LargestAnswer = 32 * 1024 * 1024;
    private const int MostAttempts = 100;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    private readonly string _socket;
    private readonly HttpClient _http;

    /// <param name="socket">Path of the agent's socket.</param>
    /// <param name="timeout">For one call; null: a minute. <c>EnsureGpuReady</c> may verify, which takes as long as collateral takes to come.</param>
    public GuestAgentClient(string socket = DefaultSocket, TimeSpan? timeout = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(socket);
        _socket = socket;
        var handler = new SocketsHttpHandler { ConnectCallback = (_, cancellation) => ConnectAsync(socket, cancellation), UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://agent/"), Timeout = timeout ?? TimeSpan.FromMinutes(1), MaxResponseContentBufferSize = LargestAnswer };
    }

    /// <summary>What the agent says of the devices now. It verifies nothing for it.</summary>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public async Task<AgentStatus> GetHealthAsync(CancellationToken cancellation = default) => Status(await AskAsync("Health", null, cancellation).ConfigureAwait(false));

    /// <summary>The same, with the latest verdict that passed.</summary>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public async Task<GpuAttestation> GetGpuAttestationAsync(CancellationToken cancellation = default)
    {
        var answer = await AskAsync("GetGpuAttestation", null, cancellation).ConfigureAwait(false);
        return Read(answer, root => new GpuAttestation(Status(root), root.GetProperty("verdict") is { ValueKind: JsonValueKind.Object } verdict ? Encoding.UTF8.GetBytes(verdict.GetRawText()) : default(ReadOnlyMemory<byte>)));
    }

    /// <summary>Returns where the devices are ready, which the agent verifies again where they are not.</summary>
    /// <exception cref="AgentException">They are not ready: <see cref="AgentException.Id"/> says why. Or the agent could not be asked.</exception>
    public async Task<AgentStatus> EnsureGpuReadyAsync(CancellationToken cancellation = default) => Status(await AskAsync("EnsureGpuReady", null, cancellation).ConfigureAwait(false));

    /// <summary>Everything that this VM can show for a challenge, bound to a release key: the JSON that <c>assay verify --evidence</c> and <c>MachineEvidence.TryParse</c> read.</summary>
    /// <param name="challenge">Of the relying party, 1 to 256 printable characters.</param>
    /// <param name="key">Name of a release key: 1 to 32 small letters, digits and hyphens. The agent makes it when it is first named (S-23a).</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public Task<ReadOnlyMemory<byte>> GetEvidenceAsync(string challenge, string key, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(challenge);
        ArgumentException.ThrowIfNullOrEmpty(key);
        return AskAsync("GetEvidence", [("challenge", challenge), ("key", key)], cancellation);
    }

    /// <summary>The public half of a release key as JWK. Before anything is sealed to it, take the key out of evidence that was judged: this answer proves nothing.</summary>
    /// <param name="key">Its name; the agent makes the key when it is first named.</param>
    /// <param name="kind">P-256, P-384, P-521, RSA-3072 or RSA-4096; null: as it is, and P-384 where it is new.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public Task<ReadOnlyMemory<byte>> GetPublicKeyAsync(string key, string? kind = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return AskAsync("GetPublicKey", kind is null ? [("key", key)] : [("key", key), ("kind", kind)], cancellation);
    }

    /// <summary>
    /// Opens a key that was wrapped for a release key of this user. It crosses the socket wrapped for a key of this process, and stays in locked memory: use it
    /// through its lease.
    /// </summary>
    /// <param name="key">Name of the release key.</param>
    /// <param name="wrapped">JWE in compact form.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">It refused, could not be asked, or the devices are not ready.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public Task<SecretBuffer> UnwrapKeyAsync(string key, string wrapped, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(wrapped);
        return UnwrapAsync(key, "wrapped", wrapped, cancellation);
    }

    /// <summary>
    /// The same of CMS EnvelopedData, as AWS KMS's protocol answers with it (<c>CiphertextForRecipient</c>). It authenticates nothing: take it only from a TLS
    /// connection to the broker.
    /// </summary>
    /// <param name="key">Name of the release key, RSA.</param>
    /// <param name="message">DER or BER.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">It refused, could not be asked, or the devices are not ready.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public Task<SecretBuffer> UnwrapCmsAsync(string key, ReadOnlyMemory<byte> message, CancellationToken cancellation = default) =>
        UnwrapAsync(key, "cms", Convert.ToBase64String(message.Span), cancellation);

    private async Task<SecretBuffer> UnwrapAsync(string key, string member, string wrapped, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var answer = await AskAsync("UnwrapKey", [("key", key), (member, wrapped)], cancellation, ("recipient", pair.PublicKey.Jwk)).ConfigureAwait(false);
        var own = Read(answer, root => root.GetProperty("wrapped").GetString()!);
        return pair.TryUnwrapKey(Encoding.ASCII.GetBytes(own), out var secret, out var fault) ? secret : throw new AgentException(fault.Id, fault.Problem, fault.Cure);
    }

    /// <summary>
    /// Fetches a key of the image's key broker, which the agent asks with evidence of now. It crosses the socket wrapped for a key of this process, and stays in
    /// locked memory: use it through its lease.
    /// </summary>
    /// <param name="id">The key's name at the broker.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">The broker denied it, the agent refused, or one of them could not be asked.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public async Task<FetchedKey> FetchKeyAsync(string id, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var answer = await AskAsync("FetchKey", [("key", id)], cancellation, ("recipient", pair.PublicKey.Jwk)).ConfigureAwait(false);
        var (wrapped, released) = Read(answer, root => (root.GetProperty("wrapped").GetString()!, new FetchedKey.Release(
            root.GetProperty("version").GetInt64(), root.GetProperty("binding").GetString()!, root.GetProperty("logPosition").GetInt64(), root.GetProperty("logEntry").GetBytesFromBase64(), root.GetProperty("logProof").GetString()!)));
        return pair.TryUnwrapKey(Encoding.ASCII.GetBytes(wrapped), out var secret, out var fault) ? new FetchedKey(id, secret, released) : throw new AgentException(fault.Id, fault.Problem, fault.Cure);
    }

    /// <summary>A token of the image's attestation service, which the agent asks with evidence of now. Its holder is believed: keep it secret.</summary>
    /// <param name="audience">Who will read it: one of the audiences that the image's configuration names.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public async Task<string> GetTokenAsync(string audience, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(audience);
        return Read(await AskAsync("GetToken", [("audience", audience)], cancellation).ConfigureAwait(false), root => root.GetProperty("token").GetString()!);
    }

    /// <summary>Metrics in Prometheus' text format.</summary>
    /// <exception cref="AgentException">It refused, or could not be asked.</exception>
    public async Task<string> GetMetricsAsync(CancellationToken cancellation = default) => Encoding.UTF8.GetString((await AskAsync("Metrics", null, cancellation).ConfigureAwait(false)).Span);

    /// <summary>Closes what is open.</summary>
    public void Dispose() => _http.Dispose();

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
                    break;
                }
                catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock && attempt < MostAttempts)
                {
                    // Others wait to be accepted, as many as the kernel lets: the agent turns them away faster than they come.
                    await Task.Delay(s_pause, cancellation).ConfigureAwait(false);
                }
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<ReadOnlyMemory<byte>> AskAsync(string method, (string Name, string Value)[]? members, CancellationToken cancellation, (string Name, string Json)? raw = null)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, method) { Content = new ByteArrayContent(members is null ? [] : Body(members, raw)) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            var body = await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? body : throw Problem((int)answer.StatusCode, body);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new AgentException("ctl.agent", $"{_socket}: {(File.Exists(_socket) ? exception.Message : "there is no such socket")}", "start assay-agent.service, and read its messages in the journal", inner: exception);
        }
    }

    private static byte[] Body((string Name, string Value)[] members, (string Name, string Json)? raw)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in members)
            {
                writer.WriteString(name, value);
            }

            if (raw is { } json)
            {
                writer.WritePropertyName(json.Name);
                writer.WriteRawValue(json.Json);
            }

            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    // RFC 9457: the type ends with the fault's id, the title is its reason, the detail its cure.
    private static AgentException Problem(int status, byte[] body) => Read(body, root => new AgentException(
        root.GetProperty("type").GetString()!.Split(':')[^1], root.GetProperty("title").GetString()!, root.GetProperty("detail").GetString()!, status));

    private static AgentStatus Status(ReadOnlyMemory<byte> body) => Read(body, Status);

    private static AgentStatus Status(JsonElement root) => new()
    {
        Gate = root.GetProperty("gate").GetString() switch
        {
            "failed" => GateOutcome.Failed,
            "verified" => GateOutcome.Verified,
            "no-device" => GateOutcome.NoDevice,
            "skipped" => GateOutcome.Skipped,
            _ => GateOutcome.Unfinished,
        },
        IsReady = root.GetProperty("ready").GetBoolean(),
        VerifiedAt = root.GetProperty("verifiedAt") is { ValueKind: JsonValueKind.String } time ? time.GetDateTimeOffset() : null,
        Age = TimeSpan.FromSeconds(root.GetProperty("ageSeconds").GetInt64()),
        Fault = root.TryGetProperty("fault", out var fault)
            ? new AgentFault(fault.GetProperty("id").GetString()!, fault.GetProperty("reason").GetString()!, fault.GetProperty("cure").GetString()!) : null,
    };

    private static T Read<T>(ReadOnlyMemory<byte> body, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(body, s_strict);
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new AgentException("ctl.agent", "the answer is not one of the agent's", "see that this client and the agent are of one version", inner: exception);
        }
    }
}
