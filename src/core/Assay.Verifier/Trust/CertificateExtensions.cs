using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>The key usages that matter here (RFC 5280 §4.2.1.3), as booleans.</summary>
public readonly record struct KeyUsage(bool DigitalSignature, bool KeyCertSign, bool CrlSign);

/// <summary>CA flag and the number of CA certificates that may follow below (RFC 5280 §4.2.1.9).</summary>
public readonly record struct BasicConstraints(bool CertificateAuthority, int? PathLength);

/// <summary>One X.509 extension as it stands, for people to look at. Path rules use none of this.</summary>
/// <param name="Oid">extnID in dotted decimal.</param>
/// <param name="Critical">critical.</param>
/// <param name="Value">The DER that extnValue holds.</param>
public sealed record ExtensionText(string Oid, bool Critical, ReadOnlyMemory<byte> Value);

/// <summary>One X.509 extension: identifier content octets, criticality, DER of its value.</summary>
internal sealed record CertificateExtension(byte[] Oid, bool Critical, byte[] Value);

/// <summary>The extensions of a certificate, those that path rules need already decoded.</summary>
internal sealed record CertificateExtensions
{
    public required ImmutableArray<CertificateExtension> All { get; init; }
    public KeyUsage? KeyUsage { get; init; }
    public BasicConstraints? BasicConstraints { get; init; }
    public byte[]? SubjectKeyIdentifier { get; init; }
    public byte[]? AuthorityKeyIdentifier { get; init; }
    public bool OcspSigning { get; init; }
    public bool OcspNoCheck { get; init; }

    public static CertificateExtensions None { get; } = new() { All = [] };

    /// <summary>Identifiers of critical extensions that no rule here processes. Any of them ends the path (RFC 5280 §4.2).</summary>
    public IEnumerable<byte[]> UnknownCritical => All
        .Where(extension => extension.Critical && !IsProcessed(extension.Oid))
        .Select(extension => extension.Oid);

    public byte[]? Find(ReadOnlySpan<byte> oid)
    {
        foreach (var extension in All)
        {
            if (oid.SequenceEqual(extension.Oid))
            {
                return extension.Value;
            }
        }

        return null;
    }

    /// <summary>Reads the SEQUENCE OF Extension; the fault, if any, is left with <paramref name="outer"/>.</summary>
    public static CertificateExtensions Read(ref DerReader outer)
    {
        var all = ImmutableArray.CreateBuilder<CertificateExtension>();
        var list = outer.Sequence("extensions");
        list.Require(list.HasMore, "extensions", "empty");
        while (list.HasMore)
        {
            list.Require(all.Count < Limits.CertificateExtensions, "extensions", "too many");
            var item = list.Sequence("extension");
            var oid = item.Oid("extnID").ToArray();
            var critical = item.NextIs(DerTag.Boolean) && item.Boolean("critical");
            var value = item.Value(DerTag.OctetString, "extnValue").ToArray();
            item.End("extension");
            list.Require(all.All(seen => !oid.AsSpan().SequenceEqual(seen.Oid)), "extnID", "repeated");
            all.Add(new CertificateExtension(oid, critical, value));
        }

        return Decode(new CertificateExtensions { All = all.ToImmutable() }, ref outer);
    }

    private static CertificateExtensions Decode(CertificateExtensions raw, ref DerReader outer)
    {
        var faults = new DerFaults();
        var decoded = raw with
        {
            KeyUsage = raw.Find(Oids.KeyUsage) is { } usage ? ReadKeyUsage(usage, faults) : null,
            BasicConstraints = raw.Find(Oids.BasicConstraints) is { } basic ? ReadBasicConstraints(basic, faults) : null,
            SubjectKeyIdentifier = raw.Find(Oids.SubjectKeyIdentifier) is { } subject ? ReadKeyIdentifier(subject, faults) : null,
            AuthorityKeyIdentifier = raw.Find(Oids.AuthorityKeyIdentifier) is { } authority ? ReadAuthority(authority, faults) : null,
            OcspSigning = raw.Find(Oids.ExtendedKeyUsage) is { } purposes && HasOcspSigning(purposes, faults),
            OcspNoCheck = raw.Find(Oids.OcspNoCheck) is not null,
        };
        outer.Require(faults.First is null, faults.First?.Field ?? "extensions", faults.First?.Problem ?? "");
        return decoded;
    }

    /// <summary>
    /// Leniency: DER removes trailing zero bits of keyUsage, yet AMD's ASKs and ASVKs write keyCertSign as seven bits, 0000010. This one
    /// spelling is read; the bits mean the same, and a signature covers them.
    /// </summary>
    private const bool AcceptSevenBitCertificateSign = true;

    private static ReadOnlySpan<byte> SevenBitCertificateSign => [0x03, 0x02, 0x01, 0x04];

    private static KeyUsage ReadKeyUsage(byte[] value, DerFaults faults)
    {
        if (AcceptSevenBitCertificateSign && value.AsSpan().SequenceEqual(SevenBitCertificateSign))
        {
            return new KeyUsage(DigitalSignature: false, KeyCertSign: true, CrlSign: false);
        }

        var reader = new DerReader(value, faults);
        var bits = reader.NamedBits("keyUsage");
        reader.End("keyUsage");
        reader.Require(!bits.IsEmpty, "keyUsage", "names no usage");
        var first = bits.IsEmpty ? 0 : bits[0];
        return new KeyUsage((first & 0x80) != 0, (first & 0x04) != 0, (first & 0x02) != 0);
    }

    private static BasicConstraints ReadBasicConstraints(byte[] value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var body = reader.Sequence("basicConstraints");
        // DER leaves the default FALSE out; a written FALSE is a second encoding of the same value.
        var authority = body.NextIs(DerTag.Boolean) && body.Boolean("cA");
        int? pathLength = body.HasMore ? body.SmallInteger("pathLenConstraint") : null;
        body.End("basicConstraints");
        reader.End("basicConstraints");
        reader.Require(pathLength is null || authority, "pathLenConstraint", "present although cA is false");
        return new BasicConstraints(authority, pathLength);
    }

    private static byte[] ReadKeyIdentifier(byte[] value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var identifier = reader.Value(DerTag.OctetString, "subjectKeyIdentifier").ToArray();
        reader.End("subjectKeyIdentifier");
        return identifier;
    }

    private static byte[]? ReadAuthority(byte[] value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var body = reader.Sequence("authorityKeyIdentifier");
        var identifier = body.NextIs(DerTag.Context(0)) ? body.Value(DerTag.Context(0), "keyIdentifier").ToArray() : null;
        while (body.HasMore)
        {
            body.AnyElement("authorityCertIssuer");
        }

        reader.End("authorityKeyIdentifier");
        return identifier;
    }

    private static bool HasOcspSigning(byte[] value, DerFaults faults)
    {
        var reader = new DerReader(value, faults);
        var purposes = reader.Sequence("extKeyUsage");
        var found = false;
        while (purposes.HasMore)
        {
            found |= purposes.Oid("KeyPurposeId").SequenceEqual(Oids.OcspSigning);
        }

        reader.End("extKeyUsage");
        return found;
    }

    // The simulator's marker is listed although only a simulated trust set accepts it: CertificationPath asks for it by name.
    private static bool IsProcessed(ReadOnlySpan<byte> oid) =>
        oid.SequenceEqual(Oids.BasicConstraints)
        || oid.SequenceEqual(Oids.KeyUsage)
        || oid.SequenceEqual(Oids.ExtendedKeyUsage)
        || oid.SequenceEqual(Oids.SubjectKeyIdentifier)
        || oid.SequenceEqual(Oids.AuthorityKeyIdentifier)
        || SimulatedMarker.Is(oid);
}
