using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>The CertID of RFC 6960: hash algorithm, hash of the issuer's name and key, serial number.</summary>
internal sealed record OcspCertId(HashAlgorithmName Hash, ReadOnlyMemory<byte> IssuerName, ReadOnlyMemory<byte> IssuerKey, ReadOnlyMemory<byte> Serial)
{
    public static OcspCertId Of(SimulatedCertificate certificate, HashAlgorithmName hash)
    {
        var issuer = certificate.Issuer ?? certificate;
        return new OcspCertId(
            hash,
            CryptographicOperations.HashData(hash, issuer.Name.Encode()),
            CryptographicOperations.HashData(hash, issuer.PublicKeyPoint),
            certificate.Serial);
    }

    /// <summary>Whether this id, which somebody asked about, means that certificate.</summary>
    public bool Means(SimulatedCertificate certificate)
    {
        var other = Of(certificate, Hash);
        return IssuerName.Span.SequenceEqual(other.IssuerName.Span)
            && IssuerKey.Span.SequenceEqual(other.IssuerKey.Span)
            && Serial.Span.SequenceEqual(other.Serial.Span);
    }

    public void Write(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(OidOf(Hash));
                writer.WriteNull();
            }

            writer.WriteOctetString(IssuerName.Span);
            writer.WriteOctetString(IssuerKey.Span);
            writer.WriteIntegerUnsigned(Serial.Span);
        }
    }

    /// <summary>Throws <see cref="AsnContentException"/> on anything that is no CertID of a known hash.</summary>
    public static OcspCertId Read(AsnReader reader)
    {
        var id = reader.ReadSequence();
        var hash = HashOf(id.ReadSequence().ReadObjectIdentifier());
        return new OcspCertId(hash, id.ReadOctetString(), id.ReadOctetString(), WithoutSign(id.ReadIntegerBytes()));
    }

    private static ReadOnlyMemory<byte> WithoutSign(ReadOnlyMemory<byte> integer) =>
        integer is { Length: > 1, Span: [0, ..] } ? integer[1..] : integer;

    private static string OidOf(HashAlgorithmName hash) =>
        hash == HashAlgorithmName.SHA1 ? Oids.Sha1
        : hash == HashAlgorithmName.SHA256 ? Oids.Sha256
        : hash == HashAlgorithmName.SHA384 ? Oids.Sha384
        : throw new ArgumentOutOfRangeException(nameof(hash), hash, "A CertID hash is SHA-1, SHA-256 or SHA-384 here.");

    private static HashAlgorithmName HashOf(string oid) => oid switch
    {
        Oids.Sha1 => HashAlgorithmName.SHA1,
        Oids.Sha256 => HashAlgorithmName.SHA256,
        Oids.Sha384 => HashAlgorithmName.SHA384,
        _ => throw new AsnContentException($"CertID hash {oid} is not known."),
    };
}
