using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>CRLReason (RFC 5280 §5.3.1), with its numbers. Seven is not used by the standard and refused here.</summary>
public enum RevocationReason
{
    /// <summary>No reason was chosen.</summary>
    Unspecified = 0,

    /// <summary>The subject's key is compromised.</summary>
    KeyCompromise = 1,

    /// <summary>The key of a certificate authority is compromised.</summary>
    CaCompromise = 2,

    /// <summary>The subject's name or other information changed.</summary>
    AffiliationChanged = 3,

    /// <summary>Another certificate took its place. NVIDIA re-signs RIMs so (S-19).</summary>
    Superseded = 4,

    /// <summary>No longer needed for its purpose.</summary>
    CessationOfOperation = 5,

    /// <summary>Suspended: the one revocation that may be lifted.</summary>
    CertificateHold = 6,

    /// <summary>A hold was lifted; meant for delta CRLs. Elsewhere it contradicts itself, and counts as revoked.</summary>
    RemoveFromCrl = 8,

    /// <summary>A privilege in the certificate was withdrawn.</summary>
    PrivilegeWithdrawn = 9,

    /// <summary>The key of an attribute authority is compromised.</summary>
    AaCompromise = 10,
}

/// <summary>certStatus (RFC 6960 §4.2.1), or what the presence or absence in a CRL amounts to.</summary>
public enum CertificateStatus
{
    /// <summary>Nobody was asked. Never good.</summary>
    None,

    /// <summary>Not revoked, as far as the source knows.</summary>
    Good,

    /// <summary>Revoked, or on hold: the reason tells which.</summary>
    Revoked,

    /// <summary>The source does not know the certificate.</summary>
    Unknown,
}

/// <summary>What one source says about one certificate. <paramref name="Reason"/> is null when none was given.</summary>
/// <param name="Status">Good, revoked or unknown.</param>
/// <param name="RevokedAt">revocationTime or revocationDate; null unless revoked.</param>
/// <param name="Reason">Null unless revoked, and also when the source gave none, which means the same as unspecified.</param>
public sealed record RevocationStatus(CertificateStatus Status, DateTimeOffset? RevokedAt = null, RevocationReason? Reason = null)
{
    internal static RevocationStatus Good { get; } = new(CertificateStatus.Good);

    internal static RevocationStatus Unknown { get; } = new(CertificateStatus.Unknown);

    /// <summary>Reads a CRLReason, which stands in OCSP responses and in CRL entries.</summary>
    internal static RevocationReason ReadReason(ref DerReader reader, string field)
    {
        var number = reader.SmallInteger(field, DerTag.Enumerated);
        reader.Require(number is >= 0 and <= 10 and not 7, field, "not a CRLReason");
        return (RevocationReason)number;
    }
}

/// <summary>
/// Whom an answer is about: the key of the issuer and the serial number. The key of caches and of rollback marks (S-17, S-18), for
/// CertIDs of different hash algorithms name the same certificate differently.
/// </summary>
/// <param name="IssuerKey">SHA-384 of the issuer's SubjectPublicKeyInfo.</param>
/// <param name="SerialNumber">Lower-case hexadecimal of the serial number's octets, without a leading zero octet.</param>
public readonly record struct RevocationSubject(Digest IssuerKey, string SerialNumber)
{
    /// <summary>The key of answers about <paramref name="subject"/>, which <paramref name="issuer"/> issued.</summary>
    public static RevocationSubject Of(Certificate subject, Certificate issuer)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(issuer);
        return new(issuer.KeyIdentity, Convert.ToHexStringLower(subject.SerialNumber.Span));
    }
}

/// <summary>Words for extension identifiers in faults.</summary>
internal static class ExtensionName
{
    // A name of thousands of arcs would cost a second to print and tell nobody anything.
    private const int LongestPrinted = 32;

    public static string Of(ReadOnlySpan<byte> oid) => oid.Length <= LongestPrinted ? Oids.ToText(oid) : $"of {oid.Length} octets";
}
