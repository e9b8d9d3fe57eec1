using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Secrets;
using Assay.Guest.Sources;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Wire;

namespace Assay.Guest.Agent;

/// <summary>
/// The agent on its unix socket (docs/reference/guest.md): whoever may ask is told what the gate and the latest verification found, and gets
/// evidence for a challenge. It answers from the latest verdict; only its timer and <c>EnsureGpuReady</c> verify.
/// </summary>
internal sealed partial class GuestAgent : IDisposable
{
    private const int MostConnections = 32;
    private const int MostRefusals = 8;
    private const int Backlog = 64;
    private const int LongestChallenge = 256;
    private const int LongestKey = 4096;
    // A key has 32 bytes, a token for a cloud some thousands. Base64 makes four characters of three, and the header comes before; with the recipient it fits a request.
    private const int LongestWrapped = 12 * 1024;
    private const int LargestSecret = 8 * 1024;
    private const int LargestRest = 64 * 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_drain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);

    private readonly GuestConfiguration _configuration;
    private readonly GuestSources _sources;
    private readonly AgentState _state;
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly ReleaseKeys _keys;
    private readonly SemaphoreSlim _places = new(MostConnections, MostConnections);
    private readonly SemaphoreSlim _refusals = new(MostRefusals, MostRefusals);
    private readonly SemaphoreSlim _evidence = new(1, 1);
    private long _requests;
    private long _refused;

    public GuestAgent(GuestConfiguration configuration, GuestSources sources, GuestPaths paths, TimeProvider clock)
    {
        (_configuration, _sources, _path, _clock) = (configuration, sources, paths.AgentSocket, clock);
        _keys = new ReleaseKeys(configuration.Agent.KeysInTpm ? new TpmReleaseKeys(configuration, sources) : null);
        _state = new AgentState(configuration, sources, paths, clock);
    }

    /// <summary>Serves until it is told to end.</summary>
    public async Task RunAsync(Notification notification, CancellationToken cancellation)
    {
        using var listener = Listen();
        // An agent before this one may have taken the ready state away: the driver knows, the gate's file does not.
        _state.Look();
        notification.Ready("serving");
        // Nothing is answered that is not watched.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var watching = WatchAsync(ending);
        try
        {
            while (true)
            {
                var connection = await listener.AcceptAsync(ending.Token).ConfigureAwait(false);
                // Users who may not ask are refused in places of their own, and take none from those who may.
                var peer = PeerCredentials.Of(connection) is { } told && told.MayAsk(_configuration.Agent) ? told : null;
                var places = peer is null ? _refusals : _places;
                if (places.Wait(TimeSpan.Zero, CancellationToken.None))
                {
                    _ = ServeAsync(connection, peer, places, ending.Token);
                    continue;
                }

                connection.Dispose();
            }
        }
        catch (OperationCanceledException)
        {
            await watching.ConfigureAwait(false);
            File.Delete(_path);
        }
    }

    public void Dispose()
    {
        _keys.Dispose();
        _places.Dispose();
        _refusals.Dispose();
        _evidence.Dispose();
        _outside.Dispose();
    }

    private Socket Listen()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            File.Delete(_path);
            listener.Bind(new UnixDomainSocketEndPoint(_path));
            // Everybody may connect; who is answered, the kernel's credentials decide.
            File.SetUnixFileMode(_path, (UnixFileMode)0b110_110_110);
            listener.Listen(Backlog);
            return listener;
        }
        catch (Exception exception) when (exception is SocketException or IOException or UnauthorizedAccessException)
        {
            listener.Dispose();
            throw new GuestException("agent.socket", $"{_path}: {exception.Message}", "see that no other agent runs");
        }
    }

    private async Task WatchAsync(CancellationTokenSource ending)
    {
        try
        {
            // By the clock, and by one that only goes on: a clock that is set back does not put a verification off. An agent that starts again goes on counting.
            var (next, begun) = (_state.Snapshot.VerifiedAt + _configuration.Agent.Reattest, _clock.GetTimestamp());
            while (!ending.IsCancellationRequested)
            {
                await Task.Delay(s_look, _clock, ending.Token).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
                _state.Look();
                if (_state.Verifies && (_clock.GetUtcNow() >= next || _clock.GetElapsedTime(begun) >= _configuration.Agent.Reattest) && !ending.IsCancellationRequested)
                {
                    // It goes on looking while collateral is on its way.
                    _ = _state.VerifyAsync(CancellationToken.None);
                    (next, begun) = (_clock.GetUtcNow() + _configuration.Agent.Reattest, _clock.GetTimestamp());
                }
            }
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task ServeAsync(Socket connection, PeerCredentials? peer, SemaphoreSlim places, CancellationToken cancellation)
    {
        using var closing = connection;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(s_patience);
        try
        {
            Interlocked.Increment(ref _requests);
            var answer = peer is not null
                ? await AnswerAsync(connection, peer, deadline.Token, cancellation).ConfigureAwait(false)
                : Problem(403, "agent.peer", "this user may not ask the agent", "have the image's configuration name the user or a group of it");
            if (answer.Status != 200)
            {
                Interlocked.Increment(ref _refused);
            }

            using var writing = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            writing.CancelAfter(s_patience);
            ReadOnlyMemory<byte> rest = HttpMessage.Write(answer);
            while (!rest.IsEmpty)
            {
                rest = rest[await connection.SendAsync(rest, writing.Token).ConfigureAwait(false)..];
            }

            connection.Shutdown(SocketShutdown.Send);
            await DrainAsync(connection, cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or IOException)
        {
            // Slow or gone: its connection ends, and nothing else does.
        }
        finally
        {
            places.Release();
        }
    }

    // What was refused may not have been read: closing over it would take the answer from the peer before he has it.
    private static async Task DrainAsync(Socket connection, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(s_drain);
        var buffer = new byte[LargestRest / 4];
        for (var read = 0; read < LargestRest;)
        {
            var length = await connection.ReceiveAsync(buffer.AsMemory(), deadline.Token).ConfigureAwait(false);
            if (length == 0)
            {
                return;
            }

            read += length;
        }
    }

    private async Task<HttpAnswer> AnswerAsync(Socket connection, PeerCredentials peer, CancellationToken deadline, CancellationToken cancellation)
    {
        var (request, refused) = await HttpMessage.ReadAsync(connection, deadline).ConfigureAwait(false);
        if (request is null)
        {
            return Problem(refused, "agent.request", "this is no request that the agent understands", $"one HTTP/1.1 request of at most {HttpMessage.LargestHead} bytes of head and {HttpMessage.LargestBody} of body, with Content-Length");
        }

        try
        {
            return request.Path switch
            {
                "/Health" => Json(writer => Status(writer)),
                "/Metrics" => new HttpAnswer(200, "text/plain; version=0.0.4; charset=utf-8", Metrics()),
                "/GetGpuAttestation" => Json(Attestation),
                "/EnsureGpuReady" => await EnsureAsync(cancellation).ConfigureAwait(false),
                "/GetEvidence" => await EvidenceAsync(request.Body, peer, cancellation).ConfigureAwait(false),
                "/GetPublicKey" => PublicKey(request.Body, peer),
                "/UnwrapKey" => Unwrap(request.Body, peer),
                "/GetToken" => await TokenAsync(request.Body, peer, cancellation).ConfigureAwait(false),
                "/FetchKey" => await FetchKeyAsync(request.Body, peer, cancellation).ConfigureAwait(false),
                "/GpuInfo" => Json(writer => writer.WriteString("attestation", Encoding.UTF8.GetString(_state.Snapshot.Verdict))),
                _ => Problem(404, "agent.method", "the agent has no such method", "Health, Metrics, GetGpuAttestation, EnsureGpuReady, GetEvidence, GetPublicKey, UnwrapKey, GetToken, FetchKey or GpuInfo"),
            };
        }
        catch (SealingException exception)
        {
            return Problem(503, exception.Fault.Id, exception.Fault.Problem, exception.Fault.Cure);
        }
        catch (GuestException exception)
        {
            // A request that is wrong, or something that may be right a minute later.
            var isRequest = exception.Fault.Id.StartsWith("agent.", StringComparison.Ordinal) && exception.Fault.Id is not ("agent.service" or "agent.broker" or "agent.credential");
            return Problem(isRequest ? 400 : 503, exception.Fault.Id, exception.Fault.Reason, exception.Fault.Cure);
        }
    }

    private async Task<HttpAnswer> EnsureAsync(CancellationToken cancellation)
    {
        _state.Look();
        // What is ready is not verified again: who wants more asks for evidence.
        var snapshot = _state.Snapshot.IsReady ? _state.Snapshot : await _state.VerifyAsync(cancellation).ConfigureAwait(false);
        return snapshot.IsReady ? Json(writer => Status(writer))
            : NotReady(snapshot);
    }

    private static HttpAnswer NotReady(AgentSnapshot snapshot) =>
        Problem(503, snapshot.WhyNotReady.Id, snapshot.WhyNotReady.Reason, snapshot.WhyNotReady.Cure);

    private async Task<HttpAnswer> EvidenceAsync(ReadOnlyMemory<byte> body, PeerCredentials peer, CancellationToken cancellation)
    {
        const string expected = "{\"challenge\":TEXT,\"key\":NAME} is expected, with \"kind\" where the key is not to be P-384";
        var root = StrictNode.Parse(body);
        var foreign = root.Has("jwk");
        if (foreign && !_configuration.Agent.DangerouslyAllowForeignKey)
        {
            return Problem(400, "agent.foreign-key", "the agent takes no key from outside: its holder need not be in this VM (S-3)", "give the name of a key, which the agent makes");
        }

        var (challenge, jwk, name) = (root.Text("challenge", LongestChallenge), root.Raw("jwk", LongestKey), foreign ? "" : root.Text("key"));
        var kind = foreign ? null : ReadKind(root);
        if (root.Close() is { } fault)
        {
            return Problem(400, "agent.request", fault, expected);
        }

        if (!KeyBinding.TryCreate(challenge, jwk ?? _keys.PublicKey(peer.User, name, kind), out var binding, out var wrong))
        {
            return Problem(400, "agent.request", $"{wrong}", expected);
        }

        return new HttpAnswer(200, "application/json", await BundleAsync(challenge, binding, cancellation).ConfigureAwait(false));
    }

    // One at a time: devices and processor answer one after the other anyway.
    private async Task<byte[]> BundleAsync(string challenge, KeyBinding binding, CancellationToken cancellation)
    {
        await _evidence.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return EvidenceBundle.MakeSteady(challenge, binding, _state, _sources);
        }
        finally
        {
            _evidence.Release();
        }
    }

    // What is sealed to a key says nothing about where it lives: a relying party takes the key out of evidence that it judged.
    private HttpAnswer PublicKey(ReadOnlyMemory<byte> body, PeerCredentials peer)
    {
        var root = StrictNode.Parse(body);
        var (name, kind) = (root.Text("key"), ReadKind(root));
        return root.Close() is { } fault ? Problem(400, "agent.request", fault, "{\"key\":NAME} is expected")
            : new HttpAnswer(200, "application/jwk+json", _keys.PublicKey(peer.User, name, kind));
    }

    private static KeyKind? ReadKind(StrictNode root)
    {
        if (root.TextOrNull("kind") is not { } word)
        {
            return null;
        }

        var kind = ReleaseKeys.KindOf(word);
        root.Require(kind is not null, "kind", "P-256, P-384, P-521, RSA-3072 or RSA-4096 is expected");
        return kind;
    }

    private void Attestation(Utf8JsonWriter writer)
    {
        Status(writer);
        writer.WritePropertyName("verdict");
        if (_state.Snapshot.Verdict is { Length: > 0 } verdict)
        {
            writer.WriteRawValue(verdict);
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private void Status(Utf8JsonWriter writer)
    {
        var snapshot = _state.Snapshot;
        writer.WriteString("gate", GateReport.WordOf(snapshot.Gate));
        writer.WriteBoolean("ready", snapshot.IsReady);
        writer.WriteString("verifiedAt", snapshot.Verdict.Length > 0 ? Utc.Text(snapshot.VerifiedAt) : null);
        writer.WriteNumber("ageSeconds", snapshot.Verdict.Length > 0 ? (long)_state.Age.TotalSeconds : 0);
        if (snapshot.Fault is { } fault)
        {
            writer.WriteStartObject("fault");
            writer.WriteString("id", fault.Id);
            writer.WriteString("reason", fault.Reason);
            writer.WriteString("cure", fault.Cure);
            writer.WriteEndObject();
        }
    }

    private byte[] Metrics()
    {
        var snapshot = _state.Snapshot;
        var text = new StringBuilder();
        Family("assay_guest_ready", "gauge", "Whether the devices verified and may be used.", snapshot.IsReady ? 1 : 0);
        Family("assay_guest_verdict_age_seconds", "gauge", "Age of the latest verdict that passed.", snapshot.Verdict.Length > 0 ? (long)_state.Age.TotalSeconds : 0);
        Family("assay_guest_verifications_passed_total", "counter", "Verifications since the agent started that passed.", _state.Passed);
        Family("assay_guest_verifications_failed_total", "counter", "Verifications since the agent started that did not pass.", _state.Failed);
        Family("assay_guest_requests_total", "counter", "Requests since the agent started.", Interlocked.Read(ref _requests));
        Family("assay_guest_requests_refused_total", "counter", "Requests that were answered by a problem.", Interlocked.Read(ref _refused));
        return Encoding.UTF8.GetBytes(text.ToString());

        void Family(string name, string type, string help, long value) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n{name} {value}\n");
    }

    private static HttpAnswer Json(Action<Utf8JsonWriter> write) => new(200, "application/json", HarmlessJson.Write(writer =>
    {
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    }));

    // RFC 9457, with permanent types.
    private static HttpAnswer Problem(int status, string id, string reason, string cure) => new(status, "application/problem+json", HarmlessJson.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("type", $"urn:assay:problem:{id}");
        writer.WriteString("title", reason);
        writer.WriteNumber("status", status);
        writer.WriteString("detail", cure);
        writer.WriteEndObject();
    }));
}
