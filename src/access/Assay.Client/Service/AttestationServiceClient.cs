using System.Text.Json;
using Assay.Collateral.Http;

namespace Assay.Client.Service;

/// <summary>Asks an Assay attestation service (docs/reference/service.md): challenge, evidence, token. Safe for concurrent use.</summary>
public sealed class AttestationServiceClient : IDisposable
{
    private const int LargestAnswer = 1024 * 1024;

    private readonly ServiceConnection _service;

    /// <param name="address">The service's: https, or http on this machine itself.</param>
    /// <param name="key">An API key with the scope <c>attest</c>, or a bearer token of a login that the service believes.</param>
    /// <param name="timeout">For one call; null: a minute.</param>
    public AttestationServiceClient(ServiceAddress address, string key, TimeSpan? timeout = null) => _service = new ServiceConnection(address, key, timeout, LargestAnswer);

    /// <summary>A challenge, for one appraisal.</summary>
    /// <exception cref="ServiceRefusedException">The service refused, or could not be asked.</exception>
    public Task<ServiceChallenge> CreateChallengeAsync(CancellationToken cancellation = default) => _service.PostAsync("v1/challenges", "{}"u8.ToArray(), ServiceChallenge.Read, cancellation);

    /// <summary>Hands evidence over that answers a challenge. An attempt uses the challenge up, whatever comes of it.</summary>
    /// <param name="challenge">The challenge's id.</param>
    /// <param name="audience">For whom the token is to be: it chooses the policy.</param>
    /// <param name="evidence">JSON, UTF-8: what <see cref="Guest.GuestAgentClient.GetEvidenceAsync"/> returns, or devices alone.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceRefusedException">The evidence was refused, or the service could not be asked.</exception>
    /// <exception cref="ArgumentException">The evidence is no JSON.</exception>
    public Task<ServiceToken> AppraiseAsync(string challenge, string audience, ReadOnlyMemory<byte> evidence, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(challenge);
        ArgumentException.ThrowIfNullOrEmpty(audience);
        return _service.PostAsync("v1/appraisals", ServiceConnection.Body(writer =>
        {
            writer.WriteString("challenge", challenge);
            writer.WriteString("audience", audience);
            writer.WritePropertyName("evidence");
            writer.WriteRawValue(evidence.Span);
        }), ReadToken, cancellation);
    }

    /// <summary>Challenge, evidence, token.</summary>
    /// <param name="audience">For whom the token is to be.</param>
    /// <param name="collect">Evidence that answers the nonce it is given.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceRefusedException">The evidence was refused, or the service could not be asked.</exception>
    public async Task<ServiceToken> AttestAsync(string audience, Func<string, CancellationToken, Task<ReadOnlyMemory<byte>>> collect, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(collect);
        var challenge = await CreateChallengeAsync(cancellation).ConfigureAwait(false);
        return await AppraiseAsync(challenge.Id, audience, await collect(challenge.Nonce, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
    }

    /// <summary>Closes what is open.</summary>
    public void Dispose() => _service.Dispose();

    private static ServiceToken ReadToken(JsonElement root) => new(
        ServiceChallenge.Text(root, "id"), ServiceChallenge.Text(root, "policy"), root.GetProperty("policyVersion").GetInt64(), ServiceChallenge.Text(root, "form"), ServiceChallenge.Text(root, "token"), root.GetProperty("expiresAt").GetDateTimeOffset());
}
