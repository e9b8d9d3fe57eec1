using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>One X.509 extension, its value already DER.</summary>
internal sealed record CertificateExtension(string Oid, bool Critical, byte[] Value)
{
    // The responder and CRL addresses of the recorded certificates: verifiers must not fetch from what evidence names.
    private const string OcspAddress = "http://ocsp.ndis.nvidia.com";

    private static readonly Asn1Tag s_uri = new(TagClass.ContextSpecific, 6);
    private static readonly Asn1Tag s_explicit0 = new(TagClass.ContextSpecific, 0, isConstructed: true);

    public static CertificateExtension Marker { get; } = Mark(SimulatedMarker.Oid, critical: false);

    public static CertificateExtension CriticalMarker { get; } = Mark(SimulatedMarker.CriticalOid, critical: true);

    public static CertificateExtension NotAuthority { get; } = new(Oids.BasicConstraints, true, Sequence(_ => { }));

    public static CertificateExtension DigitalSignature { get; } = KeyUsage([0x80], unusedBits: 7);

    public static CertificateExtension CertificateSign { get; } = KeyUsage([0x04], unusedBits: 2);

    public static CertificateExtension CertificateAndCrlSign { get; } = KeyUsage([0x06], unusedBits: 1);

    public static CertificateExtension OcspNoCheck { get; } = new(Oids.OcspNoCheck, false, Der.Encode(w => w.WriteNull()));

    public static CertificateExtension OcspSigning { get; } =
        new(Oids.ExtendedKeyUsage, false, Sequence(w => w.WriteObjectIdentifier(Oids.OcspSigning)));

    public static CertificateExtension OcspAccess { get; } = new(Oids.AuthorityInformationAccess, false, Sequence(w =>
    {
        using (w.PushSequence())
        {
            w.WriteObjectIdentifier(Oids.AccessMethodOcsp);
            w.WriteCharacterString(UniversalTagNumber.IA5String, OcspAddress, s_uri);
        }
    }));

    public static CertificateExtension Authority(int? pathLength = null) => new(Oids.BasicConstraints, true, Sequence(w =>
    {
        w.WriteBoolean(true);
        if (pathLength is { } length)
        {
            w.WriteInteger(length);
        }
    }));

    public static CertificateExtension SubjectKey(byte[] identifier) =>
        new(Oids.SubjectKeyIdentifier, false, Der.Encode(w => w.WriteOctetString(identifier)));

    public static CertificateExtension AuthorityKey(byte[] identifier) =>
        new(Oids.AuthorityKeyIdentifier, false, Sequence(w => w.WriteOctetString(identifier, new Asn1Tag(TagClass.ContextSpecific, 0))));

    public static CertificateExtension CrlAt(string address) => new(Oids.CrlDistributionPoints, false, Sequence(w =>
    {
        using (w.PushSequence())
        using (w.PushSequence(s_explicit0))
        using (w.PushSequence(s_explicit0))
        {
            w.WriteCharacterString(UniversalTagNumber.IA5String, address, s_uri);
        }
    }));

    public static CertificateExtension DeviceInfo(string text) => new(Oids.SubjectAlternativeName, false, Sequence(w =>
    {
        using (w.PushSequence(s_explicit0))
        {
            w.WriteObjectIdentifier(Oids.DmtfDeviceInfo);
            using (w.PushSequence(s_explicit0))
            {
                w.WriteCharacterString(UniversalTagNumber.UTF8String, text);
            }
        }
    }));

    /// <summary>CompositeDeviceID: version 1, the public key of the certificate above, the firmware digest.</summary>
    public static CertificateExtension CompositeDeviceId(byte[] deviceKey, byte[] fwid) => new(Oids.CompositeDeviceId, false, Sequence(w =>
    {
        w.WriteInteger(1);
        w.WriteEncodedValue(deviceKey);
        Fwid(w, fwid);
    }));

    /// <summary>DiceTcbInfo with the ten fields of the recorded Blackwell leaf; the second firmware digest is zero there too.</summary>
    public static CertificateExtension DiceTcbInfo(string model, byte[] fwid) => new(Oids.DiceTcbInfo, false, Sequence(w =>
    {
        w.WriteCharacterString(UniversalTagNumber.UTF8String, "NVIDIA", Context(0));
        w.WriteCharacterString(UniversalTagNumber.UTF8String, model, Context(1));
        w.WriteCharacterString(UniversalTagNumber.UTF8String, "01", Context(2));
        w.WriteInteger(1, Context(3));
        w.WriteInteger(0, Context(4));
        w.WriteInteger(0, Context(5));
        using (w.PushSequence(Context(6)))
        {
            Fwid(w, fwid);
            Fwid(w, new byte[fwid.Length]);
        }

        w.WriteBitString([0x80, 0, 0, 1], 0, Context(7));
        w.WriteOctetString([0xC0], Context(8));
        w.WriteOctetString([0x00], Context(9));
    }));

    private static CertificateExtension Mark(string oid, bool critical) =>
        new(oid, critical, Der.Encode(w => w.WriteCharacterString(UniversalTagNumber.UTF8String, SimulatedMarker.Text)));

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number);

    private static void Fwid(AsnWriter writer, byte[] digest)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(Oids.Sha384);
            writer.WriteOctetString(digest);
        }
    }

    private static CertificateExtension KeyUsage(byte[] bits, int unusedBits) =>
        new(Oids.KeyUsage, true, Der.Encode(w => w.WriteBitString(bits, unusedBits)));

    private static byte[] Sequence(Action<AsnWriter> content) => Der.Encode(w =>
    {
        using (w.PushSequence())
        {
            content(w);
        }
    });
}
