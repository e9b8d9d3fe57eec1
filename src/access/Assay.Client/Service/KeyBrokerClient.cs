using System.Text.Json;
using Assay.Collateral.Http;

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

    /// <summary>Closes what is open.</summary>
    public void Dispose() => _service.Dispose();

    private static ReleasedKey Read(JsonElement root, string id) => ServiceChallenge.Text(root, "key") != id ? throw new FormatException("key: another one was asked for") : new ReleasedKey(
        id, root.GetProperty("version").GetInt64(), ServiceChallenge.Text(root, "jwe"), ServiceChallenge.Text(root, "binding"), root.GetProperty("logPosition").GetInt64(), root.GetProperty("logEntry").GetBytesFromBase64(), ServiceChallenge.Text(root, "logProof"));
}
