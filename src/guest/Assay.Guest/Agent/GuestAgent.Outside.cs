using Assay.Client.Service;
using Assay.Guest.Configuration;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Wire;

namespace Assay.Guest.Agent;

/// <summary>What the agent asks of services outside: tokens and keys.</summary>
internal sealed partial class GuestAgent
{
    private const int MostOutside = 4;
    private const int LongestAudience = 512;
    private const int LongestKeyId = 64;
    private static readonly TimeSpan s_outsidePatience = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _outside = new(MostOutside, MostOutside);

    private async Task<HttpAnswer> TokenAsync(ReadOnlyMemory<byte> body, PeerCredentials peer, CancellationToken cancellation)
    {
        var root = StrictNode.Parse(body);
        var audience = root.Text("audience", LongestAudience);
        if (root.Close() is { } fault)
        {
            return Problem(400, "agent.request", fault, "{\"audience\":TEXT} is expected");
        }

        if (_configuration.Service is not { } service)
        {
            return Problem(503, "agent.no-service", "no attestation service is configured for this image", "ask for GetEvidence, and have a verifier of yours judge it");
        }

        return await OutsideAsync("agent.service", "the service", async patience =>
        {
            var (token, ends) = await new TokenSource(service).GetAsync(audience, isForBroker: false, BundleAsync, _keys.PublicKey(peer.User, TokenSource.Key), () => _keys.Find(peer.User, TokenSource.Key), patience).ConfigureAwait(false);
            return Json(writer =>
            {
                writer.WriteString("token", token);
                writer.WriteString("expiresAt", Utc.Text(ends));
            });
        }, cancellation).ConfigureAwait(false);
    }

    /// <summary>A key of the broker, wrapped for a key of the asking process: in the clear it is in locked memory of the two alone.</summary>
    private async Task<HttpAnswer> FetchKeyAsync(ReadOnlyMemory<byte> body, PeerCredentials peer, CancellationToken cancellation)
    {
        var root = StrictNode.Parse(body);
        var (id, recipient) = (root.Text("key", LongestKeyId), root.Raw("recipient", LongestKey));
        root.Require(recipient is not null, "recipient", "a JWK is expected");
        if (root.Close() is { } fault)
        {
            return Problem(400, "agent.request", fault, "{\"key\":ID,\"recipient\":JWK} is expected");
        }

        if (_configuration.Broker is not { } broker)
        {
            return Problem(503, "agent.no-broker", "no key broker is configured for this image", "add the member broker to the image's configuration");
        }

        if (_state.Verifies && !_state.Snapshot.IsReady)
        {
            return NotReady(_state.Snapshot);
        }

        if (!SealingPublicKey.TryParse(recipient, out var key, out var wrong))
        {
            return Problem(400, wrong.Id, wrong.Problem, wrong.Cure);
        }

        return await OutsideAsync("agent.broker", "the broker", async patience =>
        {
            var (secret, released) = await KeyAsync(broker, id, peer, patience).ConfigureAwait(false);
            using (secret)
            {
                return Json(writer =>
                {
                    writer.WriteString("wrapped", secret.Use(lease => Jwe.SealCompact(key, lease.Bytes)));
                    writer.WriteString("key", released.Key);
                    writer.WriteNumber("version", released.Version);
                    writer.WriteString("binding", released.Binding);
                    writer.WriteNumber("logPosition", released.LogPosition);
                    writer.WriteBase64String("logEntry", released.LogEntry.Span);
                    writer.WriteString("logProof", released.LogProof);
                });
            }
        }, cancellation).ConfigureAwait(false);
    }

    private async Task<(SecretBuffer Secret, ReleasedKey Released)> KeyAsync(BrokerSetting broker, string id, PeerCredentials peer, CancellationToken cancellation)
    {
        var source = new KeySource(broker);
        var name = broker.Token is null ? KeySource.Key : TokenSource.Key;
        var publicKey = _keys.PublicKey(peer.User, name);
        SealingKeyPair Pair() => _keys.Find(peer.User, name);
        if (broker.Token is not { } audience)
        {
            return await source.FetchAsync(id, BundleAsync, publicKey, Pair, cancellation).ConfigureAwait(false);
        }

        var (token, _) = await new TokenSource(_configuration.Service!).GetAsync(audience, isForBroker: true, BundleAsync, publicKey, Pair, cancellation).ConfigureAwait(false);
        return await source.FetchByTokenAsync(id, token, publicKey, Pair, cancellation).ConfigureAwait(false);
    }

    // A service that does not answer holds few places, and not for long: the agent's other answers need none of them.
    private async Task<HttpAnswer> OutsideAsync(string id, string which, Func<CancellationToken, Task<HttpAnswer>> ask, CancellationToken cancellation)
    {
        if (!_outside.Wait(TimeSpan.Zero, CancellationToken.None))
        {
            return Problem(503, id, $"{MostOutside} requests to services outside are being answered", "ask again in a moment");
        }

        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(s_outsidePatience);
            return await ask(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Problem(503, id, $"{which} did not answer within {s_outsidePatience.TotalSeconds:F0} seconds", "see that it runs, and that this VM can reach it");
        }
        finally
        {
            _outside.Release();
        }
    }
}
