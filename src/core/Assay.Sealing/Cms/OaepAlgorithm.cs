using System.Formats.Asn1;

namespace Assay.Sealing.Cms;

/// <summary>
/// The AlgorithmIdentifier of RSAES-OAEP (RFC 4055 §4.1), with the one choice of parameters that is read and written: SHA-256 as hash and in MGF1, and an
/// empty label.
/// </summary>
internal static class OaepAlgorithm
{
    private const string RsaesOaep = "1.2.840.113549.1.1.7";
    private const string Mgf1 = "1.2.840.113549.1.1.8";
    private const string PSpecified = "1.2.840.113549.1.1.9";
    private const string Sha256 = "2.16.840.1.101.3.4.2.1";

    private static readonly Asn1Tag s_hash = new(TagClass.ContextSpecific, 0);
    private static readonly Asn1Tag s_mask = new(TagClass.ContextSpecific, 1);
    private static readonly Asn1Tag s_label = new(TagClass.ContextSpecific, 2);

    /// <summary>Why it is another algorithm, or one with other parameters; null if it is this one.</summary>
    /// <exception cref="AsnContentException">Its structure is broken.</exception>
    public static string? WhyNot(AsnReader algorithm)
    {
        if (algorithm.ReadObjectIdentifier() != RsaesOaep)
        {
            return "the key is not encrypted with RSAES-OAEP";
        }

        var parameters = algorithm.ReadSequence();
        algorithm.ThrowIfNotEmpty();
        // Absent fields mean SHA-1.
        if (!HasSha256(parameters, s_hash) || !HasMaskOfSha256(parameters) || !HasEmptyLabel(parameters))
        {
            return "RSAES-OAEP with other parameters than SHA-256 for hash and mask, and an empty label";
        }

        parameters.ThrowIfNotEmpty();
        return null;
    }

    public static void Write(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(RsaesOaep);
            using (writer.PushSequence())
            {
                using (writer.PushSequence(s_hash))
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Sha256);
                }

                using (writer.PushSequence(s_mask))
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Mgf1);
                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Sha256);
                    }
                }
            }
        }
    }

    private static bool HasSha256(AsnReader parameters, Asn1Tag tag)
    {
        if (!parameters.HasData || !parameters.PeekTag().HasSameClassAndValue(tag))
        {
            return false;
        }

        var field = parameters.ReadSequence(tag);
        var isSha256 = IsSha256(field.ReadSequence());
        field.ThrowIfNotEmpty();
        return isSha256;
    }

    private static bool HasMaskOfSha256(AsnReader parameters)
    {
        if (!parameters.HasData || !parameters.PeekTag().HasSameClassAndValue(s_mask))
        {
            return false;
        }

        var field = parameters.ReadSequence(s_mask);
        var mask = field.ReadSequence();
        field.ThrowIfNotEmpty();
        if (mask.ReadObjectIdentifier() != Mgf1)
        {
            return false;
        }

        var isSha256 = IsSha256(mask.ReadSequence());
        mask.ThrowIfNotEmpty();
        return isSha256;
    }

    private static bool HasEmptyLabel(AsnReader parameters)
    {
        if (!parameters.HasData)
        {
            return true;
        }

        var field = parameters.ReadSequence(s_label);
        var source = field.ReadSequence();
        field.ThrowIfNotEmpty();
        var isEmpty = source.ReadObjectIdentifier() == PSpecified && source.ReadOctetString().Length == 0;
        source.ThrowIfNotEmpty();
        return isEmpty;
    }

    // Parameters absent or NULL: RFC 4055 §2.1 wants both accepted.
    private static bool IsSha256(AsnReader algorithm)
    {
        var oid = algorithm.ReadObjectIdentifier();
        if (algorithm.HasData)
        {
            algorithm.ReadNull();
        }

        algorithm.ThrowIfNotEmpty();
        return oid == Sha256;
    }
}
