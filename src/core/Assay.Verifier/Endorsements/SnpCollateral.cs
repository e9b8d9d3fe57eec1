using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>
/// What an SNP verification needs beside the report, as bytes that were fetched: believed by nobody, for the verifier checks every one of
/// them.
/// </summary>
public sealed record SnpCollateral
{
    /// <summary>Nothing at hand.</summary>
    public static SnpCollateral Empty { get; } = new();

    /// <summary>DER, in any order: the VCEK or VLEK, its ASK or ASVK, the ARK. Empty when they could not be had.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Certificates { get; init; } = [];

    /// <summary>DER: the revocation list of the ARK; null when it could not be had.</summary>
    public ReadOnlyMemory<byte>? Crl { get; init; }

    /// <summary>More lists, as a folder can hold several: of those that the ARK signed the latest counts (S-17). At most 256 are tried.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> OtherCrls { get; init; } = [];

    /// <summary>Certificates of one file: a single DER, or PEM as AMD's service gives its chains. Which is told by content.</summary>
    public static bool TryReadCertificates(ReadOnlySpan<byte> file, out ImmutableArray<ReadOnlyMemory<byte>> certificates, [NotNullWhen(false)] out ParseFault? fault)
    {
        if (file is not [DerTag.Sequence, ..])
        {
            return Pem.TryDecode(file, out certificates, out fault);
        }

        certificates = [];
        fault = file.Length > Limits.CertificateBytes ? new ParseFault("certificate", 0, $"larger than {Limits.CertificateBytes} bytes") : null;
        if (fault is null)
        {
            var faults = new DerFaults();
            var reader = new DerReader(file, faults);
            reader.AnyElement("certificate");
            reader.End("certificate");
            fault = faults.First;
        }

        certificates = fault is null ? [file.ToArray()] : [];
        return fault is null;
    }
}

/// <summary>
/// The table of certificates that a host hands to its guests beside the report (Linux configfs-tsm <c>auxblob</c>; GHCB specification,
/// SNP Extended Guest Request): entries of GUID 16, offset 4, length 4, little-endian, ended by a zero entry.
/// </summary>
internal static class SnpCertificateTable
{
    private const int EntrySize = 24;
    private const int MostEntries = 16;

    // GUIDs in the byte order that they have in the table, which is that of their text.
    private static ReadOnlySpan<byte> Ark => [0xC0, 0xB4, 0x06, 0xA4, 0xA8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3F, 0xB6, 0x01, 0x4C, 0xD0, 0xAE];
    private static ReadOnlySpan<byte> Ask => [0x4A, 0xB7, 0xB3, 0x79, 0xBB, 0xAC, 0x4F, 0xE4, 0xA0, 0x2F, 0x05, 0xAE, 0xF3, 0x27, 0xC7, 0x82];
    private static ReadOnlySpan<byte> Vcek => [0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64, 0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD];
    private static ReadOnlySpan<byte> Vlek => [0xA8, 0x07, 0x4B, 0xC2, 0xA2, 0x5A, 0x48, 0x3E, 0xAA, 0xE6, 0x39, 0xC0, 0x45, 0xA0, 0xB8, 0xA1];

    /// <summary>The DER certificates of ARK, ASK, VCEK and VLEK entries in the order of the table. Other entries are passed over.</summary>
    public static bool TryParse(ReadOnlySpan<byte> table, out ImmutableArray<ReadOnlyMemory<byte>> certificates, [NotNullWhen(false)] out ParseFault? fault)
    {
        certificates = [];
        fault = table.Length > Limits.SnpCertificateTableBytes ? new ParseFault("certificate table", 0, $"larger than {Limits.SnpCertificateTableBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var found = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var wire = new WireReader(table);
        var entries = 0;
        while (true)
        {
            var guid = wire.Bytes(16, "GUID");
            var (offset, length) = (wire.U32("offset"), wire.U32("length"));
            if (wire.Fault is not null || (!guid.ContainsAnyExcept((byte)0) && offset == 0 && length == 0))
            {
                break;
            }

            wire.Require(++entries <= MostEntries, "certificate table", $"more than {MostEntries} entries");
            wire.Require(offset >= EntrySize && offset <= table.Length && length <= table.Length - offset, "offset", "outside the table");
            var known = guid.SequenceEqual(Ark) || guid.SequenceEqual(Ask) || guid.SequenceEqual(Vcek) || guid.SequenceEqual(Vlek);
            if (wire.Fault is null && known)
            {
                found.Add(table.Slice((int)offset, (int)length).ToArray());
            }
        }

        fault = wire.Fault ?? (found.Count == 0 ? new ParseFault("certificate table", 0, "no certificate") : null);
        certificates = fault is null ? found.ToImmutable() : [];
        return fault is null;
    }
}
