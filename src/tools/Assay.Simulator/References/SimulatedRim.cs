using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// A signed RIM: a SWID tag (ISO/IEC 19770-2:2015) with the TCG RIM attributes and an enveloped XML signature
/// (c14n 1.1, ecdsa-sha384, R and S as 96 raw bytes), laid out like the recorded files.
/// </summary>
public sealed class SimulatedRim
{
    private const string SwidUri = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
    private const string TcgUri = "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/";
    private const string HashUri = "http://www.w3.org/2001/04/xmlenc#sha384";
    private const string OpaqueUri = "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html";
    private const string SignatureUri = "http://www.w3.org/2000/09/xmldsig#";
    private const string CanonicalXml = "http://www.w3.org/2006/12/xml-c14n11";
    private const string Manufacturer = "NVIDIA Corporation";
    private const string ManufacturerId = "5703";
    private const int OpaqueIndexBase = 0x1000;
    private const int CertificateColumns = 64;

    private SimulatedRim(string id, SimulatedCertificate signer, byte[] xml) => (Id, Signer, Xml) = (id, signer, xml);

    /// <summary>The id it is asked for by; also its file name without <c>.xml</c>.</summary>
    public string Id { get; }

    public SimulatedCertificate Signer { get; }

    /// <summary>The document: UTF-8, no declaration, LF, one final newline.</summary>
    public ReadOnlyMemory<byte> Xml { get; }

    /// <summary>The same RIM with one character of its signature changed.</summary>
    public SimulatedRim WithSpoiledSignature()
    {
        const string element = "<ds:SignatureValue>";
        var text = new StringBuilder(Encoding.UTF8.GetString(Xml.Span));
        var first = text.ToString().IndexOf(element, StringComparison.Ordinal) + element.Length;
        text[first] = text[first] == 'A' ? 'B' : 'A';
        return new SimulatedRim(Id, Signer, Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Signs a draft. The signer's whole chain goes into the document.</summary>
    public static SimulatedRim Sign(RimDraft draft, SimulatedCertificate signer)
    {
        ArgumentNullException.ThrowIfNull(draft);
        ArgumentNullException.ThrowIfNull(signer);

        var root = Root(draft, []);

        // Removing an enveloped signature leaves the text around it, here the line break before it.
        var digest = SHA384.HashData(Root(draft, ["\n"]).ToCanonical());
        var signedInfo = SignedInfo(digest);
        var signature = signer.SignRaw(signedInfo.ToCanonical([.. root.Namespaces, ("ds", SignatureUri)]));
        var document = Root(draft, ["\n", Signature(signedInfo, signature, signer)]).ToDocument();
        return new SimulatedRim(draft.Id, signer, Encoding.UTF8.GetBytes(document + "\n"));
    }

    private static XmlElement Root(RimDraft draft, ImmutableArray<object> ending) => new("SoftwareIdentity")
    {
        Namespaces = draft.MinimumSvns.IsEmpty
            ? [(string.Empty, SwidUri), ("ns0", SwidUri), ("ns2", HashUri)]
            : [(string.Empty, SwidUri), ("ns0", SwidUri), ("ns2", HashUri), ("ns3", OpaqueUri)],
        Attributes = Plain(
            ("corpus", "false"),
            ("name", draft.Product),
            ("patch", "false"),
            ("supplemental", "false"),
            ("tagId", Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(draft.Id)))),
            ("version", "1.0"),
            ("tagVersion", "0")),
        Content =
        [
            "\n    ",
            new XmlElement("ns0:Entity") { Attributes = Plain(("name", Manufacturer), ("role", "softwareCreator tagCreator")) },
            "\n    ",
            Meta(draft),
            "\n    ",
            Payload(draft),
            .. ending,
        ],
    };

    private static XmlElement Meta(RimDraft draft) => new("ns0:Meta")
    {
        Namespaces = [("ns1", TcgUri)],
        Attributes =
        [
            .. Plain(
                ("colloquialVersion", draft.ColloquialVersion),
                ("edition", draft.Edition),
                ("product", draft.Product),
                ("revision", "r1"),
                ("PayloadType", "direct")),
            ("ns1:BindingSpec", "RIMIM", TcgUri),
            ("ns1:BindingSpecVersion", "1.01", TcgUri),
            ("ns1:PlatformManufacturerId", ManufacturerId, TcgUri),
            ("ns1:PlatformManufacturerStr", Manufacturer, TcgUri),
            ("ns1:PlatformModel", draft.Product, TcgUri),
            ("ns1:FirmwareManufacturer", Manufacturer, TcgUri),
            ("ns1:FirmwareManufacturerId", ManufacturerId, TcgUri),
        ],
    };

    private static XmlElement Payload(RimDraft draft) => new("ns0:Payload")
    {
        Namespaces = [("SHA384", HashUri)],
        Content =
        [
            .. draft.Measurements.Select(Resource).Concat(draft.MinimumSvns.Select(Resource))
                .SelectMany(resource => new object[] { "\n        ", resource }),
            "\n    ",
        ],
    };

    private static XmlElement Resource(RimMeasurement measurement) => new("ns0:Resource")
    {
        Attributes =
        [
            .. Plain(
                ("type", "Measurement"),
                ("index", Text(measurement.Index)),
                ("active", measurement.Active ? "True" : "False"),
                ("alternatives", Text(measurement.Values.Length))),
            .. measurement.Values.Select((value, number) => ($"ns2:Hash{Text(number)}", Convert.ToHexStringLower(value.Span), HashUri)),
            .. Plain(("name", measurement.Name), ("size", Text(Measurements.Size))),
        ],
    };

    private static XmlElement Resource(RimMinimumSvn minimum) => new("ns0:Resource")
    {
        Attributes =
        [
            .. Plain(("type", "Measurement"), ("index", Text(OpaqueIndexBase + minimum.FieldId)), ("active", "True"), ("alternatives", "1")),
            ("ns3:minSvn", minimum.Minimum.ToString(CultureInfo.InvariantCulture), OpaqueUri),
            ("ns3:includeInResult", minimum.IncludeInResult ? "True" : "False", OpaqueUri),
            .. Plain(("name", minimum.Name), ("size", Text(sizeof(ushort)))),
        ],
    };

    private static XmlElement SignedInfo(byte[] digest) => Signed(
        "SignedInfo",
        Algorithm("CanonicalizationMethod", CanonicalXml),
        Algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"),
        Signed(
            "Reference",
            Signed(
                "Transforms",
                Algorithm("Transform", SignatureUri + "enveloped-signature"),
                Algorithm("Transform", CanonicalXml)),
            Algorithm("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#sha384"),
            Signed("DigestValue", Convert.ToBase64String(digest))) with
        { Attributes = Plain(("URI", string.Empty)) });

    private static XmlElement Signature(XmlElement signedInfo, byte[] signature, SimulatedCertificate signer) => Signed(
        "Signature",
        signedInfo,
        Signed("SignatureValue", Convert.ToBase64String(signature)),
        Signed("KeyInfo", Signed("X509Data", [.. signer.Chain.Select(certificate => Signed("X509Certificate", Lines(certificate)))])))
        with
    { Namespaces = [("ds", SignatureUri)] };

    private static XmlElement Signed(string name, params ImmutableArray<object> content) => new($"ds:{name}") { Content = content };

    private static XmlElement Algorithm(string name, string uri) => new($"ds:{name}") { Attributes = Plain(("Algorithm", uri)) };

    private static ImmutableArray<(string Name, string Value, string Uri)> Plain(params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        var plain = ImmutableArray.CreateBuilder<(string, string, string)>(attributes.Length);
        foreach (var (name, value) in attributes)
        {
            plain.Add((name, value, string.Empty));
        }

        return plain.MoveToImmutable();
    }

    /// <summary>Base64 in lines of 64, each ended by LF, as in the recorded files.</summary>
    private static string Lines(SimulatedCertificate certificate) => string.Concat(
        Convert.ToBase64String(certificate.Der.Span).Chunk(CertificateColumns).Select(line => new string(line) + "\n"));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
