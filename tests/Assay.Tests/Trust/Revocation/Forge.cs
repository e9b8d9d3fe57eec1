using System.Formats.Asn1;
using System.Security.Cryptography;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

/// <summary>One SingleResponse to be written.</summary>
internal sealed record Single(Certificate Subject, Certificate Issuer)
{
    public OcspHash Hash { get; init; } = OcspHash.Sha1;
    public bool NullParameters { get; init; } = true;
    public CertificateStatus Status { get; init; } = CertificateStatus.Good;
    public DateTimeOffset RevokedAt { get; init; } = Forge.Now - TimeSpan.FromDays(30);
    public int? Reason { get; init; }
    public DateTimeOffset ThisUpdate { get; init; } = Forge.Now;
    public DateTimeOffset? NextUpdate { get; init; } = Forge.Now + TimeSpan.FromDays(1);
    public (string Oid, bool Critical, byte[] Value)[] Extensions { get; init; } = [];
}

/// <summary>One OCSP response to be written and signed.</summary>
internal sealed record Answer(Identity Signer, params Single[] Singles)
{
    public int Status { get; init; }
    public bool ByKey { get; init; }
    public bool WrittenVersion { get; init; }
    public DateTimeOffset ProducedAt { get; init; } = Forge.Now;
    public Certificate[] Certificates { get; init; } = [];
    public Certificate? Named { get; init; }
    public string Type { get; init; } = "1.3.6.1.5.5.7.48.1.1";
    public (string Oid, bool Critical, byte[] Value)[] Extensions { get; init; } = [];
}

/// <summary>One CRL to be written and signed.</summary>
internal sealed record RevokedList(Identity Signer)
{
    public Certificate? Named { get; init; }
    public DateTimeOffset ThisUpdate { get; init; } = Forge.Now;
    public DateTimeOffset? NextUpdate { get; init; } = Forge.Now + TimeSpan.FromDays(7);
    public int? Version { get; init; } = 1;
    public int? Number { get; init; } = 7;
    public byte[]? AuthorityKey { get; init; }
    public bool WriteEmptyEntries { get; init; }
    public (byte[] Serial, int? Reason, (string Oid, bool Critical, byte[] Value)[] Extensions)[] Entries { get; init; } = [];
    public (string Oid, bool Critical, byte[] Value)[] Extensions { get; init; } = [];
}

/// <summary>Writes responses and lists, right and wrong, that no honest program would write.</summary>
internal static class Forge
{
    public const string NonceOid = "1.3.6.1.5.5.7.48.1.2";

    public static readonly DateTimeOffset Now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    public static byte[] Nonce(byte[] nonce) => Der(writer => writer.WriteOctetString(nonce));

    public static byte[] Der(Action<AsnWriter> write)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        write(writer);
        return writer.Encode();
    }

    public static byte[] Encode(this Answer answer)
    {
        var data = Der(writer => WriteData(writer, answer));
        var basic = Der(writer =>
        {
            using (writer.PushSequence())
            {
                writer.WriteEncodedValue(data);
                WriteAlgorithm(writer);
                writer.WriteBitString(answer.Signer.Sign(data));
                if (answer.Certificates is not [])
                {
                    using (writer.PushSequence(Context(0)))
                    using (writer.PushSequence())
                    {
                        foreach (var certificate in answer.Certificates)
                        {
                            writer.WriteEncodedValue(certificate.Raw.Span);
                        }
                    }
                }
            }
        });
        return Wrap(answer.Status, answer.Type, basic);
    }

    public static byte[] Wrap(int status, string type, byte[]? basic) => Der(writer =>
    {
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue([0x0A, 0x01, (byte)status]);
            if (basic is not null)
            {
                using (writer.PushSequence(Context(0)))
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(type);
                    writer.WriteOctetString(basic);
                }
            }
        }
    });

    public static byte[] Encode(this RevokedList list)
    {
        var signed = Der(writer => WriteList(writer, list));
        return Der(writer =>
        {
            using (writer.PushSequence())
            {
                writer.WriteEncodedValue(signed);
                WriteAlgorithm(writer);
                writer.WriteBitString(list.Signer.Sign(signed));
            }
        });
    }

    private static void WriteData(AsnWriter writer, Answer answer)
    {
        var named = answer.Named ?? answer.Signer.Certificate;
        using (writer.PushSequence())
        {
            if (answer.WrittenVersion)
            {
                using (writer.PushSequence(Context(0)))
                {
                    writer.WriteInteger(0);
                }
            }

            using (writer.PushSequence(Context(answer.ByKey ? 2 : 1)))
            {
                if (answer.ByKey)
                {
                    writer.WriteOctetString(SHA1.HashData(named.PublicKeyBits.Span));
                }
                else
                {
                    writer.WriteEncodedValue(named.Subject.Der);
                }
            }

            writer.WriteGeneralizedTime(answer.ProducedAt, omitFractionalSeconds: true);
            using (writer.PushSequence())
            {
                foreach (var single in answer.Singles)
                {
                    WriteSingle(writer, single);
                }
            }

            WriteExtensions(writer, answer.Extensions, 1);
        }
    }

    private static void WriteSingle(AsnWriter writer, Single single)
    {
        using (writer.PushSequence())
        {
            WriteCertId(writer, single);
            switch (single.Status)
            {
                case CertificateStatus.Good:
                    writer.WriteNull(Context(0));
                    break;
                case CertificateStatus.Unknown:
                    writer.WriteNull(Context(2));
                    break;
                default:
                    WriteRevoked(writer, single);
                    break;
            }

            writer.WriteGeneralizedTime(single.ThisUpdate, omitFractionalSeconds: true);
            if (single.NextUpdate is { } next)
            {
                using (writer.PushSequence(Context(0)))
                {
                    writer.WriteGeneralizedTime(next, omitFractionalSeconds: true);
                }
            }

            WriteExtensions(writer, single.Extensions, 1);
        }
    }

    private static void WriteCertId(AsnWriter writer, Single single)
    {
        var id = OcspCertId.For(single.Subject, single.Issuer, single.Hash);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(single.Hash switch
                {
                    OcspHash.Sha1 => "1.3.14.3.2.26",
                    OcspHash.Sha256 => "2.16.840.1.101.3.4.2.1",
                    _ => "2.16.840.1.101.3.4.2.2",
                });
                if (single.NullParameters)
                {
                    writer.WriteNull();
                }
            }

            writer.WriteOctetString(id.IssuerNameHash.Bytes);
            writer.WriteOctetString(id.IssuerKeyHash.Bytes);
            writer.WriteIntegerUnsigned(id.SerialNumber.Span);
        }
    }

    private static void WriteRevoked(AsnWriter writer, Single single)
    {
        using (writer.PushSequence(Context(1)))
        {
            writer.WriteGeneralizedTime(single.RevokedAt, omitFractionalSeconds: true);
            if (single.Reason is { } reason)
            {
                using (writer.PushSequence(Context(0)))
                {
                    writer.WriteEncodedValue([0x0A, 0x01, (byte)reason]);
                }
            }
        }
    }

    private static void WriteList(AsnWriter writer, RevokedList list)
    {
        using (writer.PushSequence())
        {
            if (list.Version is { } version)
            {
                writer.WriteInteger(version);
            }

            WriteAlgorithm(writer);
            writer.WriteEncodedValue((list.Named ?? list.Signer.Certificate).Subject.Der);
            writer.WriteUtcTime(list.ThisUpdate);
            if (list.NextUpdate is { } next)
            {
                writer.WriteUtcTime(next);
            }

            if (list.Entries is not [] || list.WriteEmptyEntries)
            {
                using (writer.PushSequence())
                {
                    foreach (var entry in list.Entries)
                    {
                        WriteEntry(writer, entry.Serial, entry.Reason, entry.Extensions);
                    }
                }
            }

            var authority = list.AuthorityKey ?? list.Signer.Certificate.Extensions.SubjectKeyIdentifier!;
            var identifier = Der(inner =>
            {
                using (inner.PushSequence())
                {
                    inner.WriteOctetString(authority, Context(0));
                }
            });
            (string, bool, byte[])[] extensions = [("2.5.29.35", false, identifier), .. list.Extensions];
            WriteExtensions(writer, list.Number is { } number ? [.. extensions, ("2.5.29.20", false, Der(inner => inner.WriteInteger(number)))] : extensions, 0);
        }
    }

    private static void WriteEntry(AsnWriter writer, byte[] serial, int? reason, (string Oid, bool Critical, byte[] Value)[] extensions)
    {
        using (writer.PushSequence())
        {
            writer.WriteIntegerUnsigned(serial);
            writer.WriteUtcTime(Now - TimeSpan.FromDays(30));
            (string, bool, byte[])[] all = reason is { } number ? [("2.5.29.21", false, [0x0A, 0x01, (byte)number]), .. extensions] : extensions;
            WriteExtensions(writer, all, null);
        }
    }

    private static void WriteExtensions(AsnWriter writer, (string Oid, bool Critical, byte[] Value)[] extensions, int? tag)
    {
        if (extensions is [])
        {
            return;
        }

        using var wrapped = tag is { } number ? writer.PushSequence(Context(number)) : default(AsnWriter.Scope?);
        using (writer.PushSequence())
        {
            foreach (var (oid, critical, value) in extensions)
            {
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(oid);
                    if (critical)
                    {
                        writer.WriteBoolean(true);
                    }

                    writer.WriteOctetString(value);
                }
            }
        }
    }

    private static void WriteAlgorithm(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier("1.2.840.10045.4.3.3");
        }
    }

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number);
}
