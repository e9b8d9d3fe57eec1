using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Tests.Reference;

/// <summary>
/// xmlsec signs RIMs in the oddest spelling that the reader allows, under roots made here. Only what both canonicalise alike verifies.
/// </summary>
public class CanonicalFormTests
{
    private const string Ds = "http://www.w3.org/2000/09/xmldsig#";
    private const string Opaque = "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html";
    private const string HashSpace = "http://www.w3.org/2001/04/xmlenc#sha384";
    private const string Swid = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
    private const string Floor = "<ns0:Resource index=\"4133\" active=\"True\" minSvn=\"5\" name=\"A\"/>";

    private static readonly Dictionary<string, Func<string, string>> s_spellings = new(StringComparer.Ordinal)
    {
        ["as recorded"] = text => text,
        ["values to be escaped"] = text => text.With("name=\"NVIDIA Corporation\"", "name='a &amp; b &lt; c > d &gt; \" &quot; &apos; é 漢 𐍈'"),
        ["values to be normalised"] = text => text.With("name=\"NVIDIA Corporation\"", "name=\" NVIDIA\t\nCorporation \""),
        ["attributes out of order"] = text => text.With("corpus=\"false\" name=\"GH100\" patch=\"false\"", "patch=\"false\" name=\"GH100\" \n corpus=\"false\""),
        ["prefixes against the order of their namespaces"] = text => text.With("xmlns:ns2=", $"xmlns:a=\"{Opaque}\" xmlns:z=\"{HashSpace}\" xmlns:ns2=")
            .With("</ns0:Payload>", Floor.With("minSvn", "a:minSvn").With(" name", " a:includeInResult=\"true\" name") + "</ns0:Payload>").With("ns2:Hash0", "z:Hash0"),
        ["superfluous declarations"] = text => text.With("<ns0:Entity", $"<ns0:Entity xmlns:ns2=\"{HashSpace}\" xmlns=\"{Swid}\" xmlns:z=\"{Ds}\""),
        ["prefix bound anew"] = text => text.With("<ns0:Entity", $"<ns2:Entity xmlns:ns2=\"{Swid}\" xmlns:ns0=\"{Ds}\""),
        ["default namespace changes"] = text => text.With("<ns0:Payload", $"<ns0:Payload xmlns=\"{Ds}\"").With("<ns0:Resource", $"<Resource xmlns=\"{Swid}\""),
        ["signature in the default namespace"] = text => Regex.Replace(text, "(</?)ds:", "$1").With("<Signature xmlns:ds=", "<Signature xmlns="),
        ["prefix bound anew on the signature"] = text => text.With("<ds:Signature ", $"<ds:Signature xmlns:ns2=\"{Opaque}\" xmlns:b=\"{Ds}\" "),
        ["declarations inside SignedInfo"] = text => text.With("<ds:SignedInfo>", $"<ds:SignedInfo xmlns:c=\"{HashSpace}\" xmlns:ns2=\"{Opaque}\">").With("<ds:Transforms>", $"<ds:Transforms xmlns:c=\"{HashSpace}\" xmlns:d=\"{Ds}\">"),
        ["white space inside SignedInfo"] = text => text.With("<ds:SignedInfo>", "<ds:SignedInfo>\n\t").With("<ds:Reference ", "\n  <ds:Reference  ").With("<ds:Transforms>", "<ds:Transforms >\n"),
        ["white space around the signature"] = text => text.With("<ds:Signature ", "\n \t<ds:Signature ").With("</SoftwareIdentity>", "\n\n</SoftwareIdentity>\n\n"),
        ["pairs for empty elements"] = text => text.With("tagCreator\"/>", "tagCreator\"  >\n </ns0:Entity>"),
    };

    public static TheoryData<string> Spellings => [.. s_spellings.Keys];

    [Theory]
    [MemberData(nameof(Spellings))]
    public void What_xmlsec_signs_we_believe(string spelling)
    {
        var xmlsec = Peer.Require("xmlsec1");
        var (trust, key, keyInfo) = MakeSigner();
        var template = s_spellings[spelling](Unsigned());
        var (digest, value) = Sign(xmlsec, key, template);
        var text = Regex.Replace(template, "<(ds:)?DigestValue>", "${0}" + digest);
        text = Regex.Replace(text, "<(ds:)?SignatureValue>", "${0}" + value);
        text = Regex.Replace(text, "(</(ds:)?SignatureValue>)", match => match.Value + (match.Groups[2].Success ? keyInfo : keyInfo.Replace("ds:", "", StringComparison.Ordinal)));

        var outcome = AuthenticRim.Authenticate(RecordedRimTests.Parse(Encoding.UTF8.GetBytes(text)), trust, new VerifierCache());

        Assert.Null(outcome.SignatureFault);
        Assert.Null(outcome.ChainFault);
        Assert.NotNull(outcome.Rim);
    }

    [Fact]
    public void Namespaces_are_numbered_in_the_order_of_their_octets()
    {
        for (var space = 1; space < XmlNamespaces.Count; space++)
        {
            Assert.True(XmlNamespaces.NameOf((XmlNamespace)(space - 1)).SequenceCompareTo(XmlNamespaces.NameOf((XmlNamespace)space)) < 0);
            Assert.Equal((XmlNamespace)space, XmlNamespaces.Find(XmlNamespaces.NameOf((XmlNamespace)space)));
        }
    }

    // The recorded driver RIM without digest, value and key.
    private static string Unsigned()
    {
        var text = Regex.Replace(RimText.Driver, "<ds:KeyInfo>.*</ds:KeyInfo>", "", RegexOptions.Singleline);
        text = Regex.Replace(text, "<ds:DigestValue>[^<]*", "<ds:DigestValue>");
        return Regex.Replace(text, "<ds:SignatureValue>[^<]*", "<ds:SignatureValue>");
    }

    // xmlsec writes the document in a spelling of its own; only the digest and the value are taken from there.
    private static (string Digest, string Value) Sign(Peer xmlsec, ECDsa key, string template)
    {
        var folder = Directory.CreateTempSubdirectory("assay-");
        try
        {
            var (keyFile, file, signed) = (Path.Combine(folder.FullName, "key.pem"), Path.Combine(folder.FullName, "rim.xml"), Path.Combine(folder.FullName, "signed.xml"));
            File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
            File.WriteAllText(file, template);
            var (exitCode, output) = xmlsec.Run("--sign", "--privkey-pem", keyFile, "--output", signed, file);
            Assert.True(exitCode == 0, output);
            var text = File.ReadAllText(signed);
            return (Regex.Match(text, "DigestValue>([^<]*)</").Groups[1].Value, Regex.Match(text, "SignatureValue>([^<]*)</").Groups[1].Value);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (TrustSet Trust, ECDsa LeafKey, string KeyInfo) MakeSigner()
    {
        using var root = MakeRoot("CN=RIM root");
        using var device = MakeRoot("CN=device root");
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest("CN=RIM signer", key, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        using var leaf = request.Create(root, root.NotBefore, root.NotAfter, [0x01, 0x02]);
        var json = JsonSerializer.SerializeToUtf8Bytes(new
        {
            version = 1,
            kind = "custom",
            name = "test",
            device = new[] { device.ExportCertificatePem() },
            rim = new[] { root.ExportCertificatePem() },
        });
        Assert.True(TrustSet.TryParse(json, out var trust, out var fault), fault?.ToString());
        var certificates = string.Concat(new[] { leaf, root }.Select(one => $"<ds:X509Certificate>{Convert.ToBase64String(one.RawData)}</ds:X509Certificate>"));
        return (trust, key, $"<ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo>");
    }

    private static X509Certificate2 MakeRoot(string name)
    {
        var request = new CertificateRequest(name, ECDsa.Create(ECCurve.NamedCurves.nistP384), HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request.CreateSelfSigned(new DateTimeOffset(2024, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2044, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }
}
