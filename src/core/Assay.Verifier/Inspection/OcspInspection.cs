using System.Numerics;
using Assay.Trust.Revocation;

namespace Assay.Inspection;

/// <summary>An OCSP response (RFC 6960).</summary>
internal static class OcspInspection
{
    public static InspectionNode?[]? Read(byte[] der, string name, FaultLog faults)
    {
        if (!OcspResponse.TryParse(der, out var response, out var fault))
        {
            faults.Malformed($"{name}: OCSP response", fault);
            return null;
        }

        InspectionNode?[] head =
        [
            InspectionNode.Text("status", response.Status.ToString()),
            InspectionNode.Hex("content_sha256", response.ContentDigest.Bytes, whole: true),
        ];
        return response.Basic is { } basic ? [.. head, .. Parts(basic)] : head;
    }

    /// <summary>What a source says about a certificate, in one row or block.</summary>
    public static IEnumerable<InspectionNode?> Status(RevocationStatus status) =>
    [
        InspectionNode.Text("status", status.Status.ToString().ToLowerInvariant()),
        status.RevokedAt is { } revoked ? InspectionNode.Time("revoked_at", revoked) : null,
        status.Reason is { } reason ? InspectionNode.Text("reason", $"{char.ToLowerInvariant(reason.ToString()[0])}{reason.ToString()[1..]}") : null,
    ];

    /// <summary>A serial number as it stands and as NVIDIA's claims write it.</summary>
    public static IEnumerable<InspectionNode> SerialNumber(ReadOnlySpan<byte> serialNumber) =>
    [
        InspectionNode.Hex("serial_number_hex", serialNumber, whole: true),
        InspectionNode.Text("serial_number_decimal", new BigInteger(serialNumber, isUnsigned: true, isBigEndian: true).ToString(System.Globalization.CultureInfo.InvariantCulture)),
    ];

    private static IEnumerable<InspectionNode?> Parts(OcspBasicResponse basic) =>
    [
        basic.ResponderId.Name is { } name
            ? InspectionNode.Text("responder_name", name.ToString())
            : InspectionNode.Text("responder_key_sha1", basic.ResponderId.KeyHash?.ToString() ?? ""),
        InspectionNode.Time("produced_at", basic.ProducedAt),
        basic.Nonce is { } nonce ? InspectionNode.Hex("nonce", nonce.Span, whole: true) : InspectionNode.Text("nonce", "absent"),
        InspectionNode.Text("signature_algorithm", CertificateInspection.NameOf(basic.SignatureAlgorithm)),
        InspectionNode.Hex("signature", basic.Signature.Span),
        InspectionNode.List("responses", basic.Responses.Select(Single)),
        CertificateInspection.Certificates("certificates", basic.Certificates),
    ];

    private static InspectionNode Single(OcspSingleResponse single, int index) => InspectionNode.Group(
        $"response {index}",
        [
            .. SerialNumber(single.CertId.SerialNumber.Span),
            .. Status(single.Status),
            InspectionNode.Time("this_update", single.ThisUpdate),
            single.NextUpdate is { } next ? InspectionNode.Time("next_update", next) : InspectionNode.Text("next_update", "absent: newer information is always available"),
            InspectionNode.Text("hash_algorithm", single.CertId.HashAlgorithm.ToString().ToUpperInvariant()),
            InspectionNode.Hex("issuer_name_hash", single.CertId.IssuerNameHash.Bytes, whole: true),
            InspectionNode.Hex("issuer_key_hash", single.CertId.IssuerKeyHash.Bytes, whole: true),
        ]);
}
