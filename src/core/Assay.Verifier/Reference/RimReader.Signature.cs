using System.Buffers;
using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Reference;

internal ref partial struct RimReader
{
    private const int DigestSize = 48;
    private const int SignatureSize = 96;

    /// <summary>
    /// Leniency: recorded certificates are broken into lines of 64 characters, each ended by a line feed; the same is allowed of
    /// DigestValue and SignatureValue, which xmlsec breaks so. Line feeds are dropped, and no other white space is.
    /// </summary>
    private const bool AcceptLineFeedsInBase64 = true;

    private static ReadOnlySpan<byte> CanonicalXml11 => "http://www.w3.org/2006/12/xml-c14n11"u8;
    private static ReadOnlySpan<byte> EnvelopedSignature => "http://www.w3.org/2000/09/xmldsig#enveloped-signature"u8;
    private static ReadOnlySpan<byte> EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"u8;
    private static ReadOnlySpan<byte> Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384"u8;

    // W3C XML Signature Syntax and Processing 1.1 §4, cut down to the one shape that RIMs have.
    private (Digest Digest, byte[] Value, ImmutableArray<ReadOnlyMemory<byte>> Certificates) ReadSignature()
    {
        NoOtherAttributes("ds:Signature");
        OpenPlain("SignedInfo"u8, "ds:SignedInfo");
        ReadAlgorithm("CanonicalizationMethod"u8, CanonicalXml11, "ds:CanonicalizationMethod");
        ReadAlgorithm("SignatureMethod"u8, EcdsaSha384, "ds:SignatureMethod");
        var digest = ReadReference();
        Close("ds:SignedInfo", attributesRead: true);
        OpenPlain("SignatureValue"u8, "ds:SignatureValue");
        var value = ReadBase64("ds:SignatureValue", SignatureSize);
        OpenPlain("KeyInfo"u8, "ds:KeyInfo");
        OpenPlain("X509Data"u8, "ds:X509Data");
        var certificates = ReadCertificates();
        Close("ds:KeyInfo", attributesRead: true);
        Close("ds:Signature", attributesRead: true);
        return (new Digest(digest), value, certificates);
    }

    private byte[] ReadReference()
    {
        Open(XmlNamespace.XmlDsig, "Reference"u8, "ds:Reference");
        TakeExactly(XmlNamespace.None, "URI"u8, [], "ds:Reference.URI");
        NoOtherAttributes("ds:Reference");
        OpenPlain("Transforms"u8, "ds:Transforms");
        ReadAlgorithm("Transform"u8, EnvelopedSignature, "ds:Transform");
        ReadAlgorithm("Transform"u8, CanonicalXml11, "ds:Transform");
        Close("ds:Transforms", attributesRead: true);
        ReadAlgorithm("DigestMethod"u8, Sha384, "ds:DigestMethod");
        OpenPlain("DigestValue"u8, "ds:DigestValue");
        var digest = ReadBase64("ds:DigestValue", DigestSize);
        Close("ds:Reference", attributesRead: true);
        return digest;
    }

    private void OpenPlain(ReadOnlySpan<byte> local, string field)
    {
        Open(XmlNamespace.XmlDsig, local, field);
        NoOtherAttributes(field);
    }

    private void ReadAlgorithm(ReadOnlySpan<byte> local, ReadOnlySpan<byte> algorithm, string field)
    {
        Open(XmlNamespace.XmlDsig, local, field);
        TakeExactly(XmlNamespace.None, "Algorithm"u8, algorithm, $"{field}.Algorithm");
        Close(field);
    }

    private ImmutableArray<ReadOnlyMemory<byte>> ReadCertificates()
    {
        var certificates = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        while (StepToTag("ds:X509Data") is XmlNode.Start)
        {
            _taken = 0;
            Require(IsAt(XmlNamespace.XmlDsig, "X509Certificate"u8), "ds:X509Data", "another element than ds:X509Certificate");
            Require(certificates.Count < Limits.ChainCertificates, "ds:X509Data", $"more than {Limits.ChainCertificates} certificates");
            NoOtherAttributes("ds:X509Certificate");
            certificates.Add(ReadBase64("ds:X509Certificate", null));
        }

        Require(certificates.Count >= 2, "ds:X509Data", $"{certificates.Count} certificates, and a leaf and its root are the least");
        return certificates.ToImmutable();
    }

    // Text and end tag of an element whose start tag was read.
    private byte[] ReadBase64(string field, int? size)
    {
        var text = Step() is XmlNode.Text ? _xml.Text : [];
        Require(text.Length is > 0 and <= 2 * Limits.CertificateBytes, field, "empty, or too long");
        if (Fault is not null)
        {
            return [];
        }

        var line = ArrayPool<byte>.Shared.Rent(text.Length);
        var length = 0;
        foreach (var octet in text)
        {
            line[length] = octet;
            length += AcceptLineFeedsInBase64 && octet == '\n' ? 0 : 1;
        }

        var decoded = StrictBase64.TryDecode(line.AsSpan(0, length), out var bytes);
        ArrayPool<byte>.Shared.Return(line);
        Require(decoded, field, "not canonical base64");
        Require(bytes is null || size is null || bytes.Length == size, field, $"{bytes?.Length} bytes, {size} are expected");
        Require(Step() is XmlNode.End, field, "an element inside");
        return bytes ?? [];
    }
}
