using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>
/// Reads what the ASN.1 module of RFC 6960 appendix B.1 describes: EXPLICIT tags except in certStatus. All times are GeneralizedTime.
/// </summary>
internal static class OcspResponseReader
{
    /// <summary>
    /// Leniency: version v1 may be written although DER leaves defaults out. It is covered by the signature, so it gives nobody a second
    /// encoding of a signed answer.
    /// </summary>
    private const bool AcceptWrittenVersion1 = true;

    // RFC 9654 §2.1; older responders return at most the 32 that are sent.
    private const int LargestNonce = 128;

    private const int KeyHashSize = 20;

    public static OcspResponseStatus Read(ref DerReader reader, out OcspBasicResponse? basic)
    {
        var outer = reader.Sequence("OCSPResponse");
        var status = outer.SmallInteger("responseStatus", DerTag.Enumerated) switch
        {
            0 => OcspResponseStatus.Successful,
            1 => OcspResponseStatus.MalformedRequest,
            2 => OcspResponseStatus.InternalError,
            3 => OcspResponseStatus.TryLater,
            5 => OcspResponseStatus.SigRequired,
            6 => OcspResponseStatus.Unauthorized,
            _ => OcspResponseStatus.None,
        };
        outer.Require(status is not OcspResponseStatus.None, "responseStatus", "not an OCSPResponseStatus");
        var present = outer.NextIs(DerTag.ContextConstructed(0));
        outer.Require(present == (status is OcspResponseStatus.Successful), "responseBytes", present ? "present although responseStatus is not successful" : "missing although responseStatus is successful");
        basic = present ? ReadResponseBytes(ref outer) : null;
        outer.End("OCSPResponse");
        reader.End("OCSPResponse");
        return status;
    }

    private static OcspBasicResponse ReadResponseBytes(ref DerReader outer)
    {
        var wrapped = outer.Nested(DerTag.ContextConstructed(0), "responseBytes");
        var body = wrapped.Sequence("responseBytes");
        body.Require(body.Oid("responseType").SequenceEqual(Oids.OcspBasic), "responseType", "not id-pkix-ocsp-basic");
        var response = body.Nested(DerTag.OctetString, "response");
        body.End("responseBytes");
        wrapped.End("responseBytes");

        var basic = response.Sequence("BasicOCSPResponse");
        response.End("response");
        var fields = basic; // The same bytes twice: whole for the signature, and field by field.
        var signed = basic.Element(DerTag.Sequence, "tbsResponseData").ToArray();
        var data = ReadResponseData(ref fields);
        var algorithm = Certificate.ReadAlgorithm(ref basic, "signatureAlgorithm");
        var signature = basic.WholeBitString("signature").ToArray();
        var certificates = basic.NextIs(DerTag.ContextConstructed(0)) ? ReadCertificates(ref basic) : [];
        basic.End("BasicOCSPResponse");
        return data with { SignedBytes = signed, SignatureAlgorithm = algorithm, Signature = signature, Certificates = certificates };
    }

    private static OcspBasicResponse ReadResponseData(ref DerReader basic)
    {
        var data = basic.Sequence("tbsResponseData");
        if (data.NextIs(DerTag.ContextConstructed(0)) && AcceptWrittenVersion1)
        {
            var version = data.Nested(DerTag.ContextConstructed(0), "version");
            version.Require(version.SmallInteger("version") == 0, "version", "not v1");
            version.End("version");
        }

        var responder = ReadResponderId(ref data);
        var producedAt = X509Time.ReadGeneralized(ref data, "producedAt");
        var responses = ReadResponses(ref data);
        var nonce = data.NextIs(DerTag.ContextConstructed(1)) ? ReadResponseExtensions(ref data) : null;
        data.End("tbsResponseData");
        return new OcspBasicResponse
        {
            ResponderId = responder,
            ProducedAt = producedAt,
            Responses = responses,
            Nonce = nonce,
            SignedBytes = default,
            SignatureAlgorithm = SignatureAlgorithm.None,
            Signature = default,
            Certificates = [],
        };
    }

    private static OcspResponderId ReadResponderId(ref DerReader data)
    {
        if (data.NextIs(DerTag.ContextConstructed(1)))
        {
            var byName = data.Nested(DerTag.ContextConstructed(1), "responderID.byName");
            var name = DistinguishedName.Read(ref byName, "responderID.byName");
            byName.End("responderID.byName");
            return new OcspResponderId(name, null);
        }

        var byKey = data.Nested(DerTag.ContextConstructed(2), "responderID.byKey");
        var hash = byKey.Value(DerTag.OctetString, "responderID.byKey");
        byKey.Require(hash.Length == KeyHashSize, "responderID.byKey", "not the 20 octets of a SHA-1");
        byKey.End("responderID.byKey");
        return new OcspResponderId(null, new Digest(hash));
    }

    private static ImmutableArray<OcspSingleResponse> ReadResponses(ref DerReader data)
    {
        var list = data.Sequence("responses");
        list.Require(list.HasMore, "responses", "empty");
        var responses = ImmutableArray.CreateBuilder<OcspSingleResponse>();
        while (list.HasMore)
        {
            list.Require(responses.Count < Limits.OcspSingleResponses, "responses", "too many");
            responses.Add(ReadSingle(ref list));
        }

        return responses.ToImmutable();
    }

    private static OcspSingleResponse ReadSingle(ref DerReader list)
    {
        var single = list.Sequence("SingleResponse");
        var id = OcspCertId.Read(ref single);
        var status = ReadStatus(ref single);
        var thisUpdate = X509Time.ReadGeneralized(ref single, "thisUpdate");
        DateTimeOffset? nextUpdate = null;
        if (single.NextIs(DerTag.ContextConstructed(0)))
        {
            var wrapped = single.Nested(DerTag.ContextConstructed(0), "nextUpdate");
            nextUpdate = X509Time.ReadGeneralized(ref wrapped, "nextUpdate");
            wrapped.End("nextUpdate");
            single.Require(thisUpdate <= nextUpdate, "nextUpdate", "before thisUpdate");
        }

        if (single.NextIs(DerTag.ContextConstructed(1)))
        {
            RequireKnownIfCritical(ref single, "singleExtensions", []);
        }

        single.End("SingleResponse");
        return new OcspSingleResponse(id, status, thisUpdate, nextUpdate);
    }

    // certStatus is the one CHOICE with IMPLICIT tags: good and unknown are NULLs, revoked is a SEQUENCE.
    private static RevocationStatus ReadStatus(ref DerReader single)
    {
        var tag = single.PeekTag();
        if (tag == DerTag.Context(0) || tag == DerTag.Context(2))
        {
            single.Require(single.Value(tag, "certStatus").IsEmpty, "certStatus", "NULL has content");
            return tag == DerTag.Context(0) ? RevocationStatus.Good : RevocationStatus.Unknown;
        }

        var revoked = single.Nested(DerTag.ContextConstructed(1), "certStatus");
        var time = X509Time.ReadGeneralized(ref revoked, "revocationTime");
        RevocationReason? reason = null;
        if (revoked.NextIs(DerTag.ContextConstructed(0)))
        {
            var wrapped = revoked.Nested(DerTag.ContextConstructed(0), "revocationReason");
            reason = RevocationStatus.ReadReason(ref wrapped, "revocationReason");
            wrapped.End("revocationReason");
        }

        revoked.End("certStatus");
        return new RevocationStatus(CertificateStatus.Revoked, time, reason);
    }

    private static ReadOnlyMemory<byte>? ReadResponseExtensions(ref DerReader data)
    {
        var extensions = RequireKnownIfCritical(ref data, "responseExtensions", Oids.OcspNonce);
        if (extensions.Find(Oids.OcspNonce) is not { } value)
        {
            return null;
        }

        var faults = new DerFaults();
        var reader = new DerReader(value, faults);
        var nonce = reader.Value(DerTag.OctetString, "nonce").ToArray();
        reader.End("nonce");
        reader.Require(nonce.Length is >= 1 and <= LargestNonce, "nonce", $"not of 1 to {LargestNonce} octets");
        data.Require(faults.First is null, "nonce", faults.First?.Problem ?? "");
        return nonce;
    }

    private static CertificateExtensions RequireKnownIfCritical(ref DerReader outer, string field, ReadOnlySpan<byte> known)
    {
        var wrapped = outer.Nested(DerTag.ContextConstructed(1), field);
        var extensions = CertificateExtensions.Read(ref wrapped);
        wrapped.End(field);
        foreach (var extension in extensions.All)
        {
            if (extension.Critical && !known.SequenceEqual(extension.Oid))
            {
                outer.Require(false, field, $"the critical extension {ExtensionName.Of(extension.Oid)} is not supported");
            }
        }

        return extensions;
    }

    private static ImmutableArray<Certificate> ReadCertificates(ref DerReader basic)
    {
        var wrapped = basic.Nested(DerTag.ContextConstructed(0), "certs");
        var list = wrapped.Sequence("certs");
        wrapped.End("certs");
        var certificates = ImmutableArray.CreateBuilder<Certificate>();
        while (list.HasMore)
        {
            list.Require(certificates.Count < Limits.ChainCertificates, "certs", "too many");
            var read = Certificate.TryParse(list.Element(DerTag.Sequence, "certs"), out var certificate, out var why);
            list.Require(read, "certs", $"certificate {certificates.Count}: {why}");
            if (read)
            {
                certificates.Add(certificate!);
            }
        }

        return certificates.ToImmutable();
    }
}
