using System.Formats.Asn1;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>
/// An OCSPRequest (RFC 6960 §4.1) for one certificate: unsigned, with a SHA-1 CertID, which every responder knows (S-18, RFC 5019 §2.1.1).
/// </summary>
public static class OcspRequest
{
    /// <summary>The fewest octets of a nonce here: what OpenSSL and so NVAT send.</summary>
    public const int SmallestNonce = 16;

    /// <summary>The most octets of a nonce here, and all that RFC 8954 §2.1 lets a responder accept.</summary>
    public const int LargestNonce = 32;

    private const int RequestExtensionsTag = 2;

    /// <summary>The DER of the request. An empty <paramref name="nonce"/> asks for whatever signed answer the responder holds.</summary>
    /// <param name="subject">The certificate asked about.</param>
    /// <param name="issuer">The one that issued it.</param>
    /// <param name="nonce">None, or 16 to 32 unpredictable octets. The extension is not critical: responders with prepared answers ignore it.</param>
    public static byte[] Encode(Certificate subject, Certificate issuer, ReadOnlySpan<byte> nonce = default)
    {
        if (!nonce.IsEmpty)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(nonce.Length, SmallestNonce, nameof(nonce));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(nonce.Length, LargestNonce, nameof(nonce));
        }

        return Encode(OcspCertId.For(subject, issuer, OcspHash.Sha1), nonce);
    }

    /// <summary>The DER of the request with the CertID of somebody else's request, and without a nonce: what a cache asks its upstream.</summary>
    public static byte[] Encode(OcspCertId id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return Encode(id, []);
    }

    private static byte[] Encode(OcspCertId id, ReadOnlySpan<byte> nonce)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            using (writer.PushSequence())
            {
                WriteCertId(writer, id);
            }

            if (!nonce.IsEmpty)
            {
                WriteNonce(writer, nonce);
            }
        }

        return writer.Encode();
    }

    private static void WriteCertId(AsnWriter writer, OcspCertId id)
    {
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(Oids.ToText(OcspCertId.OidOf(id.HashAlgorithm)));
                writer.WriteNull();
            }

            writer.WriteOctetString(id.IssuerNameHash.Bytes);
            writer.WriteOctetString(id.IssuerKeyHash.Bytes);
            writer.WriteIntegerUnsigned(id.SerialNumber.Span);
        }
    }

    // The extension's value is itself an OCTET STRING (RFC 8954 §2.1), inside the OCTET STRING that every extnValue is.
    private static void WriteNonce(AsnWriter writer, ReadOnlySpan<byte> nonce)
    {
        var value = new AsnWriter(AsnEncodingRules.DER);
        value.WriteOctetString(nonce);
        using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, RequestExtensionsTag)))
        using (writer.PushSequence())
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(Oids.ToText(Oids.OcspNonce));
            writer.WriteOctetString(value.Encode());
        }
    }
}
