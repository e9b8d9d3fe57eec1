using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>Small DER phrases shared by certificates, CRLs and OCSP responses.</summary>
internal static class Der
{
    private static readonly DateTimeOffset s_generalizedTimeBegins = new(2050, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static byte[] Encode(Action<AsnWriter> write)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        write(writer);
        return writer.Encode();
    }

    public static void Signature(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(Oids.EcdsaWithSha384);
        }
    }

    /// <summary>Wraps a to-be-signed structure, its algorithm and its ECDSA signature, as X.509's SIGNED macro does.</summary>
    public static byte[] Signed(byte[] toBeSigned, byte[] signature, Action<AsnWriter>? after = null) => Encode(writer =>
    {
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(toBeSigned);
            Signature(writer);
            writer.WriteBitString(signature);
            after?.Invoke(writer);
        }
    });

    /// <summary>UTCTime before 2050 and GeneralizedTime from then on (RFC 5280), or GeneralizedTime always, as NVIDIA's L2 and L3 do.</summary>
    public static void Time(AsnWriter writer, DateTimeOffset time, bool alwaysGeneralized = false)
    {
        if (alwaysGeneralized || time >= s_generalizedTimeBegins)
        {
            writer.WriteGeneralizedTime(time, omitFractionalSeconds: true);
        }
        else
        {
            writer.WriteUtcTime(time);
        }
    }

    public static void Extension(AsnWriter writer, CertificateExtension extension)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(extension.Oid);
            if (extension.Critical)
            {
                writer.WriteBoolean(true);
            }

            writer.WriteOctetString(extension.Value);
        }
    }
}
