using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>A certificate of a simulated processor's hierarchy, with its key and the one above it.</summary>
internal sealed class CpuCertificate
{
    private const int Version3 = 2;

    private CpuCertificate(SubjectName name, CpuKey key, CpuCertificate? issuer, byte[] serial, byte[] der) =>
        (Name, Key, Issuer, Serial, Der) = (name, key, issuer, serial, der);

    public SubjectName Name { get; }

    public CpuKey Key { get; }

    public CpuCertificate? Issuer { get; }

    public byte[] Serial { get; }

    public byte[] Der { get; }

    public string Pem => PemEncoding.WriteString("CERTIFICATE", Der) + "\n";

    /// <summary>This certificate, then each issuer up to the root, as PEM.</summary>
    public string ChainPem => Pem + Issuer?.ChainPem;

    public static CpuCertificate Issue(
        SubjectName name, CpuKey key, CpuCertificate? issuer, DateTimeOffset notBefore, DateTimeOffset notAfter, params IEnumerable<CertificateExtension> extensions)
    {
        var serial = CertificateDraft.RandomSerial(16);
        var signer = issuer?.Key ?? key;
        var toBeSigned = Assay.Simulator.Der.Encode(writer =>
        {
            using var sequence = writer.PushSequence();
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
            {
                writer.WriteInteger(Version3);
            }

            writer.WriteIntegerUnsigned(serial);
            signer.WriteAlgorithm(writer);
            writer.WriteEncodedValue((issuer?.Name ?? name).Encode());
            using (writer.PushSequence())
            {
                Assay.Simulator.Der.Time(writer, notBefore);
                Assay.Simulator.Der.Time(writer, notAfter);
            }

            writer.WriteEncodedValue(name.Encode());
            writer.WriteEncodedValue(key.PublicKey);
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 3)))
            using (writer.PushSequence())
            {
                foreach (var extension in extensions.Append(CertificateExtension.Marker))
                {
                    Assay.Simulator.Der.Extension(writer, extension);
                }
            }
        });
        return new CpuCertificate(name, key, issuer, serial, Signed(toBeSigned, signer));
    }

    /// <summary>A CA; a null path length leaves it out.</summary>
    public static CpuCertificate Authority(SubjectName name, CpuKey key, CpuCertificate? issuer, DateTimeOffset notBefore, DateTimeOffset notAfter, int? pathLength) =>
        Issue(
            name, key, issuer, notBefore, notAfter,
            CertificateExtension.AuthorityKey((issuer?.Key ?? key).Identifier), CertificateExtension.SubjectKey(key.Identifier),
            CertificateExtension.CertificateAndCrlSign, CertificateExtension.Authority(pathLength));

    /// <summary>A version 2 CRL of this certificate.</summary>
    public byte[] IssueCrl(int number, DateTimeOffset thisUpdate, DateTimeOffset nextUpdate, params IEnumerable<CpuCertificate> revoked)
    {
        ImmutableArray<CpuCertificate> entries = [.. revoked];
        var toBeSigned = Assay.Simulator.Der.Encode(writer =>
        {
            using var list = writer.PushSequence();
            writer.WriteInteger(1);
            Key.WriteAlgorithm(writer);
            writer.WriteEncodedValue(Name.Encode());
            Assay.Simulator.Der.Time(writer, thisUpdate);
            Assay.Simulator.Der.Time(writer, nextUpdate);
            WriteEntries(writer, entries, thisUpdate);
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
            using (writer.PushSequence())
            {
                Assay.Simulator.Der.Extension(writer, CertificateExtension.AuthorityKey(Key.Identifier));
                Assay.Simulator.Der.Extension(writer, new CertificateExtension(Oids.CrlNumber, false, Assay.Simulator.Der.Encode(inner => inner.WriteInteger(number))));
            }
        });
        return Signed(toBeSigned, Key);
    }

    /// <summary>An empty list is left out altogether, as RFC 5280 demands.</summary>
    private static void WriteEntries(AsnWriter writer, ImmutableArray<CpuCertificate> entries, DateTimeOffset at)
    {
        if (entries.IsEmpty)
        {
            return;
        }

        using var list = writer.PushSequence();
        foreach (var certificate in entries)
        {
            using var entry = writer.PushSequence();
            writer.WriteIntegerUnsigned(certificate.Serial);
            Assay.Simulator.Der.Time(writer, at);
        }
    }

    private static byte[] Signed(byte[] toBeSigned, CpuKey signer) => Assay.Simulator.Der.Encode(writer =>
    {
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(toBeSigned);
            signer.WriteAlgorithm(writer);
            writer.WriteBitString(signer.SignCertificate(toBeSigned));
        }
    });
}
