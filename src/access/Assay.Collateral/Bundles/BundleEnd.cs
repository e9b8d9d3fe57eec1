using Assay.Endorsements;
using Assay.Trust;

namespace Assay.Collateral.Bundles;

/// <summary>What ends first of items, by the names that people know: certificates by their subjects.</summary>
public static class BundleEnd
{
    /// <summary>The item that expires first; null for an empty list.</summary>
    public static string? FirstOf(IReadOnlyCollection<VerifiedItem> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return items.OrderBy(item => item.ValidUntil).ThenBy(item => item.Key.ToString(), StringComparer.Ordinal).FirstOrDefault() is { } first ? NameOf(first, items) : null;
    }

    /// <summary>An item, and the certificate under it where that ends before the item itself.</summary>
    /// <param name="item">Which one.</param>
    /// <param name="items">Those beside it, which may have the certificates that it names by number alone.</param>
    public static string NameOf(VerifiedItem item, IEnumerable<VerifiedItem> items)
    {
        ArgumentNullException.ThrowIfNull(item);
        ArgumentNullException.ThrowIfNull(items);
        var authorities = items.SelectMany(one => one.Authorities).DistinctBy(authority => authority.Key).ToArray();
        return item.Key.Kind switch
        {
            CollateralKind.Authority => NameOf(Ending(item, item.Authorities) ?? item.Authorities[0].Certificate),
            CollateralKind.Ocsp => $"the OCSP answer about {SubjectOf(item, authorities)}",
            _ when item.ValidUntil < item.SignersUntil => item.Key.ToString(),
            _ => $"{(Ending(item, item.Authorities) is { } above ? NameOf(above) : "the certificate of the signer")} under {item.Key}",
        };
    }

    private static Certificate? Ending(VerifiedItem item, IEnumerable<CertifiedAuthority> authorities) =>
        authorities.SelectMany(authority => authority.Certificates).FirstOrDefault(certificate => certificate.NotAfter == item.SignersUntil);

    private static string NameOf(Certificate certificate) => $"the certificate {certificate.Subject.CommonName ?? certificate.Subject.ToString()}";

    // The key of an answer: issuer, serial number and hash of the CertID. The certificate itself is often a device's, which is in no bundle.
    private static string SubjectOf(VerifiedItem item, CertifiedAuthority[] authorities)
    {
        var (issuer, serial) = item.Key.Id.Split('/') is [var key, var number, _] ? (key, number) : ("", item.Key.Id);
        var subject = authorities.SelectMany(authority => authority.Certificates.Zip(authority.Certificates.Skip(1)))
            .FirstOrDefault(pair => pair.Second.KeyIdentity.ToString() == issuer && Convert.ToHexStringLower(pair.First.SerialNumber.Span) == serial).First;
        return subject is not null ? NameOf(subject)
            : authorities.FirstOrDefault(authority => authority.Key.ToString() == issuer) is { } known ? $"serial number {serial} of {known.Certificate.Subject.CommonName ?? known.Certificate.Subject.ToString()}"
            : item.Key.ToString();
    }
}
