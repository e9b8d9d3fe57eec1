using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Cache;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Gathering;

/// <summary>What cannot be had of what evidence needs.</summary>
/// <param name="Name">The item: its key, or what is known of it.</param>
/// <param name="WhyNot">Where it was asked for, and what came back.</param>
public readonly record struct MissingCollateral(string Name, string WhyNot);

/// <summary>
/// Gathers what evidence needs through a cache: for bundles, and to tell what is missing after an upgrade. Devices are authenticated first,
/// as everywhere; revocation lists of NVIDIA's authorities are taken along where there are any.
/// </summary>
/// <param name="cache">Where from.</param>
/// <param name="verification">The verifier of the cache.</param>
/// <param name="hashes">The hashes of CertIDs to have answers for, since clients look for their own; empty: any one, as stored answers have it.</param>
public sealed class CollateralNeeds(CollateralCache cache, ItemVerification verification, ImmutableArray<OcspHash> hashes)
{
    private static readonly ImmutableArray<OcspHash> s_any = [OcspHash.Sha1, OcspHash.Sha256, OcspHash.Sha384];

    private readonly VerifierCache _verifier = new();
    private readonly Dictionary<CollateralKey, VerifiedItem> _had = [];
    private readonly SortedDictionary<string, string> _missing = new(StringComparer.Ordinal);

    /// <summary>The items that were found, with the authorities that judge them.</summary>
    public ImmutableArray<VerifiedItem> Items => [.. _had.Values.Concat(Authorities()).DistinctBy(item => item.Key)];

    /// <summary>What was not had and is needed, sorted.</summary>
    public ImmutableArray<MissingCollateral> Missing => [.. _missing.Select(item => new MissingCollateral(item.Key, item.Value))];

    /// <summary>What devices need. The reason why one is not authentic; null when all are.</summary>
    /// <param name="evidence">At most as many as are judged in one call.</param>
    /// <param name="time">When, and by which clock.</param>
    /// <param name="cancellation">Ends the asking.</param>
    public async Task<string?> AddAsync(IReadOnlyList<DeviceEvidence> evidence, EvaluationTime time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        // No nonce: old evidence of a device needs the same collateral as new.
        var expected = new DeviceExpectations { Nonce = null, Basis = new TrustBasis(time, verification.Trust, RevocationChecking.Required) };
        var devices = DevicesAppraisal.Authenticate(evidence, expected, _verifier);
        if (devices.FirstOrDefault(device => device.Device is null) is { } bad)
        {
            var failed = bad.Findings.FirstOrDefault(finding => finding.State is CheckState.Failed);
            return $"{bad.Source}: {failed?.Id}: {failed?.Reason}";
        }

        foreach (var device in evidence)
        {
            await LearnAsync(device.Chain, cancellation).ConfigureAwait(false);
        }

        var collateral = MachineCollateral.Empty;
        var ids = DevicesAppraisal.RequiredCollateral(devices, collateral, expected, _verifier).RimIds;
        foreach (var (id, rim) in ids.Zip(await Task.WhenAll(ids.Select(id => AddAsync(new CollateralKey(CollateralKind.Rim, id), cancellation))).ConfigureAwait(false)))
        {
            collateral = rim is null ? collateral : collateral with { Rims = collateral.Rims.Add(id, rim.Body) };
        }

        var queries = DevicesAppraisal.RequiredCollateral(devices, collateral, expected, _verifier).Revocation;
        await Task.WhenAll(queries.Select(query => AddAnswersAsync(query, cancellation))).ConfigureAwait(false);
        return null;
    }

    /// <summary>What a processor needs. The reason why that cannot be told; null when it can.</summary>
    public async Task<string?> AddAsync(ProcessorEvidence evidence, string channel, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        if (!ProcessorNeeds.TryName(evidence, channel, out var keys, out var whyNot))
        {
            return $"{evidence.Source}: {whyNot}";
        }

        foreach (var key in keys)
        {
            await AddAsync(key, cancellation).ConfigureAwait(false);
        }

        return null;
    }

    /// <summary>One item by its key; null when it cannot be had.</summary>
    public async Task<VerifiedItem?> AddAsync(CollateralKey key, CancellationToken cancellation)
    {
        var answer = await cache.GetAsync(key, cancellation).ConfigureAwait(false);
        lock (_had)
        {
            if (answer.Verified is { } item)
            {
                _had[key] = item;
            }
            else
            {
                _missing[key.ToString()] = answer.WhyNot ?? "it is not signed, so it cannot be passed on: give its address to those who need it";
            }
        }

        return answer.Verified;
    }

    /// <summary>The manifest and items of a bundle of everything so far, with the marks of the cache.</summary>
    public (BundleManifest Manifest, ImmutableDictionary<CollateralKey, VerifiedItem> Items) ToBundle(DateTimeOffset created, long sequence)
    {
        var items = Items;
        var marks = cache.Marks(Limits.BundleMarks).Where(mark => mark.Rank.Date <= created);
        return (BundleManifest.Of(items, marks, created, sequence), items.ToImmutableDictionary(item => item.Key));
    }

    /// <summary>
    /// Takes the authorities of a device's chain, and their lists. These hold longer than OCSP answers (S-16); a site without them loses
    /// nothing today, so that they are never missing. False when the chain is of no trusted root.
    /// </summary>
    public async Task<bool> LearnAsync(ReadOnlyMemory<byte> chain, CancellationToken cancellation)
    {
        if (!verification.TryVerifyAuthority(chain, out var proof, out _))
        {
            return false;
        }

        cache.AddAuthorities(proof);
        foreach (var name in proof.Authorities.SelectMany(ItemVerification.CrlNames).Select(list => list.Name).Distinct(StringComparer.Ordinal))
        {
            var key = new CollateralKey(CollateralKind.Crl, name);
            if (!_had.ContainsKey(key) && (await cache.GetAsync(key, cancellation).ConfigureAwait(false)).Verified is { } list)
            {
                _had[key] = list;
            }
        }

        return true;
    }

    private async Task AddAnswersAsync(RevocationQuery query, CancellationToken cancellation)
    {
        // Devices and manifests brought their authorities along before they were asked about.
        var ids = (hashes.IsEmpty ? s_any : hashes).Select(hash => OcspCertId.For(query.Certificate, query.Issuer, hash)).ToArray();
        if (ids.Any(id => cache.FindIssuer(id) is null))
        {
            lock (_had)
            {
                _missing[$"ocsp {query.Subject.SerialNumber}"] = "its issuer is unknown: the cache has no room for another authority";
            }

            return;
        }

        CollateralKey[] keys = [.. ids.Select(id => ItemVerification.KeyOf(id, cache.FindIssuer(id)!))];
        foreach (var key in hashes.IsEmpty ? [await FirstHadAsync(keys, cancellation).ConfigureAwait(false)] : keys)
        {
            await AddAsync(key, cancellation).ConfigureAwait(false);
        }
    }

    private async Task<CollateralKey> FirstHadAsync(CollateralKey[] keys, CancellationToken cancellation)
    {
        foreach (var key in keys)
        {
            if ((await cache.GetAsync(key, cancellation).ConfigureAwait(false)).Verified is not null)
            {
                return key;
            }
        }

        return keys[0];
    }

    // Who signed answers and lists: a bundle is judged with nothing else at hand.
    private IEnumerable<VerifiedItem> Authorities() =>
        from item in _had.Values
        let issuer = item.Key.Kind switch
        {
            CollateralKind.Ocsp => item.Key.Id.Split('/')[0],
            CollateralKind.Crl or CollateralKind.RootCrl => item.MarkId,
            _ => null,
        }
        where issuer is not null
        let authority = cache.TryGetHeld(new CollateralKey(CollateralKind.Authority, issuer), out var held) ? held as VerifiedItem : null
        where authority is not null
        select authority;
}
