using System.Text;
using Assay.Reference;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Reference;

public class HostileRimTests
{
    private const string Resource7 = "<ns0:Resource type=\"Measurement\" index=\"7\"";
    private const string Signature = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">";
    private const string DsNamespace = "http://www.w3.org/2000/09/xmldsig#";

    // What is replaced, by what, and how the fault begins or what it contains.
    private static readonly Dictionary<string, (string Old, string New, string Fault)> s_cases = new(StringComparer.Ordinal)
    {
        ["byte order mark"] = ("<SoftwareIdentity ", "\uFEFF<SoftwareIdentity ", "byte order mark"),
        ["XML declaration"] = ("<SoftwareIdentity ", "<?xml version=\"1.0\"?><SoftwareIdentity ", "XML declarations"),
        ["document type"] = ("<SoftwareIdentity ", "<!DOCTYPE x [<!ENTITY a \"b\">]><SoftwareIdentity ", "document types"),
        ["white space before the root"] = ("<SoftwareIdentity ", "\n<SoftwareIdentity ", "content before the root"),
        ["comment"] = ("    <ns0:Entity", "<!-- --><ns0:Entity", "comments"),
        ["comment in DigestValue"] = ("<ds:DigestValue>", "<ds:DigestValue><!-- -->", "comments"),
        ["CDATA"] = ("    <ns0:Entity", "<![CDATA[ ]]><ns0:Entity", "CDATA"),
        ["processing instruction"] = ("    <ns0:Entity", "<?a b?><ns0:Entity", "processing instructions"),
        ["general entity"] = ("name=\"NVIDIA Corporation\"", "name=\"&a;\"", "reference to another entity"),
        ["character reference"] = ("name=\"NVIDIA Corporation\"", "name=\"NVIDIA&#x20;Corporation\"", "character reference"),
        ["reference in text"] = ("    <ns0:Entity", "&lt;<ns0:Entity", "references"),
        ["carriage return"] = ("\n    <ns0:Entity", "\r\n    <ns0:Entity", "control character 0D"),
        ["null octet"] = ("NVIDIA Corporation", "NVIDIA\0Corporation", "control character 00"),
        ["noncharacter"] = ("NVIDIA Corporation", "NVIDIA\uFFFFCorporation", "code point"),
        ["xml: attribute"] = ("corpus=\"false\"", "xml:lang=\"en\" corpus=\"false\"", "prefix that is not declared"),
        ["xml prefix declared"] = ("corpus=\"false\"", "xmlns:xml=\"http://www.w3.org/XML/1998/namespace\" corpus=\"false\"", "reserved prefix"),
        ["undeclared prefix"] = ("corpus=\"false\"", "a:corpus=\"false\"", "prefix that is not declared"),
        ["unknown namespace"] = ("corpus=\"false\"", "xmlns:a=\"urn:a\" corpus=\"false\"", "namespace that no RIM has"),
        ["default namespace taken back"] = ("<ns0:Entity", "<ns0:Entity xmlns=\"\"", "namespace that no RIM has"),
        ["prefix declared twice"] = ("<ns0:Entity", "<ns0:Entity xmlns:a=\"" + DsNamespace + "\" xmlns:a=\"" + DsNamespace + "\"", "declares a prefix twice"),
        ["attribute twice"] = ("corpus=\"false\"", "corpus=\"false\" corpus=\"false\"", "a duplicate attribute"),
        ["attribute twice by two prefixes"] = ("ns2:Hash0=", "SHA384:Hash0=\"00\" ns2:Hash0=", "a duplicate attribute"),
        ["no space between attributes"] = ("corpus=\"false\" name", "corpus=\"false\"name", "white space"),
        ["space around equals"] = ("corpus=\"false\"", "corpus = \"false\"", "an equals sign"),
        ["unquoted value"] = ("corpus=\"false\"", "corpus=false", "an equals sign"),
        ["less-than in a value"] = ("corpus=\"false\"", "corpus=\"<\"", "contains '<'"),
        ["wrong end tag"] = ("</ns0:Payload>", "</ns0:Meta>", "an end tag"),
        ["end tag by another prefix"] = ("</ns0:Payload>", "</Payload>", "an end tag"),
        ["content after the root"] = ("</SoftwareIdentity>", "</SoftwareIdentity><a/>", "content after the root"),
        ["another root"] = ("<SoftwareIdentity ", "<Other ", "SoftwareIdentity: expected here, Other is found"),
        ["root outside the namespace"] = ("xmlns=\"http://standards", "xmlns:a=\"http://standards", "SoftwareIdentity: expected here"),
        ["patch tag"] = ("patch=\"false\"", "patch=\"true\"", "SoftwareIdentity.patch"),
        ["unknown attribute"] = ("corpus=\"false\"", "corpus=\"false\" Id=\"a\"", "SoftwareIdentity: an attribute that is not known"),
        ["namespaced twin of an attribute"] = ("corpus=\"false\"", "ns0:corpus=\"false\" corpus=\"false\"", "SoftwareIdentity: an attribute that is not known"),
        ["Meta before Entity"] = ("<ns0:Entity ", "<ns0:Meta ", "Entity: expected here, Meta is found"),
        ["two Entities"] = ("<ns0:Entity name=\"NVIDIA Corporation\" role=\"softwareCreator tagCreator\"/>", "<ns0:Entity name=\"a\" role=\"b\"/><ns0:Entity name=\"a\" role=\"b\"/>", "Meta: expected here, Entity is found"),
        ["element inside Entity"] = ("role=\"softwareCreator tagCreator\"/>", "role=\"softwareCreator tagCreator\"><ns0:Meta/></ns0:Entity>", "Entity: an element too many"),
        ["text between elements"] = ("\n    <ns0:Entity", "\n  a <ns0:Entity", "Entity: character data"),
        ["two Payloads"] = ("</ns0:Payload>", "</ns0:Payload><ns0:Payload/>", "ds:Signature: expected here, Payload is found"),
        ["indirect payload"] = ("PayloadType=\"direct\"", "PayloadType=\"indirect\"", "Meta.PayloadType"),
        ["manufacturer not a number"] = ("FirmwareManufacturerId=\"5703\"", "FirmwareManufacturerId=\"05703\"", "Meta.FirmwareManufacturerId"),
        ["manufacturer missing"] = (" ns1:FirmwareManufacturerId=\"5703\"", "", "Meta.FirmwareManufacturerId: missing"),
        ["index with leading zero"] = (Resource7, Resource7.Replace("\"7\"", "\"07\"", StringComparison.Ordinal), "Resource.index: not a canonical"),
        ["negative index"] = (Resource7, Resource7.Replace("\"7\"", "\"-7\"", StringComparison.Ordinal), "Resource.index: not a canonical"),
        ["duplicate index"] = (Resource7, Resource7.Replace("\"7\"", "\"6\"", StringComparison.Ordinal), "Resource.index: appears twice in one RIM"),
        ["index between blocks and opaque data"] = (Resource7, Resource7.Replace("\"7\"", "\"255\"", StringComparison.Ordinal), "Resource.index: 255 names neither"),
        ["index beyond opaque data"] = (Resource7, Resource7.Replace("\"7\"", "\"69632\"", StringComparison.Ordinal), "Resource.index: 69632 is beyond"),
        ["active in lower case"] = ("active=\"True\"", "active=\"true\"", "Resource.active"),
        ["alternatives too few"] = ("active=\"True\" alternatives=\"1\"", "active=\"True\" alternatives=\"2\"", "Resource.Hash: missing"),
        ["alternatives too many"] = ("active=\"True\" alternatives=\"1\"", "active=\"True\" alternatives=\"1\" ns2:Hash1=\"00\"", "Resource: an attribute that is not known"),
        ["alternatives zero"] = ("active=\"True\" alternatives=\"1\"", "active=\"True\" alternatives=\"0\"", "Resource.alternatives: 0"),
        ["alternatives beyond the limit"] = ("active=\"True\" alternatives=\"1\"", "active=\"True\" alternatives=\"65\"", "Resource.alternatives: 65"),
        ["hash without namespace"] = ("ns2:Hash0", "Hash0", "Resource.Hash: missing"),
        ["hash not hexadecimal"] = ("4a5e4b3d", "4a5e4b3g", "Resource.Hash: not hexadecimal"),
        ["hash too short"] = ("4a5e4b3d", "4a5e4b3", "Resource.Hash: 95 hexadecimal digits"),
        ["size disagrees"] = ("name=\"Measurement_7\" size=\"48\"", "name=\"Measurement_7\" size=\"32\"", "Resource.Hash: 96 hexadecimal digits"),
        ["other resource type"] = (Resource7, Resource7.Replace("Measurement", "Other", StringComparison.Ordinal), "Resource.type"),
        ["signature missing"] = (Signature, "<ns0:Payload xmlns:ds=\"" + DsNamespace + "\">", "ds:Signature: expected here"),
        ["signature in no namespace of its own"] = ("xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", "xmlns:ds=\"http://www.w3.org/2001/04/xmlenc#sha384\"", "ds:Signature: expected here"),
        ["signature with Id"] = (Signature, Signature.Replace("<ds:Signature ", "<ds:Signature Id=\"a\" ", StringComparison.Ordinal), "ds:Signature: an attribute"),
        ["two References"] = ("<ds:Reference URI=\"\">", "<ds:Reference URI=\"\"></ds:Reference><ds:Reference URI=\"\">", "ds:Transforms: missing"),
        ["second Reference after the first"] = ("</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"/>", "ds:SignedInfo: an element too many"),
        ["Reference to a part"] = ("URI=\"\"", "URI=\"#a\"", "ds:Reference.URI"),
        ["Reference without URI"] = (" URI=\"\"", "", "ds:Reference.URI: missing"),
        ["third transform"] = ("</ds:Transforms>", "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/></ds:Transforms>", "ds:Transforms: an element too many"),
        ["first transform missing"] = ("<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>", "", "ds:Transform.Algorithm"),
        ["XPath inside a transform"] = ("enveloped-signature\"/>", "enveloped-signature\"><ds:XPath>a</ds:XPath></ds:Transform>", "ds:Transform: an element too many"),
        ["HMAC"] = ("xmldsig-more#ecdsa-sha384", "xmldsig-more#hmac-sha384", "ds:SignatureMethod.Algorithm"),
        ["HMAC output length"] = ("ecdsa-sha384\"/>", "ecdsa-sha384\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>", "ds:SignatureMethod: an element too many"),
        ["weaker signature hash"] = ("xmldsig-more#ecdsa-sha384", "xmldsig-more#ecdsa-sha1", "ds:SignatureMethod.Algorithm"),
        ["weaker digest"] = ("http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2000/09/xmldsig#sha1", "ds:DigestMethod.Algorithm"),
        ["exclusive canonicalisation"] = ("http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2001/10/xml-exc-c14n#", "ds:CanonicalizationMethod.Algorithm"),
        ["canonicalisation with comments"] = ("http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2006/12/xml-c14n11#WithComments", "ds:CanonicalizationMethod.Algorithm"),
        ["digest too short"] = ("<ds:DigestValue>BqNo", "<ds:DigestValue>", "ds:DigestValue: 45 bytes"),
        ["digest not canonical base64"] = ("BqNofyPE", "BqNo yPE", "ds:DigestValue: not canonical"),
        ["digest empty"] = ("<ds:DigestValue>", "<ds:DigestValue></ds:DigestValue><ds:DigestValue>", "ds:DigestValue: empty"),
        ["object beside the signature"] = ("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>", "ds:Signature: an element too many"),
        ["key value instead of certificates"] = ("<ds:X509Data>", "<ds:KeyValue/><ds:X509Data>", "ds:X509Data: expected here, KeyValue is found"),
        ["key name beside certificates"] = ("</ds:X509Data>", "</ds:X509Data><ds:KeyName/>", "ds:KeyInfo: an element too many"),
        ["CRL among the certificates"] = ("</ds:X509Data>", "<ds:X509CRL/></ds:X509Data>", "ds:X509Data: another element"),
        ["element after the signature"] = ("</ds:Signature>", "</ds:Signature><ns0:Payload/>", "SoftwareIdentity: an element too many"),
        ["two Signatures"] = ("</ds:Signature>", "</ds:Signature>" + Signature + "</ds:Signature>", "SoftwareIdentity: an element too many"),
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_hostile_RIM_is_refused_for_its_defect(string name)
    {
        var (old, replacement, fault) = s_cases[name];

        Assert.Contains(fault, RimText.Outcome(RimText.Driver.With(old, replacement)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_signature_that_moved_is_refused()
    {
        var text = RimText.Driver;
        var (start, end) = (text.IndexOf("<ds:Signature ", StringComparison.Ordinal), text.IndexOf("</ds:Signature>", StringComparison.Ordinal) + "</ds:Signature>".Length);
        var signature = text[start..end];
        var without = text.Remove(start, signature.Length);

        Assert.StartsWith("ds:Signature: missing", RimText.Outcome(without), StringComparison.Ordinal);
        Assert.StartsWith("Entity: expected here", RimText.Outcome(without.With("    <ns0:Entity", signature + "<ns0:Entity")), StringComparison.Ordinal);
        Assert.StartsWith("Resource: another element", RimText.Outcome(without.With("</ns0:Payload>", signature + "</ns0:Payload>")), StringComparison.Ordinal);
        Assert.StartsWith("ds:Signature: missing", RimText.Outcome(without.With("</SoftwareIdentity>", "</SoftwareIdentity>" + signature)), StringComparison.Ordinal);
        Assert.StartsWith("ds:SignedInfo: expected here", RimText.Outcome(text.With("<ds:SignedInfo>", signature + "<ds:SignedInfo>")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrapped_RIM_is_refused()
    {
        var original = RimText.Driver.TrimEnd('\n');
        var wrapped = original.With("</ns0:Payload>", original + "</ns0:Payload>");

        Assert.StartsWith("Resource: another element", RimText.Outcome(wrapped), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void Too_few_and_too_many_certificates_are_refused(int count)
    {
        var text = RimText.Driver;
        var (start, end) = (text.IndexOf("<ds:X509Certificate>", StringComparison.Ordinal), text.IndexOf("</ds:X509Data>", StringComparison.Ordinal));
        var one = text[start..(text.IndexOf("</ds:X509Certificate>", StringComparison.Ordinal) + "</ds:X509Certificate>".Length)];

        Assert.StartsWith("ds:X509Data:", RimText.Outcome(text[..start] + string.Concat(Enumerable.Repeat(one, count)) + text[end..]), StringComparison.Ordinal);
    }

    [Fact]
    public void The_key_of_another_certificate_than_the_first_does_not_count()
    {
        var text = RimText.Driver;
        var certificates = text.Split("<ds:X509Certificate>");
        Assert.Equal(5, certificates.Length);
        var swapped = string.Join("<ds:X509Certificate>", certificates[0], certificates[2], certificates[1], certificates[3], certificates[4]);

        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(swapped)), TrustSet.Nvidia, new VerifierCache());

        Assert.Null(outcome.Rim);
        Assert.NotNull(outcome.ChainFault);
        Assert.StartsWith("ds:SignatureValue does not verify under the key of certificate 0", outcome.SignatureFault, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unreadable_certificate_is_a_fault_of_the_chain_and_not_an_exception()
    {
        var text = RimText.Driver.With("<ds:X509Certificate>MIIC", "<ds:X509Certificate>MIID");
        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(text)), TrustSet.Nvidia, new VerifierCache());

        Assert.StartsWith("certificate 0 is unreadable", outcome.ChainFault, StringComparison.Ordinal);
        Assert.Contains("no key", outcome.SignatureFault, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_proper_prefix_of_the_document_is_refused()
    {
        var bytes = Recorded.Bytes(RimText.DriverFile);
        var whole = bytes.AsSpan().TrimEnd((byte)'\n').Length;
        for (var length = 0; length < whole; length++)
        {
            Assert.False(RimDocument.TryParse(bytes.AsSpan(0, length), out _, out var fault), $"{length} bytes are read");
            Assert.NotNull(fault);
        }

        Assert.True(RimDocument.TryParse(bytes.AsSpan(0, whole), out _, out _));
    }

    [Fact]
    public void Depth_attributes_elements_values_and_size_are_bounded()
    {
        var text = RimText.Driver;
        var deep = string.Concat(Enumerable.Repeat("<ns0:Meta>", 100_000));
        var wide = string.Concat(Enumerable.Range(0, 100_000).Select(number => $" a{number}=\"\""));
        var declared = string.Concat(Enumerable.Range(0, 65).Select(number => $" xmlns:a{number}=\"{DsNamespace}\""));

        Assert.StartsWith("Entity", RimText.Outcome(text.With("    <ns0:Entity", deep)), StringComparison.Ordinal);
        Assert.Contains("more than 64 attributes", RimText.Outcome(text.With(" corpus=", wide + " corpus=")), StringComparison.Ordinal);
        Assert.Contains("more than 64 namespace", RimText.Outcome(text.With("<ns0:Entity", "<ns0:Entity" + string.Concat(Enumerable.Range(0, 62).Select(number => $" xmlns:a{number}=\"{DsNamespace}\"")))), StringComparison.Ordinal);
        Assert.Contains("more than 64", RimText.Outcome(text.With("<ns0:Entity", "<ns0:Entity" + declared)), StringComparison.Ordinal);
        Assert.Contains("longer than 4096", RimText.Outcome(text.With("corpus=\"", "corpus=\"" + new string('a', 5000))), StringComparison.Ordinal);
        Assert.Contains("at most 1048576 are read", RimText.Outcome(text + new string('\n', Limits.RimBytes)), StringComparison.Ordinal);
        Assert.StartsWith("ds:SignedInfo", RimText.Outcome(text.With("<ds:SignedInfo>", "<ds:SignedInfo>" + new string(' ', 70_000))), StringComparison.Ordinal);
    }

    [Fact]
    public void Octets_that_are_not_UTF8_are_refused()
    {
        var bytes = Recorded.Bytes(RimText.DriverFile);
        var place = bytes.AsSpan().IndexOf("NVIDIA Corporation"u8);
        foreach (byte[] octets in new byte[][] { [0x80, 0x20], [0xC0, 0x80], [0xC3, 0x20], [0xFF, 0xFE] })
        {
            octets.CopyTo(bytes, place);
            Assert.False(RimDocument.TryParse(bytes, out _, out var fault));
            Assert.Equal("XML", fault.Field);
        }
    }

    [Fact]
    public void Nothing_but_octets_of_chance_is_refused_without_an_exception()
    {
        Assert.False(RimDocument.TryParse([], out _, out _));
        foreach (var text in new[] { "<", "</", "<a", "<a ", "<a b", "<a b=", "<a b=\"", "<a/", "<a/>", "<a>", "<a></a", "<a></a>", "<:a/>", "<a:/>", "<a:b:c/>", "<1/>", "<xmlns:a/>", ">", "&", "]]>" })
        {
            Assert.NotEqual("read", RimText.Outcome(text));
        }
    }
}
