using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>The parts of a DER OCSPRequest (RFC 6960, section 4.1.1) that a responder needs. A signature on it is not looked at.</summary>
internal sealed record OcspRequest(ImmutableArray<OcspCertId> Ids, ReadOnlyMemory<byte>? NonceValue)
{
    private static readonly Asn1Tag s_version = new(TagClass.ContextSpecific, 0, isConstructed: true);
    private static readonly Asn1Tag s_requestorName = new(TagClass.ContextSpecific, 1, isConstructed: true);
    private static readonly Asn1Tag s_extensions = new(TagClass.ContextSpecific, 2, isConstructed: true);

    public static bool TryParse(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out OcspRequest? request)
    {
        try
        {
            request = Read(new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence());
            return true;
        }
        catch (AsnContentException)
        {
            request = null;
            return false;
        }
    }

    private static OcspRequest Read(AsnReader toBeSigned)
    {
        SkipIf(toBeSigned, s_version);
        SkipIf(toBeSigned, s_requestorName);
        var ids = ImmutableArray.CreateBuilder<OcspCertId>();
        for (var list = toBeSigned.ReadSequence(); list.HasData;)
        {
            ids.Add(OcspCertId.Read(list.ReadSequence()));
        }

        return new OcspRequest(ids.ToImmutable(), ReadNonce(toBeSigned));
    }

    private static ReadOnlyMemory<byte>? ReadNonce(AsnReader toBeSigned)
    {
        if (!toBeSigned.HasData || toBeSigned.PeekTag() != s_extensions)
        {
            return null;
        }

        for (var extensions = toBeSigned.ReadSequence(s_extensions).ReadSequence(); extensions.HasData;)
        {
            var extension = extensions.ReadSequence();
            var oid = extension.ReadObjectIdentifier();
            if (extension.PeekTag() == Asn1Tag.Boolean)
            {
                extension.ReadBoolean();
            }

            if (oid is Oids.OcspNonce)
            {
                return extension.ReadOctetString();
            }
        }

        return null;
    }

    private static void SkipIf(AsnReader reader, Asn1Tag tag)
    {
        if (reader.HasData && reader.PeekTag() == tag)
        {
            reader.ReadEncodedValue();
        }
    }
}
