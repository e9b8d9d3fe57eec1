using System.Formats.Asn1;
using System.Globalization;
using System.Text;
using Assay.Trust;

namespace Assay.Inspection;

/// <summary>X.509 extensions: name and meaning where known (RFC 5280 §4.2, TCG DICE), raw otherwise.</summary>
internal static class ExtensionInspection
{
    public const string KeyUsage = "2.5.29.15";
    public const string BasicConstraints = "2.5.29.19";

    private const string SubjectKeyIdentifier = "2.5.29.14";
    private const string SubjectAlternativeName = "2.5.29.17";
    private const string CrlDistributionPoints = "2.5.29.31";
    private const string CertificatePolicies = "2.5.29.32";
    private const string AuthorityKeyIdentifier = "2.5.29.35";
    private const string ExtendedKeyUsage = "2.5.29.37";
    private const string AuthorityInformationAccess = "1.3.6.1.5.5.7.1.1";
    private const string OcspNoCheck = "1.3.6.1.5.5.7.48.1.5";
    private const string CompositeDeviceId = "2.23.133.5.4.1";
    private const string DiceTcbInfo = "2.23.133.5.4.1.1";

    private static readonly Dictionary<string, string> s_names = new()
    {
        [SubjectKeyIdentifier] = "subjectKeyIdentifier",
        [KeyUsage] = "keyUsage",
        [SubjectAlternativeName] = "subjectAltName",
        [BasicConstraints] = "basicConstraints",
        [CrlDistributionPoints] = "cRLDistributionPoints",
        [CertificatePolicies] = "certificatePolicies",
        [AuthorityKeyIdentifier] = "authorityKeyIdentifier",
        [ExtendedKeyUsage] = "extKeyUsage",
        [AuthorityInformationAccess] = "authorityInfoAccess",
        [OcspNoCheck] = "ocsp-nocheck",
        [CompositeDeviceId] = "CompositeDeviceID",
        [DiceTcbInfo] = "DiceTcbInfo",
        ["2.23.133.5.4.4"] = "DiceUeid",
        [SimulatedMarker.OidText] = "simulated",
        [SimulatedMarker.CriticalOidText] = "simulated",
        ["1.2.840.113741.1.13.1"] = "SGX extensions",
        ["1.3.6.1.4.1.3704.1.1"] = "structVersion",
        ["1.3.6.1.4.1.3704.1.2"] = "productName",
        ["1.3.6.1.4.1.3704.1.3.1"] = "blSPL",
        ["1.3.6.1.4.1.3704.1.3.2"] = "teeSPL",
        ["1.3.6.1.4.1.3704.1.3.3"] = "snpSPL",
        ["1.3.6.1.4.1.3704.1.3.4"] = "spl4",
        ["1.3.6.1.4.1.3704.1.3.5"] = "spl5",
        ["1.3.6.1.4.1.3704.1.3.6"] = "spl6",
        ["1.3.6.1.4.1.3704.1.3.7"] = "spl7",
        ["1.3.6.1.4.1.3704.1.3.8"] = "ucodeSPL",
        ["1.3.6.1.4.1.3704.1.3.9"] = "fmcSPL",
        ["1.3.6.1.4.1.3704.1.4"] = "hwID",
        ["1.3.6.1.4.1.3704.1.5"] = "cspID",
    };

    private static readonly Dictionary<string, string> s_objects = new()
    {
        ["1.3.6.1.5.5.7.3.1"] = "serverAuth",
        ["1.3.6.1.5.5.7.3.2"] = "clientAuth",
        ["1.3.6.1.5.5.7.3.3"] = "codeSigning",
        ["1.3.6.1.5.5.7.3.9"] = "OCSPSigning",
        ["1.3.6.1.5.5.7.48.1"] = "OCSP",
        ["1.3.6.1.5.5.7.48.2"] = "caIssuers",
        ["1.3.6.1.4.1.412.274.1"] = "DMTF device",
    };

    private static readonly string[] s_usages =
    [
        "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
    ];

    public static InspectionNode Table(Certificate certificate) => certificate.ExtensionTexts.IsEmpty
        ? InspectionNode.List("extensions") with { JsonOnly = true }
        : InspectionNode.Table("extensions", certificate.ExtensionTexts.Select(extension => Row(certificate, extension)));

    /// <summary>The meaning of one extension; null when the certificate does not have it.</summary>
    public static string? MeaningIn(Certificate certificate, string oid) =>
        certificate.ExtensionTexts.FirstOrDefault(extension => extension.Oid == oid) is { } found ? Meaning(certificate, found) ?? "unreadable" : null;

    private static InspectionNode Row(Certificate certificate, ExtensionText extension)
    {
        var meaning = Meaning(certificate, extension);
        return InspectionNode.Group(
            "extension",
            InspectionNode.Text("oid", extension.Oid),
            InspectionNode.Text("name", s_names.GetValueOrDefault(extension.Oid, "unknown")),
            InspectionNode.Flag("critical", extension.Critical),
            InspectionNode.Text("meaning", meaning ?? "not decoded", meaning ?? InspectionNode.Abbreviate(extension.Value.Span)),
            InspectionNode.Hex("value", extension.Value.Span) with { JsonOnly = true });
    }

    private static string? Meaning(Certificate certificate, ExtensionText extension)
    {
        try
        {
            var value = new AsnReader(extension.Value, AsnEncodingRules.DER);
            return extension.Oid switch
            {
                SubjectKeyIdentifier => Convert.ToHexStringLower(value.ReadOctetString()),
                AuthorityKeyIdentifier => AuthorityKey(value),
                KeyUsage => Usages(value),
                BasicConstraints when certificate.BasicConstraints is { } basic => Constraints(basic),
                SubjectAlternativeName => string.Join(", ", GeneralNames(value.ReadSequence())),
                CrlDistributionPoints => string.Join(", ", DistributionPoints(value.ReadSequence())),
                AuthorityInformationAccess => string.Join(", ", AccessDescriptions(value.ReadSequence())),
                ExtendedKeyUsage => string.Join(", ", Identifiers(value.ReadSequence(), nested: false)),
                CertificatePolicies => string.Join(", ", Identifiers(value.ReadSequence(), nested: true)),
                OcspNoCheck => "the status of this responder's certificate is not checked",
                CompositeDeviceId or DiceTcbInfo => Dice(certificate, extension.Oid, value.ReadSequence()),
                SimulatedMarker.OidText or SimulatedMarker.CriticalOidText => "made by a simulator; real trust refuses it",
                _ => null,
            };
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    private static string Constraints(BasicConstraints basic) => !basic.CertificateAuthority ? "no CA"
        : basic.PathLength is { } length ? string.Create(CultureInfo.InvariantCulture, $"CA, path length {length}")
        : "CA, any path length";

    private static string Usages(AsnReader value)
    {
        var bits = value.ReadBitString(out var unused);
        var count = (bits.Length * 8) - unused;
        return string.Join(", ", Enumerable.Range(0, count)
            .Where(bit => (bits[bit / 8] & (0x80 >> (bit % 8))) != 0)
            .Select(bit => bit < s_usages.Length ? s_usages[bit] : string.Create(CultureInfo.InvariantCulture, $"bit {bit}")));
    }

    private static string? AuthorityKey(AsnReader value)
    {
        var body = value.ReadSequence();
        var identifier = new Asn1Tag(TagClass.ContextSpecific, 0);
        return body.HasData && body.PeekTag() == identifier ? Convert.ToHexStringLower(body.ReadOctetString(identifier)) : null;
    }

    private static List<string> Identifiers(AsnReader list, bool nested)
    {
        var found = new List<string>();
        while (list.HasData)
        {
            var oid = (nested ? list.ReadSequence() : list).ReadObjectIdentifier();
            found.Add(s_objects.GetValueOrDefault(oid, oid));
        }

        return found;
    }

    private static List<string> AccessDescriptions(AsnReader list)
    {
        var found = new List<string>();
        while (list.HasData)
        {
            var description = list.ReadSequence();
            var method = description.ReadObjectIdentifier();
            found.Add($"{s_objects.GetValueOrDefault(method, method)} {GeneralName(description)}");
        }

        return found;
    }

    // DistributionPoint ::= SEQUENCE { distributionPoint [0] EXPLICIT CHOICE { fullName [0] GeneralNames, … }, … }
    private static List<string> DistributionPoints(AsnReader list)
    {
        var found = new List<string>();
        var first = new Asn1Tag(TagClass.ContextSpecific, 0, isConstructed: true);
        while (list.HasData)
        {
            var point = list.ReadSequence();
            if (point.HasData && point.PeekTag() == first && point.ReadSequence(first) is { } name && name.PeekTag() == first)
            {
                found.AddRange(GeneralNames(name.ReadSequence(first)));
            }
        }

        return found;
    }

    private static List<string> GeneralNames(AsnReader list)
    {
        var found = new List<string>();
        while (list.HasData)
        {
            found.Add(GeneralName(list));
        }

        return found;
    }

    private static string GeneralName(AsnReader list)
    {
        const int otherName = 0, mail = 1, dns = 2, uri = 6;
        var tag = list.PeekTag();
        switch (tag.TagValue)
        {
            case otherName when tag.IsConstructed:
                var other = list.ReadSequence(tag);
                var type = other.ReadObjectIdentifier();
                var wrapped = other.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0, isConstructed: true));
                var text = wrapped.PeekTag() == new Asn1Tag(UniversalTagNumber.UTF8String)
                    ? wrapped.ReadCharacterString(UniversalTagNumber.UTF8String)
                    : InspectionNode.Abbreviate(wrapped.ReadEncodedValue().Span);
                return $"{s_objects.GetValueOrDefault(type, type)} {text}";
            case mail or dns or uri:
                return list.ReadCharacterString(UniversalTagNumber.IA5String, tag);
            default:
                return InspectionNode.Abbreviate(list.ReadEncodedValue().Span);
        }
    }

    // DiceTcbInfo (TCG DICE Attestation Architecture 1.1 §6.1.1): [0] vendor, [1] model, [2] version are text, [3] svn, [4] layer and
    // [5] index are numbers. The FWID of both forms is read as verification reads it.
    private static string Dice(Certificate certificate, string oid, AsnReader body)
    {
        var parts = new List<string>();
        while (oid == DiceTcbInfo && body.HasData)
        {
            var tag = body.PeekTag();
            var name = tag.TagValue switch { 0 => "vendor", 1 => "model", 2 => "version", 3 => "svn", 4 => "layer", 5 => "index", _ => null };
            if (name is null || tag.TagClass is not TagClass.ContextSpecific)
            {
                body.ReadEncodedValue();
            }
            else
            {
                parts.Add(tag.TagValue <= 2
                    ? $"{name} {Encoding.UTF8.GetString(body.ReadOctetString(tag))}"
                    : string.Create(CultureInfo.InvariantCulture, $"{name} {body.ReadInteger(tag)}"));
            }
        }

        parts.Add(certificate.TryReadFwid(out var fwid, out var whyNot) ? $"FWID {fwid}" : whyNot);
        return string.Join(", ", parts);
    }
}
