using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>What an OCSP response says about a certificate.</summary>
public enum CertificateStatus
{
    /// <summary>The responder does not know the certificate.</summary>
    Unknown,
    Good,
    Revoked,
}

/// <summary>CRLReason (RFC 5280, section 5.3.1); the numbers are the wire's.</summary>
public enum RevocationReason
{
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}

/// <summary>
/// One OCSP response to be: about which certificate, saying what, signed by whom. The wrong ones are made of right parts:
/// another certificate's id, a signer without the extended key usage, a signer under another issuer, a signer that has expired.
/// </summary>
public sealed record OcspAnswer
{
    /// <summary>The certificate asked about. Its CertID names <see cref="SimulatedCertificate.Issuer"/>.</summary>
    public required SimulatedCertificate Certificate { get; init; }

    public required CertificateStatus Status { get; init; }

    public required DateTimeOffset ThisUpdate { get; init; }

    /// <summary>Null leaves the field out.</summary>
    public DateTimeOffset? NextUpdate { get; init; }

    /// <summary>Null: the same as <see cref="ThisUpdate"/>.</summary>
    public DateTimeOffset? ProducedAt { get; init; }

    /// <summary>Only for <see cref="CertificateStatus.Revoked"/>; null leaves the reason out.</summary>
    public RevocationReason? Reason { get; init; }

    /// <summary>Only for <see cref="CertificateStatus.Revoked"/>; null: the same as <see cref="ThisUpdate"/>.</summary>
    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>Null: the certificate's issuer signs, and no certificate travels in the response.</summary>
    public SimulatedCertificate? Responder { get; init; }

    /// <summary>The CertID's hash: SHA-1, SHA-256 or SHA-384.</summary>
    public HashAlgorithmName CertIdHash { get; init; } = HashAlgorithmName.SHA1;

    /// <summary>The nonce extension's value (the content of extnValue, itself DER); null leaves the extension out.</summary>
    public ReadOnlyMemory<byte>? NonceValue { get; init; }

    /// <summary>Name the responder by its subject instead of its key hash.</summary>
    public bool ResponderByName { get; init; }

    /// <summary>Spoil the signature after making it.</summary>
    public bool SpoilSignature { get; init; }
}
