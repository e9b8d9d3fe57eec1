using System.Formats.Asn1;
using System.Numerics;

namespace Assay.Simulator;

/// <summary>One line of a CRL.</summary>
public sealed record RevokedCertificate(SimulatedCertificate Certificate, DateTimeOffset RevokedAt, RevocationReason? Reason = null);

/// <summary>Version 2 CRLs (RFC 5280, section 5), DER, ecdsa-with-SHA384.</summary>
public static class SimulatedCrl
{
    private const int Version2 = 1;

    /// <summary>A CRL of <paramref name="issuer"/> with crlNumber and authority key identifier; null <paramref name="nextUpdate"/> leaves that out.</summary>
    public static byte[] Issue(
        SimulatedCertificate issuer,
        BigInteger crlNumber,
        DateTimeOffset thisUpdate,
        DateTimeOffset? nextUpdate,
        params IReadOnlyCollection<RevokedCertificate> revoked)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        ArgumentNullException.ThrowIfNull(revoked);
        var toBeSigned = Der.Encode(writer =>
        {
            using var list = writer.PushSequence();
            writer.WriteInteger(Version2);
            Der.Signature(writer);
            writer.WriteEncodedValue(issuer.Name.Encode());
            Der.Time(writer, thisUpdate);
            if (nextUpdate is { } next)
            {
                Der.Time(writer, next);
            }

            WriteRevoked(writer, revoked);
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
            using (writer.PushSequence())
            {
                Der.Extension(writer, CertificateExtension.AuthorityKey(issuer.KeyIdentifier));
                Der.Extension(writer, new CertificateExtension(Oids.CrlNumber, false, Der.Encode(w => w.WriteInteger(crlNumber))));
            }
        });
        return Der.Signed(toBeSigned, issuer.SignDer(toBeSigned));
    }

    /// <summary>An empty list is left out altogether, as the RFC demands.</summary>
    private static void WriteRevoked(AsnWriter writer, IReadOnlyCollection<RevokedCertificate> revoked)
    {
        if (revoked.Count == 0)
        {
            return;
        }

        using var entries = writer.PushSequence();
        foreach (var (certificate, at, reason) in revoked)
        {
            using var entry = writer.PushSequence();
            writer.WriteIntegerUnsigned(certificate.Serial);
            Der.Time(writer, at);
            if (reason is { } code)
            {
                using (writer.PushSequence())
                {
                    Der.Extension(writer, new CertificateExtension(Oids.ReasonCode, false, Der.Encode(w => w.WriteEnumeratedValue(code))));
                }
            }
        }
    }
}
