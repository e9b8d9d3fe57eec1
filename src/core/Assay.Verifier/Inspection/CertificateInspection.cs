using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Security.Cryptography;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>Certificates, alone and in chains.</summary>
internal static class CertificateInspection
{
    public static InspectionNode?[]? ReadOne(byte[] der, string name, FaultLog faults)
    {
        if (Certificate.TryParse(der, out var certificate, out var fault))
        {
            return [.. Parts(certificate)];
        }

        faults.Malformed($"{name}: certificate", fault);
        return null;
    }

    public static InspectionNode?[]? ReadChain(byte[] text, string name, FaultLog faults)
    {
        if (Pem.TryDecode(text, out var blocks, out var fault))
        {
            return [InspectionNode.Number("certificate_count", blocks.Length), Certificates("certificates", blocks, name, faults)];
        }

        faults.Malformed($"{name}: certificates", fault);
        return null;
    }

    /// <summary>The chain of a device in an evidence file.</summary>
    public static InspectionNode ChainPart(ReadOnlySpan<byte> text, string place, FaultLog faults) =>
        Pem.TryDecode(text, out var blocks, out var fault)
            ? Certificates("chain", blocks, place, faults)
            : faults.MalformedPart("chain", $"{place}: chain", fault);

    /// <summary>Every certificate of a list; one that is unreadable does not hide the others.</summary>
    public static InspectionNode Certificates(string name, ImmutableArray<ReadOnlyMemory<byte>> blocks, string place, FaultLog faults) =>
        InspectionNode.List(name, blocks.Select((block, index) =>
        {
            var title = $"certificate {index}";
            return Certificate.TryParse(block.Span, out var certificate, out var fault)
                ? InspectionNode.Group(title, Parts(certificate)) with { Shown = $"{title}: {certificate.Subject.CommonName ?? "no common name"}" }
                : InspectionNode.Group(title, faults.MalformedPart("fault", $"{place}: {title}", fault));
        }));

    /// <summary>Certificates that stand in a larger structure and were read with it.</summary>
    public static InspectionNode Certificates(string name, ImmutableArray<Certificate> certificates) =>
        InspectionNode.List(name, certificates.Select((certificate, index) =>
            InspectionNode.Group($"certificate {index}", Parts(certificate)) with { Shown = $"certificate {index}: {certificate.Subject.CommonName ?? "no common name"}" }));

    private static IEnumerable<InspectionNode?> Parts(Certificate certificate) =>
    [
        InspectionNode.Text("subject", certificate.Subject.ToString()),
        InspectionNode.Text("issuer", certificate.Issuer.ToString()),
        Root(certificate),
        InspectionNode.Hex("serial_number_hex", certificate.SerialNumber.Span, whole: true),
        InspectionNode.Text("serial_number_decimal", certificate.SerialNumberDecimal),
        InspectionNode.Time("not_before", certificate.NotBefore),
        NotAfter(certificate.NotAfter),
        InspectionNode.Text("public_key", KeyAlgorithm(certificate.SubjectPublicKeyInfo)),
        InspectionNode.Hex("spki_sha256", SHA256.HashData(certificate.SubjectPublicKeyInfo.Span), whole: true),
        InspectionNode.Hex("spki_sha384", certificate.KeyIdentity.Bytes, whole: true),
        InspectionNode.Text("signature_algorithm", NameOf(certificate.SignatureAlgorithm)),
        InspectionNode.Text("key_usage", ExtensionInspection.MeaningIn(certificate, ExtensionInspection.KeyUsage) ?? "absent"),
        InspectionNode.Text("basic_constraints", ExtensionInspection.MeaningIn(certificate, ExtensionInspection.BasicConstraints) ?? "absent"),
        certificate.TryReadFwid(out var fwid, out _) ? InspectionNode.Hex("fwid", fwid.Bytes, whole: true) with { JsonOnly = true } : null,
        InspectionNode.Hex("fingerprint_sha256", certificate.Fingerprint.Bytes, whole: true),
        ExtensionInspection.Table(certificate),
    ];

    /// <summary>ecdsa-with-SHA384 for people and programs alike.</summary>
    public static string NameOf(SignatureAlgorithm algorithm) => algorithm switch
    {
        SignatureAlgorithm.EcdsaSha256 => "ecdsa-with-SHA256",
        SignatureAlgorithm.EcdsaSha384 => "ecdsa-with-SHA384",
        SignatureAlgorithm.RsaPssSha384 => "RSASSA-PSS with SHA-384",
        _ => "unknown",
    };

    // Only a certificate that names itself as its issuer raises the question.
    private static InspectionNode? Root(Certificate certificate)
    {
        if (!certificate.Subject.Equals(certificate.Issuer))
        {
            return null;
        }

        var trust = TrustSet.BuiltIn;
        var nvidia = trust.DeviceAnchors.Concat(trust.RimAnchors).FirstOrDefault(anchor => anchor.Fingerprint == certificate.Fingerprint)?.Label;
        var other = trust.IntelAnchors.Concat(trust.AmdAnchors).FirstOrDefault(anchor => anchor.Fingerprint == certificate.Fingerprint)?.Label;
        return InspectionNode.Text("root", nvidia ?? other ?? "not NVIDIA's", nvidia is not null ? $"is NVIDIA's {nvidia.Replace("NVIDIA ", "", StringComparison.Ordinal)}, by its fingerprint"
            : other is not null ? $"is {other}, by its fingerprint"
            : "names itself as issuer; its fingerprint is not that of a root of NVIDIA, Intel or AMD");
    }

    private static InspectionNode NotAfter(DateTimeOffset time)
    {
        const int never = 9999;
        var node = InspectionNode.Time("not_after", time);
        return time.Year == never ? node with { Shown = $"{node.Value} (never ends)" } : node;
    }

    private static string KeyAlgorithm(ReadOnlyMemory<byte> info)
    {
        try
        {
            var algorithm = new AsnReader(info, AsnEncodingRules.DER).ReadSequence().ReadSequence();
            var type = algorithm.ReadObjectIdentifier();
            var parameters = algorithm.HasData && algorithm.PeekTag() == Asn1Tag.ObjectIdentifier ? algorithm.ReadObjectIdentifier() : null;
            return (type, parameters) switch
            {
                ("1.2.840.10045.2.1", "1.3.132.0.34") => "EC P-384",
                ("1.2.840.10045.2.1", "1.2.840.10045.3.1.7") => "EC P-256",
                ("1.2.840.10045.2.1", not null) => $"EC, curve {parameters}",
                ("1.2.840.113549.1.1.1", _) => "RSA",
                _ => type,
            };
        }
        catch (AsnContentException)
        {
            return "unreadable";
        }
    }
}
