using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Trust.Revocation;

/// <summary>
/// A v2 certificate revocation list (RFC 5280 §5), read strictly from DER: complete, immutable, and believed by nobody yet.
/// Every entry is checked when it is read, yet none becomes an object: what stays is the bytes and eight octets of index per entry.
/// Only complete lists by the certificates' own issuer are read: deltas, partial and indirect lists are refused by name.
/// </summary>
public sealed class CertificateRevocationList
{
    private readonly byte[] _raw;
    private readonly CrlFields _fields;

    private CertificateRevocationList(byte[] raw, CrlFields fields)
    {
        _raw = raw;
        _fields = fields;
        ContentDigest = Digest.Sha256(raw);
    }

    /// <summary>SHA-256 of the whole list.</summary>
    public Digest ContentDigest { get; }

    /// <summary>Who signed it, by its own account.</summary>
    public DistinguishedName Issuer => _fields.Issuer;

    /// <summary>When it was issued.</summary>
    public DateTimeOffset ThisUpdate => _fields.ThisUpdate;

    /// <summary>When the next one will have been issued.</summary>
    public DateTimeOffset NextUpdate => _fields.NextUpdate;

    /// <summary>cRLNumber; null when the extension is absent, which RFC 5280 §5.2.3 forbids and OpenSSL does unless told otherwise.</summary>
    public BigInteger? CrlNumber => _fields.CrlNumber;

    /// <summary>How many certificates are listed.</summary>
    public int EntryCount => _fields.Entries.Length;

    /// <summary>signatureAlgorithm.</summary>
    public SignatureAlgorithm SignatureAlgorithm => _fields.Algorithm;

    /// <summary>The entries, ascending by serial number. Each is read again when it is asked for.</summary>
    public IEnumerable<RevokedSerialNumber> Entries =>
        _fields.Entries.Select(entry => new RevokedSerialNumber(entry.SerialNumber(_raw).ToArray(), CrlReader.StatusAt(_raw, entry.Offset)));

    internal byte[]? AuthorityKeyIdentifier => _fields.AuthorityKeyIdentifier;

    /// <summary>Reads one list. Trailing bytes are a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> der, [NotNullWhen(true)] out CertificateRevocationList? list, [NotNullWhen(false)] out ParseFault? fault)
    {
        list = null;
        if (der.Length > Limits.CrlBytes)
        {
            fault = new ParseFault("CertificateList", 0, $"larger than {Limits.CrlBytes} bytes");
            return false;
        }

        var raw = der.ToArray();
        var faults = new DerFaults();
        var fields = CrlReader.Read(raw, faults);
        fault = faults.First;
        if (fault is null && fields is not null)
        {
            list = new CertificateRevocationList(raw, fields);
            return true;
        }

        fault ??= new ParseFault("CertificateList", 0, "unreadable");
        return false;
    }

    internal bool IsSignedBy(Certificate signer, OperationMeter meter) =>
        signer.Key.Verifies(_raw.AsSpan(_fields.SignedBytes), _fields.Signature, SignatureAlgorithm, DSASignatureFormat.Rfc3279DerSequence, meter);

    /// <summary>The entry of a serial number (without leading zero octet); null when it is not listed.</summary>
    internal RevocationStatus? Find(ReadOnlySpan<byte> serialNumber)
    {
        var (low, high) = (0, _fields.Entries.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = CrlReader.CompareSerialNumbers(_fields.Entries[middle].SerialNumber(_raw), serialNumber);
            if (order == 0)
            {
                return CrlReader.StatusAt(_raw, _fields.Entries[middle].Offset);
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }
}

/// <summary>One entry of a list.</summary>
/// <param name="SerialNumber">userCertificate, big-endian, without a leading zero octet.</param>
/// <param name="Status">Since when it is revoked, and why.</param>
public sealed record RevokedSerialNumber(ReadOnlyMemory<byte> SerialNumber, RevocationStatus Status);

/// <summary>Where an entry of revokedCertificates stands in the list, and its serial number within it.</summary>
internal readonly record struct CrlEntry(int Offset, byte SerialNumberStart, byte SerialNumberLength)
{
    public ReadOnlySpan<byte> SerialNumber(byte[] raw) => raw.AsSpan(Offset + SerialNumberStart, SerialNumberLength);
}

/// <summary>What <see cref="CrlReader"/> found: <see cref="Entries"/> are ordered by serial number.</summary>
internal sealed record CrlFields
{
    public required Range SignedBytes { get; init; }
    public required DistinguishedName Issuer { get; init; }
    public required DateTimeOffset ThisUpdate { get; init; }
    public required DateTimeOffset NextUpdate { get; init; }
    public required CrlEntry[] Entries { get; init; }
    public required BigInteger? CrlNumber { get; init; }
    public required byte[]? AuthorityKeyIdentifier { get; init; }
    public required SignatureAlgorithm Algorithm { get; init; }
    public required byte[] Signature { get; init; }
}
