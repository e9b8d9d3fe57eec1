using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Cache;

/// <summary>
/// A cache as a source of appraisals: what verified is fetched once for all of them. An OCSP answer from it has no nonce, so that NVIDIA's overall result
/// is false (S-14, S-15); with a <see cref="Responder"/> that is asked for each appraisal instead.
/// </summary>
/// <param name="cache">Where from.</param>
/// <param name="verification">The verifier of the cache.</param>
/// <param name="upstream">The cache's own source: it is asked for the status of certificates whose issuer the cache does not know.</param>
public sealed class CachedSource(CollateralCache cache, ItemVerification verification, ICollateralSource upstream) : ICollateralSource
{
    private const int MostChains = 10_000;

    private static readonly ImmutableArray<OcspHash> s_hashes = [OcspHash.Sha1, OcspHash.Sha256, OcspHash.Sha384];

    private readonly ConcurrentDictionary<Digest, bool> _learned = new();

    /// <summary>Who is asked for the status of a certificate each time, with a nonce; null: the cache.</summary>
    public ICollateralSource? Responder { get; init; }

    /// <summary>Takes the authorities of devices' chains, by which the cache recognizes the certificates that it is asked about. Chains of no trusted root teach nothing.</summary>
    public void Learn(ImmutableArray<DeviceEvidence> devices)
    {
        foreach (var device in devices)
        {
            var chain = new Digest(SHA256.HashData(device.Chain.Span));
            if (!_learned.ContainsKey(chain) && verification.TryVerifyAuthority(device.Chain, out var proof, out _))
            {
                if (_learned.Count >= MostChains)
                {
                    _learned.Clear();
                }

                cache.AddAuthorities(proof);
                _learned[chain] = true;
            }
        }
    }

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (question.Status is null)
        {
            return AnswerOf(question.Key, await cache.GetAsync(question.Key, cancellation).ConfigureAwait(false));
        }

        if (Responder is not null)
        {
            return await Responder.FetchAsync(question, cancellation).ConfigureAwait(false);
        }

        foreach (var key in KeysOf(question.Status))
        {
            if (await cache.GetAsync(key, cancellation).ConfigureAwait(false) is { Verified: not null } answer)
            {
                return AnswerOf(key, answer);
            }
        }

        return await upstream.FetchAsync(question, cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => upstream.ListRimsAsync(cancellation);

    // Responders answer for SHA-1; those who stored answers have them for one of the three.
    private CollateralKey[] KeysOf(RevocationQuery query) =>
        [.. from hash in s_hashes let id = OcspCertId.For(query.Certificate, query.Issuer, hash) let issuer = cache.FindIssuer(id) where issuer is not null select ItemVerification.KeyOf(id, issuer)];

    private static Fetched<CollateralItem> AnswerOf(CollateralKey key, CacheAnswer answer) =>
        answer.Item is { } item ? Fetched.Item("cache", item.Body, item.Chain)
        : answer.Failure is CacheFailure.Absent ? Fetched.Absent(CollateralKinds.NameOf(key.Kind), answer.WhyNot!)
        : Fetched.Failed(CollateralKinds.NameOf(key.Kind), answer.WhyNot!, answer.RetryAfter);
}
