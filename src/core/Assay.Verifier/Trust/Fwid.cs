using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// The firmware identifier that a leaf certificate carries: SHA-384 over the firmware that the key belongs to (TCG DICE Attestation
/// Architecture 1.1: CompositeDeviceID §8.2 as used on Hopper and LS10, DiceTcbInfo §6.1.1 on Blackwell and Rubin).
/// </summary>
internal static class Fwid
{
    private const int Sha384Size = 48;

    /// <summary>The FWID of a leaf, or why there is none.</summary>
    public static bool TryRead(Certificate leaf, out Digest fwid, [NotNullWhen(false)] out string? whyNot)
    {
        fwid = default;
        var composite = leaf.Extensions.Find(Oids.CompositeDeviceId);
        var tcbInfo = leaf.Extensions.Find(Oids.DiceTcbInfo);
        if (composite is null == (tcbInfo is null))
        {
            whyNot = composite is null
                ? "the leaf has neither 2.23.133.5.4.1 (CompositeDeviceID) nor 2.23.133.5.4.1.1 (DiceTcbInfo)"
                : "the leaf has both 2.23.133.5.4.1 and 2.23.133.5.4.1.1";
            return false;
        }

        var faults = new DerFaults();
        var value = composite is not null ? ReadComposite(composite, faults) : ReadTcbInfo(tcbInfo!, faults);
        whyNot = faults.First is { } fault ? $"the leaf's FWID extension is malformed: {fault}" : null;
        fwid = whyNot is null ? value : default;
        return whyNot is null;
    }

    // CompositeDeviceID ::= SEQUENCE { version INTEGER, deviceID SubjectPublicKeyInfo, fwid FWID }
    private static Digest ReadComposite(ReadOnlySpan<byte> value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var body = reader.Sequence("CompositeDeviceID");
        body.Require(body.SmallInteger("version") == 1, "version", "not 1");
        body.Element(DerTag.Sequence, "deviceID");
        var digest = ReadFwid(ref body);
        body.End("CompositeDeviceID");
        reader.End("CompositeDeviceID");
        return digest;
    }

    // DiceTcbInfo ::= SEQUENCE { [0] vendor, [1] model, [2] version, [3] svn, [4] layer, [5] index, [6] fwids, [7] flags, [8] vendorInfo,
    // [9] type }, all IMPLICIT and optional, in rising order. The first FWID is the firmware's; recorded leaves pad with a zero one.
    private static Digest ReadTcbInfo(ReadOnlySpan<byte> value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var body = reader.Sequence("DiceTcbInfo");
        Digest digest = default;
        var last = -1;
        while (body.HasMore)
        {
            var tag = body.PeekTag();
            var number = tag & 0x1F;
            body.Require(number > last && (tag & 0x80) != 0, "DiceTcbInfo", "fields are out of order");
            last = number;
            if (tag != DerTag.ContextConstructed(6))
            {
                body.AnyElement("DiceTcbInfo");
                continue;
            }

            var fwids = body.Nested(tag, "fwids");
            digest = ReadFwid(ref fwids);
            while (fwids.HasMore)
            {
                ReadFwid(ref fwids);
            }
        }

        reader.End("DiceTcbInfo");
        reader.Require(digest.Length > 0, "fwids", "absent");
        return digest;
    }

    // FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }
    private static Digest ReadFwid(ref DerReader outer)
    {
        var body = outer.Sequence("fwid");
        body.Require(body.Oid("hashAlg").SequenceEqual(Oids.Sha384), "hashAlg", "not SHA-384");
        var digest = body.Value(DerTag.OctetString, "digest");
        body.Require(digest.Length == Sha384Size, "digest", "not 48 bytes");
        body.End("fwid");
        return new Digest(digest);
    }
}
