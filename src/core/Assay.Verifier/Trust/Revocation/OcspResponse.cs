using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>OCSPResponseStatus (RFC 6960 §4.2.1).</summary>
public enum OcspResponseStatus
{
    /// <summary>Not read. Never successful.</summary>
    None,

    /// <summary>The response has an answer. Nothing but this is ever signed.</summary>
    Successful,

    /// <summary>malformedRequest (1).</summary>
    MalformedRequest,

    /// <summary>internalError (2).</summary>
    InternalError,

    /// <summary>tryLater (3).</summary>
    TryLater,

    /// <summary>sigRequired (5).</summary>
    SigRequired,

    /// <summary>unauthorized (6): also what a responder with prepared answers says of a certificate it does not know (RFC 5019 §2.2.3).</summary>
    Unauthorized,
}

/// <summary>ResponderID: the signer by name or by the SHA-1 of its key. Exactly one is present.</summary>
/// <param name="Name">byName.</param>
/// <param name="KeyHash">byKey: SHA-1 of the BIT STRING content of the signer's key.</param>
public sealed record OcspResponderId(DistinguishedName? Name, Digest? KeyHash)
{
    internal bool Names(Certificate certificate) =>
        Name is not null ? Name.Equals(certificate.Subject) : KeyHash == OcspCertId.Hash(OcspHash.Sha1, certificate.PublicKeyBits.Span);

    /// <inheritdoc/>
    public override string ToString() => Name is not null ? $"\"{Name}\"" : $"key {KeyHash}";
}

/// <summary>SingleResponse: one certificate's status and when it is known to be right.</summary>
/// <param name="CertId">certID.</param>
/// <param name="Status">certStatus.</param>
/// <param name="ThisUpdate">The status is right at this time.</param>
/// <param name="NextUpdate">Newer information is there by this time; null when the responder says that it always is.</param>
public sealed record OcspSingleResponse(OcspCertId CertId, RevocationStatus Status, DateTimeOffset ThisUpdate, DateTimeOffset? NextUpdate);

/// <summary>BasicOCSPResponse. Well-formed, and signed by nobody yet known.</summary>
public sealed record OcspBasicResponse
{
    /// <summary>The DER of tbsResponseData, which the signature covers.</summary>
    public required ReadOnlyMemory<byte> SignedBytes { get; init; }

    /// <summary>Who signed it, by its own account.</summary>
    public required OcspResponderId ResponderId { get; init; }

    /// <summary>When it was signed, by its own account.</summary>
    public required DateTimeOffset ProducedAt { get; init; }

    /// <summary>At least one.</summary>
    public required ImmutableArray<OcspSingleResponse> Responses { get; init; }

    /// <summary>The octets of the nonce extension; null when it is absent.</summary>
    public required ReadOnlyMemory<byte>? Nonce { get; init; }

    /// <summary>signatureAlgorithm.</summary>
    public required SignatureAlgorithm SignatureAlgorithm { get; init; }

    /// <summary>The DER of Ecdsa-Sig-Value.</summary>
    public required ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>Certificates that the responder sent along, unsigned as a list.</summary>
    public required ImmutableArray<Certificate> Certificates { get; init; }

    internal bool IsSignedBy(Certificate signer, OperationMeter meter) =>
        signer.Key.Verifies(SignedBytes.Span, Signature.Span, SignatureAlgorithm, DSASignatureFormat.Rfc3279DerSequence, meter);
}

/// <summary>
/// An OCSPResponse (RFC 6960 §4.2.1), read strictly from DER: complete, immutable, and believed by nobody yet.
/// Only the response type id-pkix-ocsp-basic is read.
/// </summary>
public sealed class OcspResponse
{
    private OcspResponse(OcspResponseStatus status, OcspBasicResponse? basic, Digest contentDigest)
    {
        Status = status;
        Basic = basic;
        ContentDigest = contentDigest;
    }

    /// <summary>responseStatus. It is never signed: anyone on the way may write any but successful.</summary>
    public OcspResponseStatus Status { get; }

    /// <summary>responseBytes; null exactly when <see cref="Status"/> is not successful.</summary>
    public OcspBasicResponse? Basic { get; }

    /// <summary>SHA-256 of the whole response.</summary>
    public Digest ContentDigest { get; }

    /// <summary>Reads one response. Trailing bytes are a fault; an unsuccessful status is a value.</summary>
    public static bool TryParse(ReadOnlySpan<byte> der, [NotNullWhen(true)] out OcspResponse? response, [NotNullWhen(false)] out ParseFault? fault)
    {
        response = null;
        if (der.Length > Limits.OcspResponseBytes)
        {
            fault = new ParseFault("OCSPResponse", 0, $"larger than {Limits.OcspResponseBytes} bytes");
            return false;
        }

        var faults = new DerFaults();
        var reader = new DerReader(der, faults);
        var status = OcspResponseReader.Read(ref reader, out var basic);
        fault = faults.First;
        if (fault is null)
        {
            response = new OcspResponse(status, basic, Digest.Sha256(der));
        }

        return response is not null;
    }
}
