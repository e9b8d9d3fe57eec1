using System.Formats.Asn1;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>Certificates and requests as the JSON of Go's x509.Certificate: its member names, byte fields in base64, absent lists null.</summary>
internal static class CertificateJson
{
    private static readonly string[] s_signatures =
    [
        "", "1.2.840.113549.1.1.2", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13",
        "1.2.840.10040.4.3", "2.16.840.1.101.3.4.3.2", "1.2.840.10045.4.1", "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4",
    ];

    private const int PssSha256 = 13;
    private const int Ed25519 = 16;

    /// <summary>The elements of DER sequences that follow one another; what is left over at the end is given as it is, to be refused later.</summary>
    public static IEnumerable<byte[]> SplitSequence(byte[] der)
    {
        var at = 0;
        while (at < der.Length)
        {
            var length = ElementLength(der.AsSpan(at));
            yield return der[at..(at + length)];
            at += length;
        }

        if (der.Length == 0)
        {
            yield return der;
        }
    }

    /// <summary>The certificate, or null where its inside is not DER.</summary>
    public static RegoObject? TryWrite(X509Certificate2 certificate)
    {
        try
        {
            return Write(certificate);
        }
        catch (Exception refused) when (refused is AsnContentException or CryptographicException)
        {
            // The framework's readers refuse by throwing; it ends here.
            return null;
        }
    }

    /// <summary>A certificate request (RFC 2986), or null when it is not one.</summary>
    public static RegoObject? TryWriteRequest(byte[] der)
    {
        try
        {
            var outer = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
            var encodedBody = outer.PeekEncodedValue();
            var body = outer.ReadSequence();
            var algorithm = outer.ReadSequence().ReadObjectIdentifier();
            var signature = outer.ReadBitString(out _);
            body.TryReadInt32(out var version);
            var encodedSubject = body.ReadEncodedValue();
            var encodedKey = body.ReadEncodedValue();
            var extensions = CertificateExtensions.FromRequest(body);
            var members = new RegoObjectBuilder();
            Set(members, "Raw", Base64(der));
            Set(members, "RawTBSCertificateRequest", Base64(encodedBody.Span));
            Set(members, "RawSubjectPublicKeyInfo", Base64(encodedKey.Span));
            Set(members, "RawSubject", Base64(encodedSubject.Span));
            Set(members, "Version", RegoNumber.Of(version));
            Set(members, "Signature", Base64(signature));
            Set(members, "SignatureAlgorithm", RegoNumber.Of(SignatureNumber(algorithm)));
            SetKey(members, encodedKey);
            Set(members, "Subject", DistinguishedName.Write(encodedSubject));
            Set(members, "Attributes", RegoNull.Value);
            extensions.WriteCommon(members);
            return members.Build();
        }
        catch (Exception refused) when (refused is AsnContentException or CryptographicException)
        {
            // The framework's readers refuse by throwing; it ends here.
            return null;
        }
    }

    public static void Set(RegoObjectBuilder members, string name, RegoValue value) => members[new RegoString(name)] = value;

    public static RegoString Base64(ReadOnlySpan<byte> bytes) => new(Convert.ToBase64String(bytes));

    private static int ElementLength(ReadOnlySpan<byte> der) =>
        AsnDecoder.TryReadEncodedValue(der, AsnEncodingRules.DER, out _, out _, out _, out var consumed) ? consumed : der.Length;

    private static RegoObject Write(X509Certificate2 certificate)
    {
        var outer = new AsnReader(certificate.RawDataMemory, AsnEncodingRules.DER).ReadSequence();
        var encodedBody = outer.PeekEncodedValue();
        var body = outer.ReadSequence();
        outer.ReadEncodedValue();
        var signature = outer.ReadBitString(out _);
        var version = 1;
        if (body.PeekTag().HasSameClassAndValue(new Asn1Tag(TagClass.ContextSpecific, 0)))
        {
            body.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0)).TryReadInt32(out version);
            version++;
        }

        var serial = body.ReadInteger();
        body.ReadEncodedValue();
        var issuer = body.ReadEncodedValue();
        body.ReadEncodedValue();
        var subject = body.ReadEncodedValue();
        var key = body.ReadEncodedValue();
        var members = new RegoObjectBuilder();
        Set(members, "Raw", Base64(certificate.RawDataMemory.Span));
        Set(members, "RawTBSCertificate", Base64(encodedBody.Span));
        Set(members, "RawSubjectPublicKeyInfo", Base64(key.Span));
        Set(members, "RawSubject", Base64(subject.Span));
        Set(members, "RawIssuer", Base64(issuer.Span));
        Set(members, "Signature", Base64(signature));
        Set(members, "SignatureAlgorithm", RegoNumber.Of(SignatureNumber(certificate.SignatureAlgorithm.Value)));
        SetKey(members, key);
        Set(members, "Version", RegoNumber.Of(version));
        Set(members, "SerialNumber", RegoNumber.Of(serial));
        Set(members, "Issuer", DistinguishedName.Write(issuer));
        Set(members, "Subject", DistinguishedName.Write(subject));
        Set(members, "NotBefore", Time(certificate.NotBefore));
        Set(members, "NotAfter", Time(certificate.NotAfter));
        var extensions = CertificateExtensions.FromCertificate(certificate);
        extensions.WriteCommon(members);
        extensions.WriteCertificate(members);
        return members.Build();
    }

    private static RegoString Time(DateTime local) =>
        new(local.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));

    private static int SignatureNumber(string? oid) => oid switch
    {
        "1.2.840.113549.1.1.10" => PssSha256,
        "1.3.101.112" => Ed25519,
        _ => Math.Max(Array.IndexOf(s_signatures, oid), 0),
    };

    private static void SetKey(RegoObjectBuilder members, ReadOnlyMemory<byte> encoded)
    {
        var (number, key) = ReadKey(encoded);
        Set(members, "PublicKeyAlgorithm", RegoNumber.Of(number));
        Set(members, "PublicKey", key);
    }

    private static (int Algorithm, RegoValue Key) ReadKey(ReadOnlyMemory<byte> encoded)
    {
        var algorithm = new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence().ReadSequence().ReadObjectIdentifier();
        switch (algorithm)
        {
            case "1.2.840.113549.1.1.1":
                using (var rsa = RSA.Create())
                {
                    rsa.ImportSubjectPublicKeyInfo(encoded.Span, out _);
                    var parameters = rsa.ExportParameters(false);
                    return (1, RegoObject.Of(("N", PrivateKeys.Number(parameters.Modulus)), ("E", PrivateKeys.Number(parameters.Exponent))));
                }

            case "1.2.840.10045.2.1":
                using (var ec = ECDsa.Create())
                {
                    ec.ImportSubjectPublicKeyInfo(encoded.Span, out _);
                    var parameters = ec.ExportParameters(false);
                    return (3, RegoObject.Of(("Curve", RegoObject.Empty), ("X", PrivateKeys.Number(parameters.Q.X)), ("Y", PrivateKeys.Number(parameters.Q.Y))));
                }

            case "1.2.840.10040.4.1":
                return (2, RegoNull.Value);
            case "1.3.101.112":
                return (4, RegoNull.Value);
            default:
                return (0, RegoNull.Value);
        }
    }
}
