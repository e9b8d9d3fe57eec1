using Assay.Trust.Revocation;

namespace Assay.Inspection;

/// <summary>A certificate revocation list (RFC 5280 §5).</summary>
internal static class CrlInspection
{
    public static InspectionNode?[]? Read(byte[] der, string name, FaultLog faults)
    {
        if (!CertificateRevocationList.TryParse(der, out var list, out var fault))
        {
            faults.Malformed($"{name}: CRL", fault);
            return null;
        }

        return
        [
            InspectionNode.Text("issuer", list.Issuer.ToString()),
            InspectionNode.Time("this_update", list.ThisUpdate),
            InspectionNode.Time("next_update", list.NextUpdate),
            InspectionNode.Text("crl_number", list.CrlNumber is { } number ? number.ToString(System.Globalization.CultureInfo.InvariantCulture) : "absent"),
            InspectionNode.Text("signature_algorithm", CertificateInspection.NameOf(list.SignatureAlgorithm)),
            InspectionNode.Hex("content_sha256", list.ContentDigest.Bytes, whole: true),
            InspectionNode.Number("entry_count", list.EntryCount),
            list.EntryCount == 0
                ? InspectionNode.List("entries") with { JsonOnly = true }
                : InspectionNode.Table("entries", list.Entries.Select(Entry)),
        ];
    }

    private static InspectionNode Entry(RevokedSerialNumber entry) =>
        InspectionNode.Group("entry", [.. OcspInspection.SerialNumber(entry.SerialNumber.Span), .. OcspInspection.Status(entry.Status)]);
}
