using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>The extensions of a certificate or request (RFC 5280, section 4.2), as members of Go's structures.</summary>
internal sealed class CertificateExtensions
{
    private const string ExtensionRequest = "1.2.840.113549.1.9.14";
    private static readonly string[] s_usages =
    [
        "2.5.29.37.0", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.5",
        "1.3.6.1.5.5.7.3.6", "1.3.6.1.5.5.7.3.7", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9",
    ];

    private readonly List<(string Oid, bool Critical, byte[] Value)> _items = [];

    public static CertificateExtensions FromCertificate(X509Certificate2 certificate)
    {
        var extensions = new CertificateExtensions();
        foreach (var extension in certificate.Extensions)
        {
            extensions._items.Add((extension.Oid?.Value ?? "", extension.Critical, extension.RawData));
        }

        return extensions;
    }

    /// <summary>The extensions that a request asks for, from its attributes.</summary>
    public static CertificateExtensions FromRequest(AsnReader body)
    {
        var extensions = new CertificateExtensions();
        if (!body.HasData)
        {
            return extensions;
        }

        var attributes = body.ReadSetOf(skipSortOrderValidation: true, new Asn1Tag(TagClass.ContextSpecific, 0));
        while (attributes.HasData)
        {
            var attribute = attributes.ReadSequence();
            if (attribute.ReadObjectIdentifier() != ExtensionRequest)
            {
                continue;
            }

            var list = attribute.ReadSetOf().ReadSequence();
            while (list.HasData)
            {
                var item = list.ReadSequence();
                var oid = item.ReadObjectIdentifier();
                var critical = item.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && item.ReadBoolean();
                extensions._items.Add((oid, critical, item.ReadOctetString()));
            }
        }

        return extensions;
    }

    /// <summary>What certificates and requests have in common: the list itself and the names.</summary>
    public void WriteCommon(RegoObjectBuilder members)
    {
        CertificateJson.Set(members, "Extensions", _items.Count == 0 ? RegoNull.Value : RegoArray.From(_items.Select(item => RegoObject.Of(
            ("Id", DistinguishedName.ObjectIdentifier(item.Oid)), ("Critical", RegoBoolean.Of(item.Critical)), ("Value", CertificateJson.Base64(item.Value))))));
        CertificateJson.Set(members, "ExtraExtensions", RegoNull.Value);
        var names = Find("2.5.29.17") is { } encoded ? GeneralNames(encoded) : [];
        CertificateJson.Set(members, "DNSNames", List(names, 2, text => new RegoString(text)));
        CertificateJson.Set(members, "EmailAddresses", List(names, 1, text => new RegoString(text)));
        CertificateJson.Set(members, "IPAddresses", List(names, 7, text => new RegoString(text)));
        CertificateJson.Set(members, "URIs", List(names, 6, UriParts));
        CertificateJson.Set(members, "URIStrings", List(names, 6, text => new RegoString(text)));
    }

    public void WriteCertificate(RegoObjectBuilder members)
    {
        WriteUsages(members);
        WriteConstraints(members);
        CertificateJson.Set(members, "SubjectKeyId", Find("2.5.29.14") is { } subject ? CertificateJson.Base64(new AsnReader(subject, AsnEncodingRules.DER).ReadOctetString()) : RegoNull.Value);
        CertificateJson.Set(members, "AuthorityKeyId", AuthorityKey() is { } authority ? CertificateJson.Base64(authority) : RegoNull.Value);
        CertificateJson.Set(members, "OCSPServer", Access("1.3.6.1.5.5.7.48.1"));
        CertificateJson.Set(members, "IssuingCertificateURL", Access("1.3.6.1.5.5.7.48.2"));
        CertificateJson.Set(members, "CRLDistributionPoints", DistributionPoints());
        CertificateJson.Set(members, "PolicyIdentifiers", Policies());
        CertificateJson.Set(members, "UnhandledCriticalExtensions", RegoNull.Value);
        CertificateJson.Set(members, "PermittedDNSDomainsCritical", RegoBoolean.False);
        foreach (var name in new[] { "DNSDomains", "IPRanges", "EmailAddresses", "URIDomains" })
        {
            CertificateJson.Set(members, "Permitted" + name, RegoNull.Value);
            CertificateJson.Set(members, "Excluded" + name, RegoNull.Value);
        }
    }

    private byte[]? Find(string oid) => _items.Find(item => item.Oid == oid).Value;

    private static RegoValue List(List<(int Tag, string Text)> names, int tag, Func<string, RegoValue> shown)
    {
        var values = names.Where(name => name.Tag == tag).Select(name => shown(name.Text)).ToArray();
        return values.Length == 0 ? RegoNull.Value : RegoArray.Over(values);
    }

    private static RegoObject UriParts(string text)
    {
        var known = Uri.TryCreate(text, UriKind.Absolute, out var uri);
        return RegoObject.Of(
            ("Scheme", new RegoString(known ? uri!.Scheme : "")),
            ("Host", new RegoString(known ? uri!.Authority : "")),
            ("Path", new RegoString(known ? uri!.AbsolutePath : text)),
            ("RawQuery", new RegoString(known ? uri!.Query.TrimStart('?') : "")),
            ("Fragment", new RegoString(known ? uri!.Fragment.TrimStart('#') : "")));
    }

    private static List<(int Tag, string Text)> GeneralNames(byte[] encoded)
    {
        var names = new List<(int, string)>();
        var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
        while (sequence.HasData)
        {
            if (Name(sequence) is { } name)
            {
                names.Add(name);
            }
        }

        return names;
    }

    private static (int Tag, string Text)? Name(AsnReader reader)
    {
        var tag = reader.PeekTag();
        switch (tag.TagClass is TagClass.ContextSpecific ? tag.TagValue : -1)
        {
            case 1 or 2 or 6:
                return (tag.TagValue, reader.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            case 7:
                var bytes = reader.ReadOctetString(tag);
                return (7, bytes.Length is 4 or 16 ? new IPAddress(bytes).ToString() : Convert.ToHexStringLower(bytes));
            default:
                reader.ReadEncodedValue();
                return null;
        }
    }

    private void WriteUsages(RegoObjectBuilder members)
    {
        var usage = 0L;
        if (Find("2.5.29.15") is { } encoded)
        {
            var bits = new AsnReader(encoded, AsnEncodingRules.DER).ReadBitString(out _);
            for (var bit = 0; bit < 9 && bit / 8 < bits.Length; bit++)
            {
                usage |= (bits[bit / 8] & (0x80 >> (bit % 8))) != 0 ? 1L << bit : 0;
            }
        }

        var (known, unknown) = (new List<RegoValue>(), new List<RegoValue>());
        if (Find("2.5.29.37") is { } extended)
        {
            var sequence = new AsnReader(extended, AsnEncodingRules.DER).ReadSequence();
            while (sequence.HasData)
            {
                var oid = sequence.ReadObjectIdentifier();
                var index = Array.IndexOf(s_usages, oid);
                (index >= 0 ? known : unknown).Add(index >= 0 ? RegoNumber.Of(index) : DistinguishedName.ObjectIdentifier(oid));
            }
        }

        CertificateJson.Set(members, "KeyUsage", RegoNumber.Of(usage));
        CertificateJson.Set(members, "ExtKeyUsage", known.Count == 0 ? RegoNull.Value : RegoArray.From(known));
        CertificateJson.Set(members, "UnknownExtKeyUsage", unknown.Count == 0 ? RegoNull.Value : RegoArray.From(unknown));
    }

    private void WriteConstraints(RegoObjectBuilder members)
    {
        var (valid, authority, length) = (false, false, 0);
        if (Find("2.5.29.19") is { } encoded)
        {
            var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
            authority = sequence.HasData && sequence.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && sequence.ReadBoolean();
            length = -1;
            if (sequence.HasData && !sequence.TryReadInt32(out length))
            {
                throw new CryptographicException();
            }

            valid = true;
        }

        CertificateJson.Set(members, "BasicConstraintsValid", RegoBoolean.Of(valid));
        CertificateJson.Set(members, "IsCA", RegoBoolean.Of(authority));
        CertificateJson.Set(members, "MaxPathLen", RegoNumber.Of(length));
        CertificateJson.Set(members, "MaxPathLenZero", RegoBoolean.Of(valid && length == 0));
    }

    private byte[]? AuthorityKey()
    {
        if (Find("2.5.29.35") is not { } encoded)
        {
            return null;
        }

        var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
        var tag = new Asn1Tag(TagClass.ContextSpecific, 0);
        return sequence.HasData && sequence.PeekTag().HasSameClassAndValue(tag) ? sequence.ReadOctetString(tag) : null;
    }

    private RegoValue Access(string method)
    {
        var found = new List<RegoValue>();
        if (Find("1.3.6.1.5.5.7.1.1") is { } encoded)
        {
            var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
            while (sequence.HasData)
            {
                var description = sequence.ReadSequence();
                var wanted = description.ReadObjectIdentifier() == method;
                if (Name(description) is (6, var uri) && wanted)
                {
                    found.Add(new RegoString(uri));
                }
            }
        }

        return found.Count == 0 ? RegoNull.Value : RegoArray.From(found);
    }

    private RegoValue DistributionPoints()
    {
        var found = new List<RegoValue>();
        if (Find("2.5.29.31") is { } encoded)
        {
            var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
            var tag = new Asn1Tag(TagClass.ContextSpecific, 0);
            while (sequence.HasData)
            {
                var point = sequence.ReadSequence();
                if (!point.HasData || !point.PeekTag().HasSameClassAndValue(tag))
                {
                    continue;
                }

                var name = point.ReadSequence(tag);
                if (name.HasData && name.PeekTag().HasSameClassAndValue(tag))
                {
                    var full = name.ReadSequence(tag);
                    while (full.HasData)
                    {
                        if (Name(full) is (6, var uri))
                        {
                            found.Add(new RegoString(uri));
                        }
                    }
                }
            }
        }

        return found.Count == 0 ? RegoNull.Value : RegoArray.From(found);
    }

    private RegoValue Policies()
    {
        var found = new List<RegoValue>();
        if (Find("2.5.29.32") is { } encoded)
        {
            var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
            while (sequence.HasData)
            {
                found.Add(DistinguishedName.ObjectIdentifier(sequence.ReadSequence().ReadObjectIdentifier()));
            }
        }

        return found.Count == 0 ? RegoNull.Value : RegoArray.From(found);
    }
}
