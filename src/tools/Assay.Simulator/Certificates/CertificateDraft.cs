using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>From when until when a certificate holds. The last second of 9999 means "without end" (RFC 5280, section 4.1.2.5).</summary>
internal sealed record Validity(DateTimeOffset NotBefore, DateTimeOffset NotAfter, bool AlwaysGeneralizedTime = false)
{
    public static DateTimeOffset Never { get; } = new(9999, 12, 31, 23, 59, 59, TimeSpan.Zero);

    public static Validity Endless(int year, int month, int day) => new(new DateTimeOffset(year, month, day, 0, 0, 0, TimeSpan.Zero), Never);
}

/// <summary>
/// What a certificate will say. The TBSCertificate is written here field by field, because names, string types,
/// time types and the order of extensions have to be those of the recorded chains.
/// </summary>
internal sealed record CertificateDraft
{
    private const int Version3 = 2;

    public required SubjectName Subject { get; init; }
    public required Validity Validity { get; init; }

    /// <summary>Of a root; what it certifies carries the same.</summary>
    public CertificateExtension Marker { get; init; } = CertificateExtension.Marker;

    /// <summary>Content bytes of a positive INTEGER, big-endian.</summary>
    public byte[] Serial { get; init; } = RandomSerial(16);

    /// <summary>Given the subject and its issuer, because key identifiers come first, last or between, as recorded.</summary>
    public required Func<SimulatedCertificate, SimulatedCertificate, ImmutableArray<CertificateExtension>> Extensions { get; init; }

    public static byte[] RandomSerial(int length)
    {
        var serial = RandomNumberGenerator.GetBytes(length);
        serial[0] = AsPositive(serial[0]);
        return serial;
    }

    /// <summary>The serial numbers of NVIDIA's RIM L2 and L3 have the top bit set, so their INTEGER starts with a zero byte.</summary>
    public static byte[] RandomHighSerial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] |= 0x80;
        return serial;
    }

    /// <summary>Clears the sign bit and sets the next, so that the INTEGER is positive and keeps its length: NVIDIA's rule too.</summary>
    public static byte AsPositive(byte first) => (byte)((first & 0x7F) | 0x40);

    public byte[] Encode(SimulatedCertificate subject)
    {
        var issuer = subject.Issuer ?? subject;
        var toBeSigned = Der.Encode(writer => WriteToBeSigned(writer, subject, issuer));
        return Der.Signed(toBeSigned, issuer.SignDer(toBeSigned));
    }

    private void WriteToBeSigned(AsnWriter writer, SimulatedCertificate subject, SimulatedCertificate issuer)
    {
        using var sequence = writer.PushSequence();
        using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
        {
            writer.WriteInteger(Version3);
        }

        writer.WriteIntegerUnsigned(Serial);
        Der.Signature(writer);
        writer.WriteEncodedValue(issuer.Name.Encode());
        using (writer.PushSequence())
        {
            Der.Time(writer, Validity.NotBefore, Validity.AlwaysGeneralizedTime);
            Der.Time(writer, Validity.NotAfter, Validity.AlwaysGeneralizedTime);
        }

        writer.WriteEncodedValue(Subject.Encode());
        writer.WriteEncodedValue(subject.PublicKey);
        using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 3)))
        using (writer.PushSequence())
        {
            foreach (var extension in Extensions(subject, issuer).Add(subject.Marker))
            {
                Der.Extension(writer, extension);
            }
        }
    }
}
