using System.Numerics;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>Reads CertificateList (RFC 5280 §5.1): EXPLICIT tags, times as in certificates.</summary>
internal static class CrlReader
{
    private const int Version2 = 1;
    private const int LargestCrlNumber = 20; // RFC 5280 §5.2.3

    public static CrlFields? Read(byte[] raw, DerFaults faults)
    {
        var reader = new DerReader(raw, faults);
        var outer = reader.Sequence("CertificateList");
        reader.End("CertificateList");
        var fields = outer; // The same bytes twice: whole for the signature, and field by field.
        var start = outer.Position;
        var length = outer.Element(DerTag.Sequence, "tbsCertList").Length;
        var list = ReadList(raw, ref fields);
        var algorithm = Certificate.ReadAlgorithm(ref outer, "signatureAlgorithm");
        outer.Require(list is null || list.Algorithm == algorithm, "signatureAlgorithm", "differs from tbsCertList.signature");
        var signature = outer.WholeBitString("signatureValue").ToArray();
        outer.End("CertificateList");
        return list is null ? null : list with { SignedBytes = start..(start + length), Signature = signature };
    }

    /// <summary>Unsigned order of big-endian numbers without leading zeros.</summary>
    public static int CompareSerialNumbers(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        left.Length != right.Length ? left.Length.CompareTo(right.Length) : left.SequenceCompareTo(right);

    /// <summary>The status that the entry at this offset, which was read before, gives its certificate.</summary>
    public static RevocationStatus StatusAt(byte[] raw, int offset)
    {
        var reader = new DerReader(raw.AsSpan(offset), new DerFaults());
        ReadEntry(ref reader, 0, out var revokedAt, out var reason);
        return new RevocationStatus(CertificateStatus.Revoked, revokedAt, reason);
    }

    private static CrlFields? ReadList(byte[] raw, ref DerReader outer)
    {
        var body = outer.Sequence("tbsCertList");
        body.Require(body.SmallInteger("version") == Version2, "version", "not v2");
        var algorithm = Certificate.ReadAlgorithm(ref body, "signature");
        var issuer = DistinguishedName.Read(ref body, "issuer");
        var thisUpdate = X509Time.Read(ref body, "thisUpdate");
        var nextUpdate = X509Time.Read(ref body, "nextUpdate"); // RFC 5280 §5.1.2.5 wants it in every list.
        body.Require(thisUpdate <= nextUpdate, "nextUpdate", "before thisUpdate");
        var entries = body.NextIs(DerTag.Sequence) ? ReadEntries(raw, ref body) : [];
        var extensions = CertificateExtensions.None;
        if (body.HasMore)
        {
            var wrapped = body.Nested(DerTag.ContextConstructed(0), "crlExtensions");
            extensions = CertificateExtensions.Read(ref wrapped);
            wrapped.End("crlExtensions");
        }

        body.End("tbsCertList");
        var number = ReadExtensions(extensions, ref body);
        return body.Fault is not null ? null : new CrlFields
        {
            SignedBytes = default,
            Issuer = issuer!,
            ThisUpdate = thisUpdate,
            NextUpdate = nextUpdate,
            Entries = entries,
            CrlNumber = number,
            AuthorityKeyIdentifier = extensions.AuthorityKeyIdentifier,
            Algorithm = algorithm,
            Signature = [],
        };
    }

    private static CrlEntry[] ReadEntries(byte[] raw, ref DerReader body)
    {
        var list = body.Sequence("revokedCertificates");
        list.Require(list.HasMore, "revokedCertificates", "empty, where RFC 5280 §5.1.2.6 wants it absent");
        var found = new List<CrlEntry>();
        while (list.HasMore)
        {
            list.Require(found.Count < Limits.CrlEntries, "revokedCertificates", "too many");
            found.Add(ReadEntry(ref list, list.Position, out _, out _));
        }

        if (list.Fault is not null)
        {
            return [];
        }

        var entries = found.ToArray();
        Array.Sort(entries, (left, right) => CompareSerialNumbers(left.SerialNumber(raw), right.SerialNumber(raw)));
        for (var index = 1; index < entries.Length; index++)
        {
            // Two entries could contradict each other: a hold, and a key compromise.
            var repeated = entries[index - 1].SerialNumber(raw).SequenceEqual(entries[index].SerialNumber(raw));
            list.Require(!repeated, "userCertificate", "repeated");
        }

        return entries;
    }

    private static CrlEntry ReadEntry(ref DerReader list, int offset, out DateTimeOffset revokedAt, out RevocationReason? reason)
    {
        var entry = list.Sequence("revokedCertificate");
        var length = SerialNumberOctets.Read(ref entry, "userCertificate").Length;
        var start = entry.Position - length - offset;
        revokedAt = X509Time.Read(ref entry, "revocationDate");
        reason = entry.HasMore ? ReadEntryExtensions(ref entry) : null;
        entry.End("revokedCertificate");
        return entry.Fault is null ? new CrlEntry(offset, (byte)start, (byte)length) : default;
    }

    // Without objects, for there may be 200,000 of them. An unknown extension that is not critical says nothing to us, twice or once.
    private static RevocationReason? ReadEntryExtensions(ref DerReader entry)
    {
        RevocationReason? reason = null;
        var list = entry.Sequence("crlEntryExtensions");
        list.Require(list.HasMore, "crlEntryExtensions", "empty");
        while (list.HasMore)
        {
            var item = list.Sequence("extension");
            var oid = item.Oid("extnID");
            var critical = item.NextIs(DerTag.Boolean) && item.Boolean("critical");
            var value = item.Nested(DerTag.OctetString, "extnValue");
            item.End("extension");
            if (oid.SequenceEqual(Oids.CrlReason))
            {
                list.Require(reason is null, "reasonCode", "repeated");
                reason = RevocationStatus.ReadReason(ref value, "reasonCode");
                value.End("reasonCode");
            }
            else if (oid.SequenceEqual(Oids.InvalidityDate))
            {
                X509Time.ReadGeneralized(ref value, "invalidityDate");
                value.End("invalidityDate");
            }
            else if (oid.SequenceEqual(Oids.CertificateIssuer))
            {
                list.Require(false, "certificateIssuer", "an entry of an indirect list, which is not supported");
            }
            else if (critical)
            {
                list.Require(false, "crlEntryExtensions", $"the critical extension {ExtensionName.Of(oid)} is not supported");
            }
        }

        return reason;
    }

    private static BigInteger? ReadExtensions(CertificateExtensions extensions, ref DerReader body)
    {
        BigInteger? number = null;
        foreach (var extension in extensions.All)
        {
            ReadOnlySpan<byte> oid = extension.Oid;
            if (oid.SequenceEqual(Oids.CrlNumber))
            {
                number = ReadCrlNumber(extension.Value, ref body);
            }
            else if (oid.SequenceEqual(Oids.DeltaCrlIndicator))
            {
                body.Require(false, "deltaCRLIndicator", "a delta list, which is not supported");
            }
            else if (oid.SequenceEqual(Oids.IssuingDistributionPoint))
            {
                // Also when it is not critical, against RFC 5280 §5.2.5: absence from a part of the list would pass for good.
                body.Require(false, "issuingDistributionPoint", "a partial or indirect list, which is not supported");
            }
            else if (extension.Critical && !oid.SequenceEqual(Oids.AuthorityKeyIdentifier))
            {
                body.Require(false, "crlExtensions", $"the critical extension {ExtensionName.Of(oid)} is not supported");
            }
        }

        return number;
    }

    private static BigInteger ReadCrlNumber(byte[] value, ref DerReader body)
    {
        var faults = new DerFaults();
        var reader = new DerReader(value, faults);
        var number = reader.Integer("cRLNumber");
        reader.Require(number.Length <= LargestCrlNumber + 1 && number is [< 0x80, ..], "cRLNumber", "negative or longer than 20 octets");
        reader.End("cRLNumber");
        body.Require(faults.First is null, "cRLNumber", faults.First?.Problem ?? "");
        return faults.First is null ? new BigInteger(number, isUnsigned: true, isBigEndian: true) : default;
    }
}
