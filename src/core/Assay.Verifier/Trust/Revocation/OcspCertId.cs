using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>The hash algorithms of CertIDs that responders are seen to use (S-18).</summary>
public enum OcspHash
{
    /// <summary>None was told. Matches nothing.</summary>
    None,

    /// <summary>SHA-1: what NVAT, OpenSSL and RFC 5019 §2.1.1 use. It selects a certificate and proves nothing.</summary>
    Sha1,

    /// <summary>SHA-256.</summary>
    Sha256,

    /// <summary>SHA-384: what NVIDIA's Python verifier uses.</summary>
    Sha384,
}

/// <summary>CertID (RFC 6960 §4.1.1): which certificate a request or an answer is about, by hashes of its issuer and its serial number.</summary>
public sealed class OcspCertId : IEquatable<OcspCertId>
{
    /// <summary>
    /// Leniency: the parameters of hashAlgorithm may be absent or NULL. RFC 3370 §2.1 and RFC 5754 §2 want both read, and OpenSSL writes
    /// NULL where others write nothing.
    /// </summary>
    public const bool AcceptNullParameters = true;

    /// <summary>
    /// Leniency: SHA-1 (S-18). A collision is of no use, for the answer's signature covers the CertID and the certificate is found by its
    /// own hashes; a second preimage of an issuer's name and key would be needed.
    /// </summary>
    public const bool AcceptSha1 = true;

    private readonly byte[] _serialNumber;

    private OcspCertId(OcspHash hash, Digest issuerName, Digest issuerKey, byte[] serialNumber)
    {
        HashAlgorithm = hash;
        IssuerNameHash = issuerName;
        IssuerKeyHash = issuerKey;
        _serialNumber = serialNumber;
    }

    /// <summary>hashAlgorithm.</summary>
    public OcspHash HashAlgorithm { get; }

    /// <summary>Hash of the DER of the issuer's name.</summary>
    public Digest IssuerNameHash { get; }

    /// <summary>Hash of the issuer's subjectPublicKey: the BIT STRING's octets, without tag, length and unused bits.</summary>
    public Digest IssuerKeyHash { get; }

    /// <summary>serialNumber, big-endian, without a leading zero octet.</summary>
    public ReadOnlyMemory<byte> SerialNumber => _serialNumber;

    /// <summary>The CertID of <paramref name="subject"/>, which <paramref name="issuer"/> issued.</summary>
    public static OcspCertId For(Certificate subject, Certificate issuer, OcspHash hash)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(issuer);
        ArgumentOutOfRangeException.ThrowIfEqual((int)hash, (int)OcspHash.None);
        return new(hash, Hash(hash, subject.Issuer.Der), Hash(hash, issuer.PublicKeyBits.Span), subject.SerialNumber.ToArray());
    }

    /// <summary>The CertID of the certificate that <paramref name="issuer"/> gave this serial number (big-endian, without a leading zero octet).</summary>
    public static OcspCertId Of(Certificate issuer, ReadOnlySpan<byte> serialNumber, OcspHash hash)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        ArgumentOutOfRangeException.ThrowIfEqual((int)hash, (int)OcspHash.None);
        return new(hash, Hash(hash, issuer.Subject.Der), Hash(hash, issuer.PublicKeyBits.Span), serialNumber.ToArray());
    }

    /// <summary>Whether this names <paramref name="subject"/> as a certificate of <paramref name="issuer"/>.</summary>
    public bool Matches(Certificate subject, Certificate issuer)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(issuer);
        // The serial number first: a folder of answers is searched with this, and two hashes for each would be its cost.
        return CryptographicOperations.FixedTimeEquals(_serialNumber, subject.SerialNumber.Span)
            && subject.Issuer.Equals(issuer.Subject)
            && IssuerNameHash == Hash(HashAlgorithm, subject.Issuer.Der)
            && IssuerKeyHash == Hash(HashAlgorithm, issuer.PublicKeyBits.Span);
    }

    /// <summary>Hash algorithm and both hashes of the issuer, as text.</summary>
    public string IssuerName => $"{HashAlgorithm}:{IssuerNameHash}:{IssuerKeyHash}".ToLowerInvariant();

    /// <summary>Whether this names a certificate of <paramref name="issuer"/>, whichever.</summary>
    public bool IsIssuedBy(Certificate issuer)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        return IssuerNameHash == Hash(HashAlgorithm, issuer.Subject.Der) && IssuerKeyHash == Hash(HashAlgorithm, issuer.PublicKeyBits.Span);
    }

    /// <summary>Whether both name one certificate in one way: clients look for their own CertID in an answer, hash algorithm included.</summary>
    public bool Equals(OcspCertId? other) =>
        other is not null && HashAlgorithm == other.HashAlgorithm && IssuerNameHash == other.IssuerNameHash && IssuerKeyHash == other.IssuerKeyHash
        && CryptographicOperations.FixedTimeEquals(_serialNumber, other._serialNumber);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as OcspCertId);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(HashAlgorithm, IssuerKeyHash, _serialNumber.Length > 0 ? _serialNumber[^1] : 0);

    internal static OcspCertId Read(ref DerReader outer)
    {
        var body = outer.Sequence("certID");
        var hash = ReadHash(ref body);
        var size = SizeOf(hash);
        var name = body.Value(DerTag.OctetString, "issuerNameHash");
        body.Require(name.Length == size, "issuerNameHash", "not of its hash algorithm's size");
        var key = body.Value(DerTag.OctetString, "issuerKeyHash");
        body.Require(key.Length == size, "issuerKeyHash", "not of its hash algorithm's size");
        var serialNumber = SerialNumberOctets.Read(ref body, "serialNumber");
        body.End("certID");
        return new OcspCertId(hash, new Digest(name), new Digest(key), serialNumber.ToArray());
    }

    private static OcspHash ReadHash(ref DerReader outer)
    {
        var identifier = outer.Sequence("hashAlgorithm");
        var oid = identifier.Oid("hashAlgorithm");
        var hash = oid.SequenceEqual(Oids.Sha1) && AcceptSha1 ? OcspHash.Sha1
            : oid.SequenceEqual(Oids.Sha256) ? OcspHash.Sha256
            : oid.SequenceEqual(Oids.Sha384) ? OcspHash.Sha384
            : OcspHash.None;
        if (identifier.HasMore && AcceptNullParameters)
        {
            identifier.Null("parameters");
        }

        identifier.End("hashAlgorithm");
        outer.Require(hash is not OcspHash.None, "hashAlgorithm", "not SHA-1, SHA-256 or SHA-384");
        return hash;
    }

    internal static Digest Hash(OcspHash hash, ReadOnlySpan<byte> content) => hash switch
    {
        OcspHash.Sha1 => new Digest(SHA1.HashData(content)),
        OcspHash.Sha256 => Digest.Sha256(content),
        OcspHash.Sha384 => Digest.Sha384(content),
        _ => default,
    };

    internal static ReadOnlySpan<byte> OidOf(OcspHash hash) => hash switch
    {
        OcspHash.Sha1 => Oids.Sha1,
        OcspHash.Sha256 => Oids.Sha256,
        OcspHash.Sha384 => Oids.Sha384,
        _ => throw new ArgumentOutOfRangeException(nameof(hash), hash, "a hash algorithm is expected"),
    };

    private static int SizeOf(OcspHash hash) => hash switch
    {
        OcspHash.Sha1 => SHA1.HashSizeInBytes,
        OcspHash.Sha256 => SHA256.HashSizeInBytes,
        OcspHash.Sha384 => SHA384.HashSizeInBytes,
        _ => 0,
    };
}

/// <summary>A CertificateSerialNumber as certificates, CertIDs and CRL entries write it (RFC 5280 §4.1.2.2).</summary>
internal static class SerialNumberOctets
{
    private const int Longest = 20;

    /// <summary>The octets without the zero that keeps a high first bit from meaning a sign.</summary>
    public static ReadOnlySpan<byte> Read(scoped ref DerReader reader, string field)
    {
        var content = reader.Integer(field);
        reader.Require(content.Length <= Longest + 1 && content is [< 0x80, ..], field, "negative or longer than 20 octets");
        return content is [0, _, ..] ? content[1..] : content;
    }
}
