using System.Globalization;
using System.Text;

namespace Assay.Wire;

/// <summary>Object identifiers as their DER content octets.</summary>
internal static class Oids
{
    public static ReadOnlySpan<byte> EcPublicKey => [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    public static ReadOnlySpan<byte> Secp384R1 => [0x2B, 0x81, 0x04, 0x00, 0x22];
    public static ReadOnlySpan<byte> Secp256R1 => [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    public static ReadOnlySpan<byte> EcdsaWithSha256 => [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    public static ReadOnlySpan<byte> EcdsaWithSha384 => [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];

    /// <summary>rsaEncryption (RFC 8017 §A.1).</summary>
    public static ReadOnlySpan<byte> RsaEncryption => [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];

    /// <summary>id-RSASSA-PSS (RFC 8017 §A.2.3).</summary>
    public static ReadOnlySpan<byte> RsaPss => [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];

    public static ReadOnlySpan<byte> Sha1 => [0x2B, 0x0E, 0x03, 0x02, 0x1A];
    public static ReadOnlySpan<byte> Sha256 => [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    public static ReadOnlySpan<byte> Sha384 => [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];

    public static ReadOnlySpan<byte> CommonName => [0x55, 0x04, 0x03];
    public static ReadOnlySpan<byte> SerialNumber => [0x55, 0x04, 0x05];

    public static ReadOnlySpan<byte> SubjectKeyIdentifier => [0x55, 0x1D, 0x0E];
    public static ReadOnlySpan<byte> KeyUsage => [0x55, 0x1D, 0x0F];
    public static ReadOnlySpan<byte> SubjectAlternativeName => [0x55, 0x1D, 0x11];
    public static ReadOnlySpan<byte> BasicConstraints => [0x55, 0x1D, 0x13];
    public static ReadOnlySpan<byte> CrlNumber => [0x55, 0x1D, 0x14];
    public static ReadOnlySpan<byte> CrlReason => [0x55, 0x1D, 0x15];
    public static ReadOnlySpan<byte> InvalidityDate => [0x55, 0x1D, 0x18];
    public static ReadOnlySpan<byte> DeltaCrlIndicator => [0x55, 0x1D, 0x1B];
    public static ReadOnlySpan<byte> IssuingDistributionPoint => [0x55, 0x1D, 0x1C];
    public static ReadOnlySpan<byte> CertificateIssuer => [0x55, 0x1D, 0x1D];
    public static ReadOnlySpan<byte> CrlDistributionPoints => [0x55, 0x1D, 0x1F];
    public static ReadOnlySpan<byte> AuthorityKeyIdentifier => [0x55, 0x1D, 0x23];
    public static ReadOnlySpan<byte> ExtendedKeyUsage => [0x55, 0x1D, 0x25];
    public static ReadOnlySpan<byte> AuthorityInformationAccess => [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];

    /// <summary>id-kp-OCSPSigning (RFC 6960 §4.2.2.2).</summary>
    public static ReadOnlySpan<byte> OcspSigning => [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];

    /// <summary>id-pkix-ocsp-basic (RFC 6960 §4.2.1).</summary>
    public static ReadOnlySpan<byte> OcspBasic => [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

    /// <summary>id-pkix-ocsp-nonce (RFC 6960 §4.4.1).</summary>
    public static ReadOnlySpan<byte> OcspNonce => [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];

    /// <summary>id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).</summary>
    public static ReadOnlySpan<byte> OcspNoCheck => [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x05];

    /// <summary>TCG CompositeDeviceID, 2.23.133.5.4.1: the FWID of Hopper and LS10.</summary>
    public static ReadOnlySpan<byte> CompositeDeviceId => [0x67, 0x81, 0x05, 0x05, 0x04, 0x01];

    /// <summary>TCG DiceTcbInfo, 2.23.133.5.4.1.1: the FWID of Blackwell and Rubin.</summary>
    public static ReadOnlySpan<byte> DiceTcbInfo => [0x67, 0x81, 0x05, 0x05, 0x04, 0x01, 0x01];

    /// <summary>1.2.840.113741.1.13.1, the extension of PCK certificates; its fields are named by one more arc each.</summary>
    public static ReadOnlySpan<byte> SgxExtensions => [0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01];

    /// <summary>1.3.6.1.4.1.3704.1, the arc of AMD's endorsement certificates.</summary>
    public static ReadOnlySpan<byte> AmdEndorsement => [0x2B, 0x06, 0x01, 0x04, 0x01, 0x9C, 0x78, 0x01];

    /// <summary>Whether the octets are minimal base-128 arcs (X.690 §8.19).</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> oid)
    {
        if (oid.IsEmpty || oid[^1] >= 0x80)
        {
            return false;
        }

        var atArcStart = true;
        foreach (var octet in oid)
        {
            if (atArcStart && octet == 0x80)
            {
                return false;
            }

            atArcStart = octet < 0x80;
        }

        return true;
    }

    /// <summary>Dotted decimal, for people.</summary>
    public static string ToText(ReadOnlySpan<byte> oid)
    {
        var text = new StringBuilder();
        var arc = System.Numerics.BigInteger.Zero;
        foreach (var octet in oid)
        {
            arc = (arc << 7) + (octet & 0x7F);
            if (octet >= 0x80)
            {
                continue;
            }

            if (text.Length == 0)
            {
                var root = arc < 80 ? arc / 40 : 2;
                text.Append(CultureInfo.InvariantCulture, $"{root}");
                arc -= root * 40;
            }

            text.Append(CultureInfo.InvariantCulture, $".{arc}");
            arc = 0;
        }

        return text.ToString();
    }
}
