using System.Diagnostics.CodeAnalysis;
using Assay.Trust;

namespace Assay.Endorsements;

/// <summary>
/// Proves items of collateral on their own, apart from any evidence: signature, chain to an anchor, and that they are what was asked for.
/// Caches, proxies and bundles hold nothing else (S-16, S-17).
/// </summary>
/// <param name="trust">Whose roots are believed.</param>
/// <param name="cache">What verified before.</param>
public sealed partial class ItemVerification(TrustSet trust, VerifierCache cache)
{
    /// <summary>Whose roots are believed.</summary>
    public TrustSet Trust => trust;

    /// <summary>The chain of an authority, PEM, the authority first. Leaves of device and signer chains in front of it are left out.</summary>
    public bool TryVerifyAuthority(ReadOnlyMemory<byte> pem, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        (item, fault) = (null, null);
        if (!cache.TryReadChain(pem.Span, out var chain, out var whyNot))
        {
            fault = new ItemFault(ItemRefusal.Malformed, whyNot);
            return false;
        }

        var first = chain.TakeWhile(certificate => certificate.BasicConstraints is not { CertificateAuthority: true }).Count();
        if (first == chain.Length)
        {
            fault = new ItemFault(ItemRefusal.Chain, "it contains no CA certificate");
            return false;
        }

        if (!CertifiedAuthority.TryCertify(chain[first..], trust, cache, out var authority, out whyNot))
        {
            fault = new ItemFault(ItemRefusal.Chain, whyNot);
            return false;
        }

        item = ItemOf(authority, first == 0 ? pem : System.Text.Encoding.ASCII.GetBytes(authority.ToPem()));
        return true;
    }

    /// <summary>An authority that another item proved, as an item of its own.</summary>
    public static VerifiedItem ItemOf(CertifiedAuthority authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        return ItemOf(authority, System.Text.Encoding.ASCII.GetBytes(authority.ToPem()));
    }

    private static VerifiedItem ItemOf(CertifiedAuthority authority, ReadOnlyMemory<byte> pem) => new()
    {
        Key = new CollateralKey(CollateralKind.Authority, authority.Key.ToString()),
        MarkId = authority.Key.ToString(),
        Body = pem,
        Rank = new ItemRank(null, authority.Certificate.NotBefore, false),
        ValidFrom = authority.LatestNotBefore,
        ValidUntil = authority.EarliestNotAfter,
        SignersUntil = authority.EarliestNotAfter,
        Authorities = authority.WithThoseAbove(),
    };

    private static bool Refuse(ItemRefusal refusal, string reason, out VerifiedItem? item, out ItemFault fault)
    {
        item = null;
        fault = new ItemFault(refusal, reason);
        return false;
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;
}
