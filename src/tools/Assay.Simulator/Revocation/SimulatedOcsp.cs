using System.Collections.Immutable;
using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>OCSP responses (RFC 6960), DER, ecdsa-with-SHA384.</summary>
public static class SimulatedOcsp
{
    private static readonly Asn1Tag s_tag0 = new(TagClass.ContextSpecific, 0);
    private static readonly Asn1Tag s_tag1 = new(TagClass.ContextSpecific, 1);
    private static readonly Asn1Tag s_tag2 = new(TagClass.ContextSpecific, 2);

    /// <summary>A successful response with one answer.</summary>
    public static byte[] Respond(OcspAnswer answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        return Respond([answer]);
    }

    /// <summary>A successful response with several answers. The first one decides signer, nonce, producedAt and spoiling.</summary>
    public static byte[] Respond(ImmutableArray<OcspAnswer> answers)
    {
        ArgumentOutOfRangeException.ThrowIfZero(answers.Length, nameof(answers));
        var first = answers[0];
        var signer = first.Responder ?? first.Certificate.Issuer ?? first.Certificate;
        var data = ResponseData(answers, signer);
        var signature = signer.SignDer(data);
        if (first.SpoilSignature)
        {
            // The last byte belongs to S: the structure stays DER, the number becomes another.
            signature[^1] ^= 1;
        }

        var basic = Der.Signed(data, signature, writer => WriteCertificates(writer, first.Responder));
        return Envelope(OcspResponseStatus.Successful, basic);
    }

    /// <summary>A nonce in the form that <see cref="OcspAnswer.NonceValue"/> takes: a DER OCTET STRING.</summary>
    public static byte[] NonceValue(ReadOnlySpan<byte> nonce)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteOctetString(nonce);
        return writer.Encode();
    }

    /// <summary>A response that only says why there is no answer, for example "try later".</summary>
    public static byte[] Refuse(OcspResponseStatus status) => Envelope(status, basicResponse: null);

    /// <summary>
    /// Answers a DER OCSPRequest about the certificates in <paramref name="known"/>.
    /// <paramref name="answer"/> says what to say of each; the CertID hash is the request's, and so is the nonce,
    /// unless the answer brings its own or <paramref name="echoNonce"/> is false.
    /// An unreadable request is answered malformedRequest; one about nobody here, unauthorized.
    /// </summary>
    public static byte[] Answer(
        ReadOnlyMemory<byte> request,
        IReadOnlyCollection<SimulatedCertificate> known,
        Func<SimulatedCertificate, OcspAnswer> answer,
        bool echoNonce = true)
    {
        ArgumentNullException.ThrowIfNull(known);
        ArgumentNullException.ThrowIfNull(answer);
        if (!OcspRequest.TryParse(request, out var asked))
        {
            return Refuse(OcspResponseStatus.MalformedRequest);
        }

        ImmutableArray<OcspAnswer> answers =
        [
            .. from id in asked.Ids
               let certificate = known.FirstOrDefault(id.Means)
               where certificate is not null
               let made = answer(certificate)
               select made with { CertIdHash = id.Hash, NonceValue = made.NonceValue ?? (echoNonce ? asked.NonceValue : null) },
        ];
        return answers.IsEmpty ? Refuse(OcspResponseStatus.Unauthorized) : Respond(answers);
    }

    private static byte[] ResponseData(ImmutableArray<OcspAnswer> answers, SimulatedCertificate signer) => Der.Encode(writer =>
    {
        using var data = writer.PushSequence();
        WriteResponderId(writer, signer, answers[0].ResponderByName);
        writer.WriteGeneralizedTime(answers[0].ProducedAt ?? answers[0].ThisUpdate, omitFractionalSeconds: true);
        using (writer.PushSequence())
        {
            foreach (var answer in answers)
            {
                WriteSingle(writer, answer);
            }
        }

        if (answers[0].NonceValue is { } nonce)
        {
            using (writer.PushSequence(s_tag1))
            using (writer.PushSequence())
            {
                Der.Extension(writer, new CertificateExtension(Oids.OcspNonce, false, nonce.ToArray()));
            }
        }
    });

    private static void WriteResponderId(AsnWriter writer, SimulatedCertificate signer, bool byName)
    {
        using (writer.PushSequence(byName ? s_tag1 : s_tag2))
        {
            if (byName)
            {
                writer.WriteEncodedValue(signer.Name.Encode());
            }
            else
            {
                writer.WriteOctetString(signer.KeyIdentifier);
            }
        }
    }

    private static void WriteSingle(AsnWriter writer, OcspAnswer answer)
    {
        using var single = writer.PushSequence();
        OcspCertId.Of(answer.Certificate, answer.CertIdHash).Write(writer);
        switch (answer.Status)
        {
            case CertificateStatus.Good:
                writer.WriteNull(s_tag0);
                break;
            case CertificateStatus.Revoked:
                WriteRevoked(writer, answer);
                break;
            default:
                writer.WriteNull(s_tag2);
                break;
        }

        writer.WriteGeneralizedTime(answer.ThisUpdate, omitFractionalSeconds: true);
        if (answer.NextUpdate is { } next)
        {
            using (writer.PushSequence(s_tag0))
            {
                writer.WriteGeneralizedTime(next, omitFractionalSeconds: true);
            }
        }
    }

    private static void WriteRevoked(AsnWriter writer, OcspAnswer answer)
    {
        using (writer.PushSequence(s_tag1))
        {
            writer.WriteGeneralizedTime(answer.RevokedAt ?? answer.ThisUpdate, omitFractionalSeconds: true);
            if (answer.Reason is { } reason)
            {
                using (writer.PushSequence(s_tag0))
                {
                    writer.WriteEnumeratedValue(reason);
                }
            }
        }
    }

    private static void WriteCertificates(AsnWriter writer, SimulatedCertificate? responder)
    {
        if (responder is not null)
        {
            using (writer.PushSequence(s_tag0))
            using (writer.PushSequence())
            {
                writer.WriteEncodedValue(responder.Der.Span);
            }
        }
    }

    private static byte[] Envelope(OcspResponseStatus status, byte[]? basicResponse) => Der.Encode(writer =>
    {
        using var response = writer.PushSequence();
        writer.WriteEnumeratedValue(status);
        if (basicResponse is not null)
        {
            using (writer.PushSequence(s_tag0))
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(Oids.OcspBasic);
                writer.WriteOctetString(basicResponse);
            }
        }
    });
}

/// <summary>OCSPResponseStatus; the numbers are the wire's.</summary>
public enum OcspResponseStatus
{
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SignatureRequired = 5,
    Unauthorized = 6,
}
