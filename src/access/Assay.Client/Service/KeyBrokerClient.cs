using System.Text.Json;
using Assay.Collateral.Http;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Client.Service;

/// <summary>Asks an Assay key broker for a key (docs/reference/broker.md): challenge, evidence, sealed key. Safe for concurrent use.</summary>
public sealed class KeyBrokerClient : IDisposable
{
    private const int LargestAnswer = 1024 * 1024;

    private readonly ServiceConnection _service;

    /// <param name="address">The broker's: https, or http on this machine itself.</param>
    /// <param name="key">An API key with the scope <c>release</c>, or a bearer token of a login that the broker believes.</param>
    /// <param name="timeout">For one call; null: a minute.</param>
    public KeyBrokerClient(ServiceAddress address, string key, TimeSpan? timeout = null) => _service = new ServiceConnection(address, key, timeout, LargestAnswer);

    /// <summary>A challenge, for one release.</summary>
    /// <exception cref="ServiceRefusedException">The broker refused, or could not be asked.</exception>
    public Task<ServiceChallenge> CreateChallengeAsync(CancellationToken cancellation = default) => _service.PostAsync("v1/release-challenges", "{}"u8.ToArray(), ServiceChallenge.Read, cancellation);

    /// <summary>Hands evidence over that answers a challenge. An attempt uses the challenge up, whatever comes of it.</summary>
    /// <param name="id">The key's name: 1 to 64 of a–z, 0–9, hyphen and dot.</param>
    /// <param name="challenge">The challenge's id.</param>
    /// <param name="evidence">JSON, UTF-8: what <see cref="Guest.GuestAgentClient.GetEvidenceAsync"/> returns. The secret is sealed to the key in it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceRefusedException">The key is not released, or the broker could not be asked.</exception>
    /// <exception cref="ArgumentException">The evidence is no JSON.</exception>
    public Task<ReleasedKey> ReleaseAsync(string id, string challenge, ReadOnlyMemory<byte> evidence, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        ArgumentException.ThrowIfNullOrEmpty(challenge);
        return _service.PostAsync($"v1/keys/{Uri.EscapeDataString(id)}/release", ServiceConnection.Body(writer =>
        {
            writer.WriteString("challenge", challenge);
            writer.WritePropertyName("evidence");
            writer.WriteRawValue(evidence.Span);
        }), root => Read(root, id), cancellation);
    }

    /// <summary>Challenge, evidence, key.</summary>
    /// <param name="id">The key's name.</param>
    /// <param name="collect">Evidence that answers the nonce it is given.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceRefusedException">The key is not released, or the broker could not be asked.</exception>
    public async Task<ReleasedKey> FetchAsync(string id, Func<string, CancellationToken, Task<ReadOnlyMemory<byte>>> collect, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(collect);
        var challenge = await CreateChallengeAsync(cancellation).ConfigureAwait(false);
        return await ReleaseAsync(id, challenge.Id, await collect(challenge.Nonce, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
    }

    /// <summary>A key for a token of an attestation service, where the key's policy takes one.</summary>
    /// <param name="id">The key's name.</param>
    /// <param name="token">The token, not older than five minutes: a compact JWS in the form <c>eat</c>.</param>
    /// <param name="audience">For whom the service wrote it.</param>
    /// <param name="key">The JWK that it names, to which the secret is sealed.</param>
    /// <param name="open">Opens a compact JWE with the private half.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceRefusedException">The key is not released, or the broker could not be asked.</exception>
    /// <exception cref="ArgumentException">The key cannot be read, or nothing can be sealed to it.</exception>
    public async Task<ReleasedKey> FetchByTokenAsync(string id, string token, string audience, ReadOnlyMemory<byte> key, Func<string, CancellationToken, Task<SecretBuffer>> open, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        ArgumentException.ThrowIfNullOrEmpty(token);
        ArgumentException.ThrowIfNullOrEmpty(audience);
        ArgumentNullException.ThrowIfNull(open);
        if (!SealingPublicKey.TryParse(key.Span, out var named, out var unusable))
        {
            throw new ArgumentException(unusable.Problem, nameof(key));
        }

        var (challenge, jwe) = await _service.PostAsync("v1/possession-challenges", ServiceConnection.Body(writer =>
        {
            writer.WritePropertyName("key");
            writer.WriteRawValue(named.Jwk);
        }), root => (ServiceChallenge.Text(root, "id"), ServiceChallenge.Text(root, "jwe")), cancellation).ConfigureAwait(false);
        string? proof;
        using (var opened = await open(jwe, cancellation).ConfigureAwait(false))
        {
            proof = opened.Use(lease => KeyPossession.TryProve(lease.Bytes, audience, id, out var made) ? made : null);
        }

        return proof is null
            ? throw new ServiceRefusedException("urn:assay:unreachable", 201, "the broker sealed something else to the key than a challenge of possession, so it gets no answer")
            : await _service.PostAsync($"v1/keys/{Uri.EscapeDataString(id)}/release", ServiceConnection.Body(writer =>
            {
                writer.WriteString("challenge", challenge);
                writer.WriteString("token", token);
                writer.WriteString("possession", proof);
            }), root => Read(root, id), cancellation).ConfigureAwait(false);
    }

    /// <summary>Closes what is open.</summary>
    public void Dispose() => _service.Dispose();

    private static ReleasedKey Read(JsonElement root, string id) => ServiceChallenge.Text(root, "key") != id ? throw new FormatException("key: another one was asked for") : new ReleasedKey(
        id, root.GetProperty("version").GetInt64(), ServiceChallenge.Text(root, "jwe"), ServiceChallenge.Text(root, "binding"), root.GetProperty("logPosition").GetInt64(), root.GetProperty("logEntry").GetBytesFromBase64(), ServiceChallenge.Text(root, "logProof"));
}
