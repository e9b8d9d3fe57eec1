using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Devices;
using Assay.Reference;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Endorsements;

/// <summary>NVIDIA's: manifests, OCSP answers and revocation lists.</summary>
public sealed partial class ItemVerification
{
    /// <summary>A manifest. It does not name its id: version, kind of device and, where the id tells it, chip are compared with it.</summary>
    public bool TryVerifyRim(string id, ReadOnlyMemory<byte> xml, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (!AuthenticRim.TryFromCache(xml.Span, trust, cache, out var rim))
        {
            if (!RimDocument.TryParse(xml.Span, out var document, out var malformed))
            {
                return Refuse(ItemRefusal.Malformed, malformed.ToString(), out item, out fault);
            }

            var outcome = AuthenticRim.Authenticate(document, trust, cache);
            if (outcome.Rim is null)
            {
                return outcome.ChainFault is { } chain
                    ? Refuse(ItemRefusal.Chain, chain, out item, out fault)
                    : Refuse(ItemRefusal.Signature, outcome.SignatureFault ?? "not authentic", out item, out fault);
            }

            rim = outcome.Rim;
        }

        if (WhyNotOf(id, rim.Document) is { } whyNot)
        {
            return Refuse(ItemRefusal.Mismatch, whyNot, out item, out fault);
        }

        fault = null;
        item = new VerifiedItem
        {
            Key = new CollateralKey(CollateralKind.Rim, id),
            MarkId = id,
            Body = xml,
            Rank = new ItemRank(null, rim.Path.Leaf.NotBefore, false),
            ValidFrom = rim.Path.LatestNotBefore,
            ValidUntil = rim.Path.EarliestNotAfter,
            SignersUntil = rim.Path.EarliestNotAfter,
            Stated = rim.Path.Leaf.NotBefore,
            Authorities = [.. CertifiedAuthority.Above(rim.Path, AuthorityPurpose.RimSigner)],
        };
        return true;
    }

    /// <summary>A response with an answer to one CertID.</summary>
    public bool TryVerifyOcsp(
        OcspCertId asked, CertifiedAuthority issuer, ReadOnlyMemory<byte> der, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ArgumentNullException.ThrowIfNull(asked);
        ArgumentNullException.ThrowIfNull(issuer);
        if (!OcspResponse.TryParse(der.Span, out var response, out var malformed))
        {
            return Refuse(ItemRefusal.Malformed, malformed.ToString(), out item, out fault);
        }

        if (response.Basic is { } basic && !basic.Responses.Any(single => single.CertId.Equals(asked)))
        {
            return Refuse(ItemRefusal.Mismatch, "no SingleResponse has the CertID that was asked about", out item, out fault);
        }

        if (!AuthenticOcspAnswer.TryAuthenticate(response, asked, issuer.Certificate, trust.Kind, cache, out var answer, out var whyNot))
        {
            return Refuse(response.Basic is null ? ItemRefusal.Malformed : ItemRefusal.Signature, whyNot, out item, out fault);
        }

        fault = null;
        var from = Later(answer.ThisUpdate, answer.ProducedAt);
        item = new VerifiedItem
        {
            Key = KeyOf(asked, issuer),
            MarkId = MarkOf(answer.About),
            Body = der,
            Rank = new ItemRank(null, answer.ThisUpdate, answer.SignedStatus.Status is CertificateStatus.Revoked),
            ValidFrom = answer.ResponderNotBefore is { } begin ? Later(from, begin) : from,
            ValidUntil = Earlier(answer.ValidUntil, issuer.EarliestNotAfter),
            SignersUntil = answer.ResponderNotAfter is { } end ? Earlier(end, issuer.EarliestNotAfter) : issuer.EarliestNotAfter,
            Stated = from,
            Status = answer.Status,
        };
        return true;
    }

    /// <summary>A revocation list under the name that certificates give it. <paramref name="issuer"/> is who should have signed it.</summary>
    public bool TryVerifyCrl(
        CollateralKey key, CertifiedAuthority issuer, ReadOnlyMemory<byte> der, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        if (!AuthenticCrl.TryFromCache(der.Span, issuer.Certificate, trust.Kind, cache, out var crl))
        {
            if (!CertificateRevocationList.TryParse(der.Span, out var list, out var malformed))
            {
                return Refuse(ItemRefusal.Malformed, malformed.ToString(), out item, out fault);
            }

            if (!AuthenticCrl.TryAuthenticate(list, issuer.Certificate, trust.Kind, cache, out crl, out var whyNot))
            {
                return Refuse(list.Issuer.Equals(issuer.Certificate.Subject) ? ItemRefusal.Signature : ItemRefusal.Mismatch, whyNot, out item, out fault);
            }
        }

        fault = null;
        item = new VerifiedItem
        {
            Key = key,
            MarkId = crl.IssuerKey.ToString(),
            Body = der,
            Rank = new ItemRank(crl.List.CrlNumber, crl.List.ThisUpdate, false),
            ValidFrom = crl.List.ThisUpdate,
            ValidUntil = Earlier(crl.List.NextUpdate, issuer.EarliestNotAfter),
            SignersUntil = issuer.EarliestNotAfter,
            Stated = crl.List.ThisUpdate,
        };
        return true;
    }

    /// <summary>The key of answers to a CertID: hash algorithm included, for clients look for their own CertID in the answer.</summary>
    public static CollateralKey KeyOf(OcspCertId asked, CertifiedAuthority issuer)
    {
        ArgumentNullException.ThrowIfNull(asked);
        ArgumentNullException.ThrowIfNull(issuer);
        return new CollateralKey(CollateralKind.Ocsp, $"{issuer.Key}/{Convert.ToHexStringLower(asked.SerialNumber.Span)}/{asked.HashAlgorithm.ToString().ToLowerInvariant()}");
    }

    /// <summary>The names of the lists that these certificates say their issuer publishes: the last segments of their addresses.</summary>
    public static IEnumerable<(string Name, CertifiedAuthority Issuer)> CrlNames(CertifiedAuthority authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        return from index in Enumerable.Range(0, authority.Certificates.Length - 1)
               from address in CrlAddresses.Of(authority.Certificates[index])
               let name = address[(address.LastIndexOf('/') + 1)..]
               where RimIds.IsSafe(name)
               select (name, authority.Issuer(index));
    }

    private static string MarkOf(RevocationSubject about) => $"{about.IssuerKey}/{about.SerialNumber}";

    private static string? WhyNotOf(string id, RimDocument document)
    {
        if (!RimIds.TryParse(id, out var parts))
        {
            return !RimIds.IsSafe(id) ? "the id has characters that no RIM id has"
                : $"no supported device model has RIM ids of this form; {DeviceModels.Recipe} says how one is added";
        }

        var edition = DeviceKindWords.Of(DeviceModels.KindThatNeeds(parts.Role)).RimEdition;
        var product = parts.Pattern.Product ?? document.Product;
        return document.Edition != edition ? $"the manifest is for {document.Edition}, {edition} is expected"
            : document.Product != product ? $"the manifest is for {document.Product}, {product} is expected"
            : !parts.IsOfVersion(document.ColloquialVersion) ? $"the manifest is of version {document.ColloquialVersion}, which the id does not name"
            : null;
    }
}
