using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Collateral.Items;

/// <summary>
/// The certificate authorities that verified items proved: by key, by the hashes of CertIDs, and by the names of the lists that they sign.
/// Safe for concurrent use.
/// </summary>
internal sealed class AuthorityDirectory
{
    /// <summary>Real fleets have some dozens; whoever may post chains cannot fill memory, for each needs an anchor's signature.</summary>
    private const int Most = 10_000;

    private static readonly OcspHash[] s_hashes = [OcspHash.Sha1, OcspHash.Sha256, OcspHash.Sha384];

    private readonly Lock _lock = new();
    private ImmutableDictionary<string, CertifiedAuthority> _byKey = ImmutableDictionary<string, CertifiedAuthority>.Empty;
    private ImmutableDictionary<string, CertifiedAuthority> _byName = ImmutableDictionary<string, CertifiedAuthority>.Empty;
    private ImmutableDictionary<string, CertifiedAuthority> _byList = ImmutableDictionary<string, CertifiedAuthority>.Empty;

    /// <summary>Which of them were not known before.</summary>
    public ImmutableArray<CertifiedAuthority> Add(IEnumerable<CertifiedAuthority> authorities)
    {
        lock (_lock)
        {
            ImmutableArray<CertifiedAuthority> added = [.. authorities.Where(authority => !_byKey.TryGetValue(authority.Key.ToString(), out var known) || known.EarliestNotAfter < authority.EarliestNotAfter)];
            foreach (var authority in added.Where(_ => _byKey.Count < Most))
            {
                _byKey = _byKey.SetItem(authority.Key.ToString(), authority);
                _byName = s_hashes.Aggregate(_byName, (names, hash) => names.SetItem(authority.NameUnder(hash), authority));
                foreach (var (name, issuer) in ItemVerification.CrlNames(authority))
                {
                    _byList = _byList.SetItem(name, issuer);
                }
            }

            return added;
        }
    }

    public CertifiedAuthority? Find(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>Who issued the certificate that a CertID names.</summary>
    public CertifiedAuthority? FindIssuer(OcspCertId id) => _byName.GetValueOrDefault(id.IssuerName) is { } authority && id.IsIssuedBy(authority.Certificate) ? authority : null;

    /// <summary>Who signs the list of a name, by the distribution points of certificates below him.</summary>
    public CertifiedAuthority? FindSignerOf(string list) => _byList.GetValueOrDefault(list);

    /// <summary>The root of a purpose that the others stand under; null when none is known, or several are.</summary>
    public CertifiedAuthority? FindRoot(AuthorityPurpose purpose)
    {
        var roots = _byKey.Values.Where(authority => authority.Purpose == purpose && authority.Certificates.Length == 1).ToArray();
        return roots.Length == 1 ? roots[0] : null;
    }
}
