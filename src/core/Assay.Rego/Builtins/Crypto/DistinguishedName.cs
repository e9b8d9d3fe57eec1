using System.Formats.Asn1;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>An X.501 name as Go's pkix.Name in JSON.</summary>
internal static class DistinguishedName
{
    private static readonly (string Oid, string Name)[] s_lists =
    [
        ("2.5.4.6", "Country"), ("2.5.4.10", "Organization"), ("2.5.4.11", "OrganizationalUnit"), ("2.5.4.7", "Locality"),
        ("2.5.4.8", "Province"), ("2.5.4.9", "StreetAddress"), ("2.5.4.17", "PostalCode"),
    ];

    public static RegoObject Write(ReadOnlyMemory<byte> encoded)
    {
        var attributes = Read(encoded);
        var members = new RegoObjectBuilder();
        foreach (var (oid, name) in s_lists)
        {
            var values = attributes.Where(attribute => attribute.Oid == oid).Select(attribute => (RegoValue)new RegoString(attribute.Value)).ToArray();
            CertificateJson.Set(members, name, values.Length == 0 ? RegoNull.Value : RegoArray.Over(values));
        }

        CertificateJson.Set(members, "CommonName", Last(attributes, "2.5.4.3"));
        CertificateJson.Set(members, "SerialNumber", Last(attributes, "2.5.4.5"));
        CertificateJson.Set(members, "Names", RegoArray.From(attributes.Select(attribute => RegoObject.Of(("Type", ObjectIdentifier(attribute.Oid)), ("Value", new RegoString(attribute.Value))))));
        CertificateJson.Set(members, "ExtraNames", RegoNull.Value);
        return members.Build();
    }

    /// <summary>An object identifier as the list of its numbers.</summary>
    public static RegoArray ObjectIdentifier(string oid) =>
        RegoArray.From(oid.Split('.').Select(arc => RegoNumber.TryParse(arc, out var number) ? number : RegoNumber.Zero));

    private static RegoString Last(List<(string Oid, string Value)> attributes, string oid) => new(attributes.FindLast(attribute => attribute.Oid == oid).Value ?? "");

    private static List<(string Oid, string Value)> Read(ReadOnlyMemory<byte> encoded)
    {
        var attributes = new List<(string, string)>();
        var sequence = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence();
        while (sequence.HasData)
        {
            var set = sequence.ReadSetOf(skipSortOrderValidation: true);
            while (set.HasData)
            {
                var attribute = set.ReadSequence();
                attributes.Add((attribute.ReadObjectIdentifier(), Value(attribute)));
            }
        }

        return attributes;
    }

    private static string Value(AsnReader reader)
    {
        var tag = reader.PeekTag();
        if (tag.TagClass is TagClass.Universal && (UniversalTagNumber)tag.TagValue is UniversalTagNumber.PrintableString or UniversalTagNumber.UTF8String
            or UniversalTagNumber.IA5String or UniversalTagNumber.BMPString or UniversalTagNumber.T61String or UniversalTagNumber.NumericString)
        {
            return RegoJson.WellFormed(reader.ReadCharacterString((UniversalTagNumber)tag.TagValue));
        }

        return "#" + Convert.ToHexStringLower(reader.ReadEncodedValue().Span);
    }
}
