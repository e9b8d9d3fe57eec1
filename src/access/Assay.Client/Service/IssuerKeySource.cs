using Assay.Collateral.Http;
using Assay.Trust.Jose;

namespace Assay.Client.Service;

/// <summary>
/// The key set of a token issuer, found by its name alone and kept: read again after ten minutes, and at once, but not twice in half a minute, where a token
/// names a key that it lacks. An issuer that cannot be reached is believed for an hour: a key that was withdrawn verifies no longer than that.
/// </summary>
public sealed class IssuerKeySource : IDisposable
{
    private static readonly TimeSpan s_fresh = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_usable = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(30);

    private readonly IssuerKeysClient _client;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private volatile Held? _held;
    private Task<(JsonWebKeySet? Keys, string? WhyNot)>? _asking;
    private long? _asked;

    /// <param name="issuer">The value of <c>iss</c> that is expected: an https URL, or http on this machine.</param>
    /// <param name="clock">Says how old the set is.</param>
    /// <exception cref="ArgumentException">The issuer is no such URL.</exception>
    public IssuerKeySource(string issuer, TimeProvider clock)
        : this(issuer, new CollateralHttpOptions(), clock)
    {
    }

    /// <param name="issuer">The value of <c>iss</c> that is expected: an https URL, or http on this machine.</param>
    /// <param name="options">How it is asked.</param>
    /// <param name="clock">Says how old the set is.</param>
    /// <exception cref="ArgumentException">The issuer is no such URL.</exception>
    public IssuerKeySource(string issuer, CollateralHttpOptions options, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _client = IssuerKeysClient.TryCreate(issuer, options, out var client, out var fault) ? client : throw new ArgumentException(fault.ToString(), nameof(issuer));
    }

    /// <summary>The key set; null with the reason where no set may be used.</summary>
    /// <param name="keyId">The key that a token names; null: any.</param>
    /// <param name="cancellation">Ends the wait, and not the asking that others wait for.</param>
    /// <returns>The keys, or the reason: one of the two is null.</returns>
    public async Task<(JsonWebKeySet? Keys, string? WhyNot)> GetAsync(string? keyId, CancellationToken cancellation)
    {
        if (_held is not { } held || AgeOf(held) >= s_usable || !Has(held, keyId))
        {
            return await AskAsync().WaitAsync(cancellation).ConfigureAwait(false);
        }

        if (AgeOf(held) >= s_fresh)
        {
            // What is held serves meanwhile: a slow issuer delays no request.
            _ = AskAsync();
        }

        return (held.Keys, null);
    }

    /// <summary>Closes its connections.</summary>
    public void Dispose() => _client.Dispose();

    // One for all who wait, and then a pause: a stranger who names keys of his own, or hangs up, makes no more of it.
    private Task<(JsonWebKeySet? Keys, string? WhyNot)> AskAsync()
    {
        lock (_lock)
        {
            if (_asking is { IsCompleted: false })
            {
                return _asking;
            }

            return _asked is { } at && _clock.GetElapsedTime(at) < s_pause ? Task.FromResult(Usable("the issuer was asked a moment ago")) : _asking = FetchAsync();
        }
    }

    private async Task<(JsonWebKeySet? Keys, string? WhyNot)> FetchAsync()
    {
        var answer = await _client.FetchAsync(CancellationToken.None).ConfigureAwait(false);
        if (answer.Keys is { } keys)
        {
            _held = new Held(keys, _clock.GetTimestamp());
        }

        _asked = _clock.GetTimestamp();
        return Usable(answer.WhyNot ?? "");
    }

    private static bool Has(Held held, string? keyId) => keyId is null || held.Keys.Keys.Any(key => key.KeyId == keyId);

    private TimeSpan AgeOf(Held held) => _clock.GetElapsedTime(held.At);

    private (JsonWebKeySet? Keys, string? WhyNot) Usable(string whyNot) => _held is { } held && AgeOf(held) < s_usable ? (held.Keys, null) : (null, whyNot);

    private sealed record Held(JsonWebKeySet Keys, long At);
}
