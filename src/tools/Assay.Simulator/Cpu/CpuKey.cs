using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>A key of a simulated processor's hierarchy, with the signature algorithm that goes with it. None is worth protecting.</summary>
internal sealed class CpuKey
{
    private readonly AsymmetricAlgorithm _key;

    private CpuKey(AsymmetricAlgorithm key)
    {
        _key = key;
        PublicKey = key.ExportSubjectPublicKeyInfo();
    }

    /// <summary>SubjectPublicKeyInfo, DER.</summary>
    public byte[] PublicKey { get; }

    /// <summary>X‖Y of a P-256 key, without the leading 04.</summary>
    public byte[] P256Point => PublicKey[^64..];

    public byte[] Identifier => SHA1.HashData(PublicKey);

    public static CpuKey P256() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    public static CpuKey P384() => new(ECDsa.Create(ECCurve.NamedCurves.nistP384));

    /// <summary>RSA of 4096 bits, as AMD's authorities have. Takes a second to make.</summary>
    public static CpuKey Rsa() => new(RSA.Create(4096));

    /// <summary>The DER of an X.509 signature's content: Ecdsa-Sig-Value, or the bytes of RSASSA-PSS.</summary>
    public byte[] SignCertificate(byte[] data) => _key switch
    {
        ECDsa curve => curve.SignData(data, Hash, DSASignatureFormat.Rfc3279DerSequence),
        RSA rsa => rsa.SignData(data, HashAlgorithmName.SHA384, RSASignaturePadding.Pss),
        _ => throw new InvalidOperationException(),
    };

    /// <summary>R‖S, big-endian.</summary>
    public byte[] SignRaw(byte[] data) => ((ECDsa)_key).SignData(data, Hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    public void WriteAlgorithm(AsnWriter writer)
    {
        using var sequence = writer.PushSequence();
        if (_key is ECDsa curve)
        {
            writer.WriteObjectIdentifier(curve.KeySize == 256 ? "1.2.840.10045.4.3.2" : Oids.EcdsaWithSha384);
            return;
        }

        writer.WriteObjectIdentifier("1.2.840.113549.1.1.10");
        using (writer.PushSequence())
        {
            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 0)))
            {
                WriteSha384(writer);
            }

            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 1)))
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier("1.2.840.113549.1.1.8");
                WriteSha384(writer);
            }

            using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, 2)))
            {
                writer.WriteInteger(48);
            }
        }
    }

    private HashAlgorithmName Hash => _key.KeySize == 256 ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA384;

    private static void WriteSha384(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(Oids.Sha384);
            writer.WriteNull();
        }
    }
}
